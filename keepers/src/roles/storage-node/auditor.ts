import type { Hex } from "viem";
import { BlobNotFoundError, WrongBytesError } from "../../storage/backends/errors.ts";
import { SharedLooks } from "./agreement.ts";
import { chainTime, type DutyContext, type Reading, sendCall } from "./context.ts";
import { type LiveEpoch, liveEpochs } from "./epochs.ts";
import type { Ledger, LedgerHolding } from "./ledger.ts";
import type { Possession } from "./possession.ts";
import { type ProofWords, proofTag, toProofWords } from "./proof-words.ts";
import type { Shelf, ShelvedBundle } from "./shelf.ts";

export type AuditorParts = DutyContext & { ledger: Ledger; shelf: Shelf; possession: Possession };

/** Milliseconds before an answer in doubt is tried again: each costs a proof. */
const pauses = { divided: 600_000, silent: 3_600_000 };
/** Milliseconds after which a tick begins no more answers in doubt: what has become due meanwhile comes first. */
const doubtTime = 60_000;

/**
 * What is to be done about a duty. Where one endpoint says that it is over, the others decide:
 *
 * - `over`: they agree. Nothing is done.
 * - `divided`: one contradicts it, so that one of them lies. It is answered, again and again with a pause.
 * - `silent`: too few answer to say. Mostly an endpoint is just down, and proofs again and again would be for nothing: what this
 *   process has seen mined is left until they are back. While the others are really down nothing is lost by that, because an
 *   answer could only go through the one that says that it is over, and a liar would not pass it on. But who lies can also make
 *   another one fail for a moment, by what it is asked. So what this process has not answered is answered, through all of them,
 *   with a long pause before it is tried again.
 */
type Need = "due" | "sent" | "divided" | "silent" | "over";

/** Duties that are surely open come first; then those whose answers are only waited for, and last those in doubt. */
const turns: Readonly<Record<Need, number>> = { due: 0, sent: 1, divided: 2, silent: 2, over: 3 };

/** First epoch that nobody is audited for any more, and what others say of it where it keeps from answering. */
type PaidUntil = { readonly end: number; readonly need: Exclude<Need, "due" | "sent"> };

/** Status of a dataset that runs, as the registry numbers it. */
const active = 1;

/** What one proof is to answer for. */
type Task = Pick<LiveEpoch, "epoch" | "seed" | "closesAt"> & {
  /** What its transactions and proofs are known by: the duty, or the cover that it is answered for with. */
  name: Hex;
  /** Duty as the audit contract names it: the cover that is in charge, or the bundle. */
  duty: Hex;
  holding: LedgerHolding;
  work: { bundle: LedgerHolding } | { cover: Hex; bundles: ShelvedBundle[] };
};

/** A duty with what is to be done about it, and until when in chain seconds. */
type Duty = { task: Task; need: Need; deadline: bigint };

/** Answers the audits of the bundles that this operator holds: what is surely due before what is in doubt, the most urgent first. */
export class Auditor {
  readonly #parts: AuditorParts;
  /** Covers with a bundle whose bytes are gone: their other bundles are answered for one by one. */
  readonly #broken = new Set<Hex>();
  /** Answers of which the endpoints agree that nothing is left to be done. */
  readonly #over = new Set<string>();
  /** When answers were last tried, in milliseconds of this process. */
  readonly #tried = new Map<string, number>();

  /** Answers of this process that were mined, as far as it was told. */
  readonly #mined = new Set<string>();

  constructor(parts: AuditorParts) {
    this.#parts = parts;
  }

