import type { Hex } from "viem";
import { BlobNotFoundError, WrongBytesError } from "../../storage/backends/errors.ts";
import { agreedOn, agreedOrUsual } from "./agreement.ts";
import { chainTime, type DutyContext, type Reading, sendCall } from "./context.ts";
import { type LiveEpoch, liveEpochs } from "./epochs.ts";
import type { Ledger, LedgerHolding } from "./ledger.ts";
import type { Possession } from "./possession.ts";
import { type ProofWords, proofTag, toProofWords } from "./proof-words.ts";
import type { Shelf, ShelvedBundle } from "./shelf.ts";

export type AuditorParts = DutyContext & { ledger: Ledger; shelf: Shelf; possession: Possession };

/**
 * Milliseconds before an answer is tried again of which one endpoint says that it is not needed any more, and the others do not
 * agree: each costs a proof.
 */
const doubtPause = 600_000;

/** First epoch that nobody is audited for any more, and whether the endpoints agree on it where it keeps from answering. */
type PaidUntil = { readonly end: number; readonly isSure: boolean };

/** Status of a dataset that runs, as the registry numbers it. */
const active = 1;

/** What one proof is to answer for. */
type Task = Pick<LiveEpoch, "epoch" | "seed" | "closesAt"> & {
  /** Duty as the audit contract names it: the cover that is in charge, or the bundle. */
  duty: Hex;
  holding: LedgerHolding;
  work: { bundle: LedgerHolding } | { cover: Hex; bundles: ShelvedBundle[] };
};

/** Answers the audits of the bundles that this operator holds, the most urgent epoch first. */
export class Auditor {
  readonly #parts: AuditorParts;
  /** Covers with a bundle whose bytes are gone: their other bundles are answered for one by one. */
  readonly #broken = new Set<Hex>();
  /** Answers of which the endpoints agree that nothing is left to be done. */
  readonly #over = new Set<string>();
  /** Answers that were tried in doubt, and when they may be again, in milliseconds of this process. */
  readonly #doubted = new Map<string, number>();

  constructor(parts: AuditorParts) {
    this.#parts = parts;
  }

