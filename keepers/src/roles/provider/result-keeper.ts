import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { Hex } from "viem";
import { datasetStatus } from "../../storage/client/anchor.ts";
import type { ComputeParts, Duty, JobContext } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import { ResultNotPlacedError } from "../jobs/errors.ts";
import { type CommittedResult, isRunning, type JobRecord } from "../jobs/job-record.ts";
import type { ResultStorage } from "../jobs/job-storage.ts";
import { SideBySide, type SideBySideOptions } from "../jobs/side-by-side.ts";
import { agreedOn } from "../storage-node/agreement.ts";
import { withAllowance } from "../storage-node/allowance.ts";
import { chainTime, type Reading, tryCall } from "../storage-node/context.ts";

export type ResultKeeperParts = JobContext &
  Pick<ComputeParts, "folder"> &
  Pick<SideBySideOptions, "patience"> & { readonly storage: ResultStorage };

/** Where the result of a job, or of one of its checkpoints, lies in the provider's folder, and what it is stored as. */
export function placeOfResult(folder: string, jobId: bigint, checkpoint: number) {
  const suffix = checkpoint === 0 ? "" : `-${checkpoint}`;
  return {
    folder: join(folder, checkpoint === 0 ? "result" : `checkpoint${suffix}`),
    directory: join(folder, `uploads${suffix}`),
    name: `job-${jobId}${suffix}`,
  };
}

/** Seconds, of the chain and of this process, for which the copies of a job stay after it is over: any reorganisation has passed by then. */
const keptFor = 24n * 3600n;
/** Seconds between two attempts at one result: operators that have just refused are not asked all the time. */
const pause = 600;

/**
 * Keeps results held until they are paid: what nodes give up is brought to others, from the copy that was kept, and they take it
 * over once they can prove that they have it. Epochs are added when those that are paid for could end before the job does.
 * Results are stored side by side: operators that are slow to take one hold up nothing else.
 */
export class ResultKeeper implements Duty {
  readonly name = "results";
  readonly #parts: ResultKeeperParts;
  /** When a result was last stored again, in chain seconds and in milliseconds of this process. */
  readonly #tried = new Map<Hex, { readonly onChain: bigint; readonly here: number }>();
  /** When a job was first seen to be over, in chain seconds and in milliseconds of this process. */
  readonly #overSince = new Map<bigint, { readonly onChain: bigint; readonly here: number }>();
  /** Jobs whose copies were removed by this process. */
  readonly #removed = new Set<bigint>();
  readonly #stores: SideBySide<Hex>;

