import { type Hex, zeroAddress } from "viem";
import { TransactionFailedError } from "../../chain/transactions/errors.ts";
import { inBatches } from "./batches.ts";
import { type DutyContext, logRefusal, submitCall } from "./context.ts";
import type { LedgerRetrieval } from "./ledger.ts";
import { inOrder } from "./publisher.ts";

export type RetrievalEndsParts = DutyContext & {
  /** Whether challenges are closed, too, that can slash nobody any more: for whom they concern. */
  readonly closesVoid: boolean;
};

export type RetrievalTimes = {
  /** Present chain time. */
  readonly now: bigint;
  /** Chain seconds after which it is this operator's turn to move on what a bundle is asked for. */
  after(bundleId: Hex): bigint;
};

/**
 * Cells of one bundle whose timeouts are called at once. Only the first slash of a bundle is paid for, so that whoever asks itself
 * for thousands has few of them called; a holder that publishes only what is called has few gaps to do it in.
 */
const mostOfBundle = 16;

/** Milliseconds for which a challenge that can slash nobody is not looked at again: a reorganisation could bring its holder back. */
const voidPause = 600_000;

type Due = LedgerRetrieval & { readonly call: "callTimeout" | "slashFailed"; readonly isVoid: boolean };

const keyOf = ({ challengeId, call }: Due) =>
  `${call === "slashFailed" ? "retrieval-slash" : "retrieval-timeout"}:${challengeId}`;

/** Calls the timeouts of retrieval challenges and slashes, several at a time, one of each bundle first. */
export class RetrievalEnds {
  readonly #parts: RetrievalEndsParts;
  /** Challenges that can slash nobody, and when they are looked at again, in milliseconds of this process. */
  readonly #void = new Map<bigint, number>();

  constructor(parts: RetrievalEndsParts) {
    this.#parts = parts;
  }

  /**
   * Moves each challenge on of which the time has come. One that fails leaves the others be.
   * @param retrievals soonest deadline first
   */
  async tick(
    retrievals: readonly LedgerRetrieval[],
    times: RetrievalTimes,
    signal: AbortSignal,
  ): Promise<void> {
    const { log } = this.#parts;
    const open = new Set(retrievals.map(({ challengeId }) => challengeId));
    for (const challengeId of this.#void.keys()) if (!open.has(challengeId)) this.#void.delete(challengeId);
    const due = await this.#due(retrievals, times, signal);
    const ended = await inBatches(due, signal, {
      begin: (one) => this.#attempt(one, () => this.#send(one)),
      end: (one) => this.#attempt(one, () => this.#confirm(one)),
    });
    for (const { challengeId, bundleId, operator, call, isVoid } of ended) {
      const facts = { challengeId, bundleId, operator };
      if (isVoid) log.info(facts, "closed a retrieval challenge whose holder is gone");
      else if (call === "slashFailed") log.warn(facts, "a withheld cell was slashed");
      else log.info(facts, "timeout of a retrieval called");
    }
  }

  async #due(
    retrievals: readonly LedgerRetrieval[],
    times: RetrievalTimes,
    signal: AbortSignal,
  ): Promise<Due[]> {
    const looks = new BundleLooks(this.#parts);
    const called = new Map<Hex, number>();
    const slashed = new Set<Hex>();
    const due: Due[] = [];
    for (const retrieval of inOrder(retrievals)) {
      if (signal.aborted) break;
      const { challengeId, bundleId } = retrieval;
      if (performance.now() < (this.#void.get(challengeId) ?? 0)) continue;
      const count = called.get(bundleId) ?? 0;
      const found = await this.#look(retrieval, looks, times, count < mostOfBundle);
      if (found === "void") {
        this.#void.set(challengeId, performance.now() + voidPause);
        if (this.#parts.closesVoid) due.push({ ...retrieval, call: "slashFailed", isVoid: true });
        continue;
      }
      if (found === "none") continue;
      called.set(bundleId, count + 1);
      // With the first slash of a bundle its holder is gone.
      if (found === "waiting" || (found === "slashFailed" && slashed.has(bundleId))) continue;
      if (found === "slashFailed") slashed.add(bundleId);
      due.push({ ...retrieval, call: found, isVoid: false });
    }
    return due;
  }

  /**
   * What is to be done about a challenge: nothing; nothing yet, while its grace lasts or it is another's turn; or only to close it,
   * because it can slash nobody.
   * @param mayCall whether its timeout may be called, too, beside others of its bundle
   */
  async #look(
    { challengeId, bundleId, operator, isOwners, deadline }: LedgerRetrieval,
    looks: BundleLooks,
    { now, after }: RetrievalTimes,
    mayCall: boolean,
  ): Promise<Due["call"] | "none" | "void" | "waiting"> {
    const { RetrievalChallenges } = this.#parts.contracts;
    const holding = await looks.holding(bundleId);
    const isHolders = holding.operator.toLowerCase() === operator.toLowerCase();
    if (!isOwners && !isHolders) return "void";
    if (now <= deadline || !mayCall) return "none";
    const open = await RetrievalChallenges.read.challengeOf([challengeId]);
    if (open.challenger === zeroAddress) return "none";
    const isAnothers = !isOwners && holding.tenure !== open.tenure;
    if (isAnothers || (await looks.isOver(open.datasetId))) return "void";
    const isCalled = open.graceEnds !== 0n;
    if (now <= (isCalled ? open.graceEnds : open.deadline) + after(bundleId)) return "waiting";
    if (!isCalled) return "callTimeout";
    // What an owner leaves unanswered ends its job, and stays open as long as the dataset.
    return isOwners ? "waiting" : "slashFailed";
  }

  async #attempt(due: Due, work: () => Promise<void>): Promise<boolean> {
    const { log } = this.#parts;
    const { challengeId, bundleId } = due;
    try {
      await work();
      return true;
    } catch (error) {
      this.#void.delete(challengeId);
      const facts = { challengeId, bundleId };
      if (error instanceof TransactionFailedError) logRefusal(this.#parts, error, facts);
      else log.warn({ ...facts, reason: (error as Error).message }, "a retrieval challenge was not moved on");
      return false;
    }
  }

  #send(due: Due): Promise<void> {
    return submitCall(this.#parts, keyOf(due), "RetrievalChallenges", due.call, [due.challengeId]);
  }

  async #confirm(due: Due): Promise<void> {
    await this.#parts.queue.wait(keyOf(due));
  }
}

/** What several challenges have in common, read once for a tick. */
class BundleLooks {
  readonly #parts: DutyContext;
  readonly #holdings = new Map<Hex, Promise<{ operator: Hex; tenure: number }>>();
  readonly #over = new Map<Hex, Promise<boolean>>();

  constructor(parts: DutyContext) {
    this.#parts = parts;
  }

  holding(bundleId: Hex): Promise<{ operator: Hex; tenure: number }> {
    const known = this.#holdings.get(bundleId);
    const read = known ?? this.#parts.contracts.BundleRegistry.read.holdingOf([bundleId]);
    this.#holdings.set(bundleId, read);
    return read;
  }

  isOver(datasetId: Hex): Promise<boolean> {
    const read = this.#over.get(datasetId) ?? this.#parts.contracts.DatasetRegistry.read.isOver([datasetId]);
    this.#over.set(datasetId, read);
    return read;
  }
}