  /** Answers what is due now; gives the number of answers that were mined. A bundle that fails leaves the others be. */
  async tick(signal: AbortSignal): Promise<number> {
    const { ledger, operator } = this.#parts;
    const mine = ledger.holdingsOf(operator);
    if (mine.length === 0) return 0;
    const looks = new SharedLooks(this.#parts);
    const agreement = await looks.on("the epochs that are audited", liveEpochs);
    const epochs = agreement.kind === "agreed" ? agreement.value : await liveEpochs(this.#parts);
    this.#forgetAllBut(epochs);
    const duties = await this.#dutiesOf(mine, epochs, looks, signal);
    duties.sort((a, b) => turns[a.need] - turns[b.need] || Number(a.deadline - b.deadline));
    let answered = 0;
    let doubtEnds: number | undefined;
    for (const { task, need } of duties) {
      if (signal.aborted) return answered;
      if (need === "divided" || need === "silent") {
        doubtEnds ??= performance.now() + doubtTime;
        if (performance.now() >= doubtEnds) break;
      }
      const act = async () => {
        // Proofs take long, and the window may be over now.
        const now = need === "due" ? (await this.#look(task, undefined, looks)).need : need;
        return await this.#answer(task, now, signal);
      };
      const isAnswered = await this.#leavingOthers(task, signal, act);
      if (isAnswered === true) answered++;
    }
    return answered;
  }

  /** The duties about which something is to be done, each once. */
  async #dutiesOf(
    mine: readonly LedgerHolding[],
    epochs: readonly LiveEpoch[],
    looks: SharedLooks,
    signal: AbortSignal,
  ): Promise<Duty[]> {
    const ends = await this.#paidUntil(mine, epochs, looks);
    const duties: Duty[] = [];
    for (const live of epochs) {
      const { epoch } = live;
      const seen = new Set<Hex>();
      for (const holding of mine) {
        if (signal.aborted) return duties;
        const paid = ends.get(holding.datasetId);
        if (paid === undefined) continue;
        const { end, need } = paid;
        const isPastEnd = epoch >= end;
        if (holding.since > epoch || (isPastEnd && need === "over")) continue;
        const unread = { work: { bundle: holding }, name: holding.bundleId, epoch };
        const task = await this.#leavingOthers(unread, signal, () => this.#taskOf(holding, live));
        if (task === undefined || seen.has(task.name)) continue;
        seen.add(task.name);
        const duty = await this.#leavingOthers(task, signal, () =>
          this.#look(task, isPastEnd && need !== "over" ? need : undefined, looks),
        );
        if (duty !== undefined && duty.need !== "over") duties.push(duty);
      }
    }
    return duties;
  }

  /** Does something about one duty; what fails is noted, and leaves the others be. */
  async #leavingOthers<T>(
    { work, name, epoch }: Pick<Task, "work" | "name" | "epoch">,
    signal: AbortSignal,
    act: () => Promise<T>,
  ): Promise<T | undefined> {
    try {
      return await act();
    } catch (error) {
      if (signal.aborted) return undefined;
      const gone = error instanceof BlobNotFoundError || error instanceof WrongBytesError;
      if (gone && "cover" in work) this.#broken.add(work.cover);
      const reason = (error as Error).message;
      this.#parts.log.error({ duty: name, epoch, reason }, "an audit was not answered");
      return undefined;
    }
  }

