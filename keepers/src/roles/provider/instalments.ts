import { rm } from "node:fs/promises";
import { openLeaf } from "../../training/dispute/leaves.ts";
import { traceRootOf } from "../../training/trace/commitments.ts";
import { checkpointAt } from "../../training/trace/nearest-state.ts";
import { readTrace } from "../../training/trainer/progress.ts";
import type { ComputeParts, Duty, JobContext } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import { parametersOf } from "../jobs/job-parameters.ts";
import { isPast, type JobRecord } from "../jobs/job-record.ts";
import { type JobRun, openJobRun } from "../jobs/job-run.ts";
import type { ResultStorage } from "../jobs/job-storage.ts";
import { writeResult } from "../jobs/result.ts";
import { SideBySide, type SideBySideOptions } from "../jobs/side-by-side.ts";
import { surelyNow } from "../storage-node/agreement.ts";
import { tryCall } from "../storage-node/context.ts";
import { placeOfResult } from "./result-keeper.ts";

export type InstalmentsParts = JobContext &
  Omit<ComputeParts, "storage"> &
  Pick<SideBySideOptions, "patience"> & { readonly storage: ResultStorage };

/**
 * Posts checkpoints of the jobs that are being trained, where their orders pay for them: the newest that training has passed,
 * whose instalment includes those before it. They are stored side by side, one of each job at a time: operators that are slow to
 * take one hold up no other job.
 */
export class InstalmentClaims implements Duty {
  readonly name = "instalments";
  readonly #parts: InstalmentsParts;
  readonly #posts: SideBySide<bigint>;

  constructor(parts: InstalmentsParts) {
    this.#parts = parts;
    this.#posts = new SideBySide({ patience: parts.patience });
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { ledger, operator } = this.#parts;
    const claim = async (job: JobRecord) => {
      if (job.status !== "Training" || job.provider !== operator || this.#posts.has(job.jobId)) return;
      const { instalments } = job.order.conditions;
      const last = job.checkpoints.at(-1)?.number ?? 0;
      if (last + 1 >= instalments || isPast(job, await surelyNow(this.#parts))) return;
      const opened = await openJobRun(this.#parts, job, signal);
      try {
        await this.#postNewest(job, opened, last, signal);
      } finally {
        await opened.job.close();
      }
    };
    await forEach(
      [() => forEach(ledger.openJobs(), claim), async () => void (await this.#posts.look())],
      (step) => step(),
    );
  }

  /** The signal of the last look has ended what is under way. */
  close(): Promise<void> {
    return this.#posts.settled();
  }

  async #postNewest(job: JobRecord, opened: JobRun, last: number, signal: AbortSignal): Promise<void> {
    const { run, paidSteps } = opened;
    const trace = await readTrace(run);
    const done = trace.at(-1)?.step ?? 0;
    for (let number = paidSteps.length; number > last; number--) {
      const steps = paidSteps[number - 1]!;
      // A whole run is committed to as such.
      if (steps > done || done === run.order.steps) continue;
      const checkpoint = await checkpointAt(run, steps);
      if (checkpoint === undefined) continue;
      const reached = { number, steps, state: checkpoint.state, trace };
      this.#posts.begin(job.jobId, () => this.#post(job, opened, reached, signal));
      return;
    }
  }

  async #post(
    { jobId }: JobRecord,
    { run, folder }: JobRun,
    reached: {
      readonly number: number;
      readonly steps: number;
      readonly state: readonly Int32Array[];
      readonly trace: Awaited<ReturnType<typeof readTrace>>;
    },
    signal: AbortSignal,
  ): Promise<void> {
    const { storage, log } = this.#parts;
    const { number, steps, state, trace } = reached;
    const { interval } = run.order;
    const leaves = trace.slice(0, steps / interval + 1).map(({ stateRoot, h }) => ({ stateRoot, h }));
    const place = placeOfResult(folder, jobId, number);
    const written = await writeResult(place.folder, run.program, state, leaves);
    const resultId = await storage.store({ ...place, signal });
    const commitment = {
      traceRoot: traceRootOf(leaves, { steps, interval }),
      first: openLeaf(leaves, 0),
      last: openLeaf(leaves, leaves.length - 1),
      leavesDigest: written.leavesDigest,
      resultId,
    };
    const { providerBond } = await parametersOf(this.#parts, jobId);
    const args = [jobId, BigInt(number), commitment] as const;
    const key = `checkpoint:${jobId}:${number}`;
    if (await tryCall(this.#parts, key, "Instalments", "post", args, providerBond)) {
      log.info({ jobId, checkpoint: number, steps, resultId }, "checkpoint posted");
      await rm(written.folder, { recursive: true, force: true });
    }
  }
}