  constructor(parts: ResultKeeperParts) {
    this.#parts = parts;
    this.#stores = new SideBySide({ patience: parts.patience });
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { ledger, operator, client } = this.#parts;
    const now = await chainTime(client);
    const keep = async (job: JobRecord) => {
      if (job.provider !== operator) return;
      for (const { result, checkpoint, isOwed } of resultsOf(job)) {
        if (!isOwed) continue;
        // A provider that cannot pay for epochs just now brings lost bundles back all the same.
        await forEach(
          [() => this.#extend(job, result), () => this.#fill(job, checkpoint, result, now, signal)],
          (step) => step(),
        );
      }
      await this.#tidy(job, now);
    };
    await forEach(
      [() => forEach(ledger.jobsOfProvider(operator), keep), async () => void (await this.#stores.look())],
      (step) => step(),
    );
  }

  /** The signal of the last look has ended what is under way. */
  close(): Promise<void> {
    return this.#stores.settled();
  }

  /**
   * Pays for more epochs as long as the grace of a call, begun now, would end after those that are paid, and for those since
   * the end when this process was away for so long: nobody has to hold, and nobody pays for, a result that is not paid for.
   */
  async #extend({ jobId }: JobRecord, { resultId }: CommittedResult): Promise<void> {
    const { queue, log } = this.#parts;
    const name = `extend-result:${resultId}:`;
    // Of a process that was killed: what it pays for decides what is lacking.
    const underWay = queue.pending().find(({ key }) => key.startsWith(name));
    if (underWay !== undefined) await queue.wait(underWay.key);
    // One endpoint alone could name any number of epochs, each of them paid for, or have the result end too early.
    const lack = await agreedOn(this.#parts, "the epochs of a result", (chain) => lackOf(chain, resultId));
    if (lack === undefined || lack.epochs === 0) return;
    const { epochs: needed, endEpoch, amount } = lack;
    // While tokens are short, the epochs that are lacking become more: each number of them is a call of its own.
    const pull = { key: `${name}${endEpoch}:${needed}`, spender: "DatasetRegistry", amount } as const;
    const isPaid = await withAllowance(this.#parts, pull, () =>
      tryCall(this.#parts, pull.key, pull.spender, "addEpochs", [resultId, needed]),
    );
    if (isPaid) {
      log.info({ jobId, resultId, epochs: needed }, "a result that is not paid yet is stored for longer");
    }
  }

  async #fill(
    { jobId }: JobRecord,
    checkpoint: number,
    { resultId }: CommittedResult,
    now: bigint,
    signal: AbortSignal,
  ): Promise<void> {
    const { log } = this.#parts;
    const look = ({ contracts }: Reading) => contracts.DatasetRegistry.read.datasetOf([resultId]);
    const dataset = await agreedOn(this.#parts, "the holders of a result", look);
    // Without agreement a bundle may be lost: to store what is held already pays nothing twice.
    if ((dataset !== undefined && dataset.held === dataset.bundles) || this.#isPausing(resultId, now)) return;
    this.#tried.set(resultId, { onChain: now, here: performance.now() });
    const { held, bundles } = dataset ?? {};
    log.info({ jobId, checkpoint, resultId, held, bundles }, "a stored result lacks holders");
    this.#stores.begin(resultId, () => this.#store(jobId, checkpoint, signal));
  }

  /** The pause is over as soon as one of both clocks says so: an endpoint that lies about the time must not make it last. */
  #isPausing(resultId: Hex, now: bigint): boolean {
    const last = this.#tried.get(resultId);
    if (last === undefined || performance.now() >= last.here + 1000 * pause) return false;
    return now < last.onChain + BigInt(pause);
  }

  async #store(jobId: bigint, checkpoint: number, signal: AbortSignal): Promise<void> {
    const { storage, folder } = this.#parts;
    try {
      await storage.store({ ...placeOfResult(join(folder, String(jobId)), jobId, checkpoint), signal });
    } catch (error) {
      // Those that have the bytes now take the bundles over by themselves.
      if (!(error instanceof ResultNotPlacedError)) throw error;
    }
  }

  async #tidy(job: JobRecord, now: bigint): Promise<void> {
    const { jobId } = job;
    const isOver = !isRunning(job) && job.status !== "Open" && job.status !== "Matched";
    if (!isOver) this.#overSince.delete(jobId);
    if (!isOver || this.#removed.has(jobId)) return;
    const since = this.#overSince.get(jobId) ?? { onChain: now, here: performance.now() };
    this.#overSince.set(jobId, since);
    // An endpoint that names a far time must not have them go before a reorganisation has passed.
    const isLongPast = performance.now() >= since.here + 1000 * Number(keptFor);
    if (!isLongPast || now < since.onChain + keptFor) return;
    // What is still being stored is read from the copy.
    if (resultsOf(job).some(({ result }) => this.#stores.has(result.resultId))) return;
    for (const { checkpoint } of resultsOf(job)) {
      const { directory } = placeOfResult(join(this.#parts.folder, String(jobId)), jobId, checkpoint);
      await rm(directory, { recursive: true, force: true });
    }
    this.#overSince.delete(jobId);
    this.#removed.add(jobId);
  }
}

/** The epochs that a result lacks, what they cost, and the last one that is paid for; none where nothing can be added. */
async function lackOf({ contracts }: Reading, resultId: Hex) {
  const { read } = contracts.DatasetRegistry;
  const [[status, endEpoch, fee], { bundles }, epoch, length, grace] = await Promise.all([
    read.termsOf([resultId]),
    read.datasetOf([resultId]),
    read.currentEpoch(),
    read.epochLength(),
    contracts.ResultShortfalls.read.grace(),
  ]);
  const ahead = Number(grace / BigInt(length)) + 2;
  const isEnough = status !== datasetStatus.active || epoch + ahead <= endEpoch;
  const isOver = !isEnough && epoch >= endEpoch && (await read.isOver([resultId]));
  const epochs = isEnough || isOver ? 0 : ahead + Math.max(0, epoch - endEpoch);
  return { epochs, endEpoch, amount: fee * BigInt(bundles * epochs) };
}

/** What a job's provider has committed to, and whether it still stands for it: until it is paid. */
export function resultsOf(job: JobRecord) {
  const isCommitted = job.status === "Committed" || job.status === "Attested";
  const last = job.result === undefined ? [] : [{ result: job.result, checkpoint: 0, isOwed: isCommitted }];
  const parts = job.checkpoints.map((each) => ({
    result: each as CommittedResult,
    checkpoint: each.number,
    isOwed: isRunning(job) && each.paid === undefined,
  }));
  return [...parts, ...last];
}
