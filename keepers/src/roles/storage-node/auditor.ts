import type { Hex } from "viem";
import { BlobNotFoundError, WrongBytesError } from "../../storage/backends/errors.ts";
import { chainTime, type DutyContext, sendCall } from "./context.ts";
import { type LiveEpoch, liveEpochs } from "./epochs.ts";
import type { Ledger, LedgerHolding } from "./ledger.ts";
import type { Possession } from "./possession.ts";
import { type ProofWords, proofTag, toProofWords } from "./proof-words.ts";
import type { Shelf, ShelvedBundle } from "./shelf.ts";

export type AuditorParts = DutyContext & { ledger: Ledger; shelf: Shelf; possession: Possession };

/** Status of a dataset that runs, as the registry numbers it. */
const active = 1;

/** What one proof is to answer for. */
type Task = Pick<LiveEpoch, "epoch" | "seed" | "closesAt"> & {
  /** Duty as the audit contract names it: the cover that is in charge, or the bundle. */
  duty: Hex;
  work: { bundle: LedgerHolding } | { cover: Hex; bundles: ShelvedBundle[] };
};

/** Answers the audits of the bundles that this operator holds, the most urgent epoch first. */
export class Auditor {
  readonly #parts: AuditorParts;
  /** Covers with a bundle whose bytes are gone: their other bundles are answered for one by one. */
  readonly #broken = new Set<Hex>();

  constructor(parts: AuditorParts) {
    this.#parts = parts;
  }

  /** Answers what is due now; gives the number of answers that were mined. A bundle that fails leaves the others be. */
  async tick(signal: AbortSignal): Promise<number> {
    const { ledger, operator, log } = this.#parts;
    const mine = ledger.holdingsOf(operator);
    if (mine.length === 0) return 0;
    const ends = await this.#paidUntil(mine);
    let answered = 0;
    for (const live of await liveEpochs(this.#parts)) {
      const { epoch } = live;
      const done = new Set<Hex>();
      for (const holding of mine) {
        if (signal.aborted) return answered;
        if (holding.since > epoch || epoch >= ends.get(holding.datasetId)!) continue;
        const task = await this.#taskOf(holding, live);
        const name = "cover" in task.work ? task.work.cover : holding.bundleId;
        if (done.has(name)) continue;
        done.add(name);
        try {
          if (await this.#answer(name, task, signal)) answered++;
        } catch (error) {
          if (signal.aborted) return answered;
          const gone = error instanceof BlobNotFoundError || error instanceof WrongBytesError;
          if (gone && "cover" in task.work) this.#broken.add(task.work.cover);
          log.error({ duty: name, epoch, reason: (error as Error).message }, "an audit was not answered");
        }
      }
    }
    return answered;
  }

  /** First epoch of each dataset that nobody is audited for any more. */
  async #paidUntil(holdings: readonly LedgerHolding[]): Promise<Map<Hex, number>> {
    const ends = new Map<Hex, number>();
    for (const { datasetId } of holdings) {
      if (ends.has(datasetId)) continue;
      const [status, endEpoch] = await this.#parts.contracts.DatasetRegistry.read.termsOf([datasetId]);
      ends.set(datasetId, status === active ? endEpoch : 0);
    }
    return ends;
  }

  async #taskOf(holding: LedgerHolding, { epoch, seed, closesAt }: LiveEpoch): Promise<Task> {
    const duty = await this.#parts.contracts.BundleRegistry.read.dutyOf([holding.bundleId, epoch]);
    const bundles = duty === holding.bundleId ? undefined : this.#covered(duty);
    const work = bundles === undefined ? { bundle: holding } : { cover: duty, bundles };
    return { epoch, seed, closesAt, duty, work };
  }

  async #answer(name: Hex, task: Task, signal: AbortSignal): Promise<boolean> {
    const { contracts, client, queue, log } = this.#parts;
    const { epoch, duty, closesAt } = task;
    const prefix = `answer:${epoch}:${name}:`;
    const pending = queue.pending().find(({ key }) => key.startsWith(prefix));
    if (pending !== undefined) {
      await queue.wait(pending.key);
      return true;
    }
    for (const id of new Set([duty, name])) {
      if (await contracts.StorageAudit.read.isAnswered([id, epoch])) return false;
    }
    const graceEnds = await contracts.StorageAudit.read.graceEndsAt([duty, epoch]);
    const now = await chainTime(client);
    // Between the window's end and a called timeout there is nothing to be sent, but the timeout may still come.
    if (now >= closesAt && now >= graceEnds) return false;

    const started = performance.now();
    if ("cover" in task.work) await this.#answerCover(prefix, task, task.work, signal);
    else if (!(await this.#answerBundle(prefix, task, task.work.bundle, signal))) return false;
    const seconds = (performance.now() - started) / 1000;
    log.info({ duty: name, epoch, seconds: Number(seconds.toFixed(2)) }, "audit answered");
    return true;
  }

  async #answerBundle(
    prefix: string,
    { seed, epoch }: Task,
    { bundleId }: LedgerHolding,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { shelf, possession, log } = this.#parts;
    const bundle = shelf.byId(bundleId);
    if (bundle === undefined) {
      log.error({ bundleId, epoch }, "a bundle that this operator holds is not here");
      return false;
    }
    const { proof, evaluation } = await possession.proveBundle(bundle, seed, BigInt(epoch), signal);
    const words: ProofWords = toProofWords(proof);
    const args = [bundleId, epoch, evaluation, words] as const;
    await sendCall(this.#parts, prefix + proofTag(proof), "StorageAudit", "answer", args);
    return true;
  }

  async #answerCover(
    prefix: string,
    { seed, epoch }: Task,
    { cover, bundles }: { cover: Hex; bundles: ShelvedBundle[] },
    signal: AbortSignal,
  ): Promise<void> {
    const { possession } = this.#parts;
    const { proof, evaluation } = await possession.proveCover(cover, bundles, seed, BigInt(epoch), signal);
    const cells: Hex = `0x${bundles.map((bundle) => bundle.cells.toString(16).padStart(4, "0")).join("")}`;
    const args = [cover, epoch, evaluation, cells, toProofWords(proof)] as const;
    await sendCall(this.#parts, prefix + proofTag(proof), "StorageAudit", "answerCover", args);
  }

  /** The bundles of a cover in the order of its registration; undefined when they cannot be answered for together. */
  #covered(coverId: Hex): ShelvedBundle[] | undefined {
    const { ledger, shelf } = this.#parts;
    if (this.#broken.has(coverId)) return undefined;
    const bundles = ledger.coverBundles(coverId)?.map((id) => shelf.byId(id));
    return bundles?.every((bundle) => bundle !== undefined) ? bundles : undefined;
  }
}