  /** Answers what is due now; gives the number of answers that were mined. A bundle that fails leaves the others be. */
  async tick(signal: AbortSignal): Promise<number> {
    const { ledger, operator, log } = this.#parts;
    const mine = ledger.holdingsOf(operator);
    if (mine.length === 0) return 0;
    const { value: epochs } = await agreedOrUsual(this.#parts, "the epochs that are audited", liveEpochs);
    this.#forgetAllBut(epochs);
    const ends = await this.#paidUntil(mine, epochs);
    let answered = 0;
    for (const live of epochs) {
      const { epoch } = live;
      const done = new Set<Hex>();
      for (const holding of mine) {
        if (signal.aborted) return answered;
        const { end, isSure } = ends.get(holding.datasetId)!;
        if (holding.since > epoch || (epoch >= end && isSure)) continue;
        const task = await this.#taskOf(holding, live);
        const name = "cover" in task.work ? task.work.cover : holding.bundleId;
        if (done.has(name)) continue;
        done.add(name);
        try {
          if (await this.#answer(name, task, epoch >= end, signal)) answered++;
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

  /** Until when each dataset is paid for. */
  async #paidUntil(
    holdings: readonly LedgerHolding[],
    live: readonly LiveEpoch[],
  ): Promise<Map<Hex, PaidUntil>> {
    const ends = new Map<Hex, PaidUntil>();
    for (const { datasetId } of holdings) {
      if (ends.has(datasetId)) continue;
      const endOf = async ({ contracts }: Reading) => {
        const [status, endEpoch] = await contracts.DatasetRegistry.read.termsOf([datasetId]);
        return status === active ? endEpoch : 0;
      };
      const end = await endOf(this.#parts);
      if (live.every(({ epoch }) => epoch < end)) ends.set(datasetId, { end, isSure: true });
      else {
        const agreed = await agreedOn(this.#parts, "the end of a dataset", endOf);
        ends.set(datasetId, { end: agreed ?? end, isSure: agreed !== undefined });
      }
    }
    return ends;
  }

  /** Lets go of what is known of epochs that are over. */
  #forgetAllBut(live: readonly LiveEpoch[]): void {
    const prefixes = live.map(({ epoch }) => prefixOf(epoch));
    for (const known of [this.#over, this.#doubted])
      for (const key of known.keys())
        if (!prefixes.some((prefix) => key.startsWith(prefix))) known.delete(key);
  }

  async #taskOf(holding: LedgerHolding, { epoch, seed, closesAt }: LiveEpoch): Promise<Task> {
    const duty = await this.#parts.contracts.BundleRegistry.read.dutyOf([holding.bundleId, epoch]);
    const bundles = duty === holding.bundleId ? undefined : this.#covered(duty, holding.bundleId);
    const work = bundles === undefined ? { bundle: holding } : { cover: duty, bundles };
    return { epoch, seed, closesAt, duty, holding, work };
  }

  async #answer(name: Hex, task: Task, isPastEnd: boolean, signal: AbortSignal): Promise<boolean> {
    const { queue, log } = this.#parts;
    const { epoch } = task;
    const prefix = `${prefixOf(epoch)}${name}:`;
    const pending = queue.pending().find(({ key }) => key.startsWith(prefix));
    if (pending !== undefined) {
      await queue.wait(pending.key);
      return true;
    }
    const needed = isPastEnd ? "doubtful" : await this.#isNeeded(prefix, name, task);
    if (needed === "no") return false;
    if (needed === "doubtful" && performance.now() < (this.#doubted.get(prefix) ?? 0)) return false;
    this.#doubted.set(prefix, performance.now() + doubtPause);

    const started = performance.now();
    if ("cover" in task.work) await this.#answerCover(prefix, task, task.work, signal);
    else if (!(await this.#answerBundle(prefix, task, task.work.bundle, signal))) return false;
    const seconds = (performance.now() - started) / 1000;
    log.info({ duty: name, epoch, seconds: Number(seconds.toFixed(2)) }, "audit answered");
    return true;
  }

  /** One endpoint that says so is enough for an answer to be given, and none alone keeps from it. */
  async #isNeeded(prefix: string, name: Hex, task: Task): Promise<"yes" | "no" | "doubtful"> {
    const { contracts, agreed } = this.#parts;
    if (!(await isOver(this.#parts, name, task, task.duty))) {
      this.#over.delete(prefix);
      return "yes";
    }
    if (agreed.contracts === contracts || this.#over.has(prefix)) return "no";
    const { bundleId } = task.holding;
    const isAgreed = await agreedOn(this.#parts, "whether an audit is to be answered", async (chain) => {
      const duty = await chain.contracts.BundleRegistry.read.dutyOf([bundleId, task.epoch]);
      return await isOver(chain, name, task, duty);
    });
    if (isAgreed !== true) return "doubtful";
    this.#over.add(prefix);
    return "no";
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

  /**
   * The bundles of the cover that is said to have a bundle, in the order of its registration; undefined when they cannot be
   * answered for together.
   */
  #covered(coverId: Hex, bundleId: Hex): ShelvedBundle[] | undefined {
    const { ledger, shelf } = this.#parts;
    if (this.#broken.has(coverId)) return undefined;
    const ids = ledger.coverBundles(coverId);
    if (ids?.includes(bundleId) !== true) return undefined;
    const bundles = ids.map((id) => shelf.byId(id));
    return bundles.every((bundle) => bundle !== undefined) ? bundles : undefined;
  }
}

const prefixOf = (epoch: number) => `answer:${epoch}:`;

/** Whether a duty was answered, or cannot be any more, as one look at the chain has it. */
async function isOver(
  { contracts, client }: Reading,
  name: Hex,
  { epoch, closesAt }: Task,
  duty: Hex,
): Promise<boolean> {
  for (const id of new Set([duty, name])) {
    if (await contracts.StorageAudit.read.isAnswered([id, epoch])) return true;
  }
  const graceEnds = await contracts.StorageAudit.read.graceEndsAt([duty, epoch]);
  const now = await chainTime(client);
  // Between the window's end and a called timeout there is nothing to be sent, but the timeout may still come.
  return now >= closesAt && now >= graceEnds;
}