  /** Until when each dataset is paid for; one of which nothing can be read is left out. */
  async #paidUntil(
    holdings: readonly LedgerHolding[],
    live: readonly LiveEpoch[],
    looks: SharedLooks,
  ): Promise<Map<Hex, PaidUntil>> {
    const ends = new Map<Hex, PaidUntil>();
    for (const { datasetId } of holdings) {
      if (ends.has(datasetId)) continue;
      const endOf = async ({ contracts }: Reading) => {
        const [status, endEpoch] = await contracts.DatasetRegistry.read.termsOf([datasetId]);
        return status === active ? endEpoch : 0;
      };
      try {
        ends.set(datasetId, await this.#endOf(live, looks, endOf));
      } catch (error) {
        const reason = (error as Error).message;
        this.#parts.log.error({ datasetId, reason }, "the end of a dataset could not be read");
      }
    }
    return ends;
  }

  async #endOf(
    live: readonly LiveEpoch[],
    looks: SharedLooks,
    endOf: (chain: Reading) => Promise<number>,
  ): Promise<PaidUntil> {
    // What one endpoint says is enough to go on; where it says nothing that can be read, the others are asked.
    const end = await endOf(this.#parts).catch(() => 0);
    if (live.every(({ epoch }) => epoch < end)) return { end, need: "over" };
    const agreement = await looks.on("the end of a dataset", endOf);
    return agreement.kind === "agreed"
      ? { end: agreement.value, need: "over" }
      : { end, need: agreement.kind };
  }

  /** Lets go of what is known of epochs that are over. */
  #forgetAllBut(live: readonly LiveEpoch[]): void {
    const prefixes = live.map(({ epoch }) => `answer:${epoch}:`);
    for (const known of [this.#over, this.#tried, this.#mined])
      for (const key of known.keys())
        if (!prefixes.some((prefix) => key.startsWith(prefix))) known.delete(key);
  }

  async #taskOf(holding: LedgerHolding, { epoch, seed, closesAt }: LiveEpoch): Promise<Task> {
    const { contracts, agreed } = this.#parts;
    const dutyIn = (chain: Reading) => chain.contracts.BundleRegistry.read.dutyOf([holding.bundleId, epoch]);
    const duty = await dutyIn(this.#parts).catch((error: unknown) => {
      if (agreed.contracts === contracts) throw error;
      return dutyIn(agreed);
    });
    const bundles = duty === holding.bundleId ? undefined : this.#covered(duty, holding.bundleId);
    const work = bundles === undefined ? { bundle: holding } : { cover: duty, bundles };
    const name = bundles === undefined ? holding.bundleId : duty;
    return { epoch, seed, closesAt, name, duty, holding, work };
  }

  /** @param pastEnd what is to be done about it because its dataset is said not to be paid for any more */
  async #look(task: Task, pastEnd: "divided" | "silent" | undefined, looks: SharedLooks): Promise<Duty> {
    const { contracts, agreed } = this.#parts;
    const { epoch, closesAt, duty, holding } = task;
    const prefix = prefixOf(task);
    if (this.#pendingOf(task) !== undefined) return { task, need: "sent", deadline: closesAt };
    if (pastEnd !== undefined) return { task, need: pastEnd, deadline: closesAt };
    const deadline = await openUntil(this.#parts, task, duty);
    // One endpoint that says so is enough for an answer to be given, and none alone keeps from it.
    if (deadline !== undefined) {
      this.#over.delete(prefix);
      return { task, need: "due", deadline };
    }
    const decided = (need: Need): Duty => ({ task, need, deadline: closesAt });
    if (agreed.contracts === contracts || this.#over.has(prefix)) return decided("over");
    const agreement = await looks.on("whether an audit is to be answered", async (chain) => {
      const named = await chain.contracts.BundleRegistry.read.dutyOf([holding.bundleId, epoch]);
      return (await openUntil(chain, task, named)) === undefined;
    });
    if (agreement.kind !== "agreed") return decided(agreement.kind);
    // The one that is asked first contradicts them all.
    if (!agreement.value) return decided("divided");
    this.#over.add(prefix);
    return decided("over");
  }

  #pendingOf(task: Task): string | undefined {
    return this.#parts.queue.pending().find(({ key }) => key.startsWith(prefixOf(task)))?.key;
  }

  async #answer(task: Task, need: Need, signal: AbortSignal): Promise<boolean> {
    const { queue, log } = this.#parts;
    const { name: duty, epoch } = task;
    const prefix = prefixOf(task);
    const pending = this.#pendingOf(task);
    if (pending !== undefined) {
      await queue.wait(pending);
      this.#mined.add(prefix);
      return true;
    }
    if (need === "over" || (need === "silent" && this.#mined.has(prefix))) return false;
    const tried = this.#tried.get(prefix);
    const isInDoubt = need === "divided" || need === "silent";
    if (isInDoubt && tried !== undefined && performance.now() < tried + pauses[need]) return false;
    this.#tried.set(prefix, performance.now());

    const started = performance.now();
    if ("cover" in task.work) await this.#answerCover(prefix, task, task.work, signal);
    else if (!(await this.#answerBundle(prefix, task, task.work.bundle, signal))) return false;
    this.#mined.add(prefix);
    const seconds = (performance.now() - started) / 1000;
    log.info({ duty, epoch, seconds: Number(seconds.toFixed(2)) }, "audit answered");
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

const prefixOf = ({ epoch, name }: Task) => `answer:${epoch}:${name}:`;

/** Until when a duty can be answered, in chain seconds; undefined when it was, or cannot be any more, as one look has it. */
async function openUntil(
  { contracts, client }: Reading,
  { epoch, closesAt, name }: Task,
  duty: Hex,
): Promise<bigint | undefined> {
  for (const id of new Set([duty, name])) {
    if (await contracts.StorageAudit.read.isAnswered([id, epoch])) return undefined;
  }
  const graceEnds = await contracts.StorageAudit.read.graceEndsAt([duty, epoch]);
  const until = graceEnds > closesAt ? graceEnds : closesAt;
  // Between the window's end and a called timeout there is nothing to be sent, but the timeout may still come.
  return (await chainTime(client)) < until ? until : undefined;
}
