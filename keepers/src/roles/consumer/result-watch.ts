import { formatEther, type Hex } from "viem";
import { cellsToAsk, type Probe, type ProbeClient, probe } from "../../storage/client/probe.ts";
import type { BundleStash } from "../../storage/client/stash.ts";
import type { Duty, JobContext } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import { showEncodingFraud } from "../jobs/encoding-fraud.ts";
import { defaultFetchTime } from "../jobs/fetch-time.ts";
import { inTime } from "../jobs/in-time.ts";
import type { CommittedResult, JobRecord } from "../jobs/job-record.ts";
import { type AskedBefore, RetrievalChallenger } from "../jobs/retrieval-challenger.ts";
import { SideBySide } from "../jobs/side-by-side.ts";
import { isSurely } from "../storage-node/agreement.ts";
import { chainTime } from "../storage-node/context.ts";

/** What a consumer is told of a result. */
export type ResultNews = {
  readonly jobId: bigint;
  readonly resultId: Hex;
  /**
   * It can be had; cells of it were asked for on chain; they cannot be, for want of bonds or of time; it is no encoding of anything, and
   * is not paid for.
   */
  readonly kind: "served" | "asked" | "spent" | "late" | "slow" | "fraudulent";
  /** Cells that were asked for. */
  readonly cells: number;
  /** Wei that went with them. */
  readonly bonds: bigint;
  /** All of it in words. */
  readonly text: string;
};

export type ResultWatchOptions = {
  readonly storage: ProbeClient;
  /** Keeps results that were fetched: who has served one until it was paid for need not serve it afterwards. */
  readonly kept?: {
    stash(resultId: Hex, bytes: number): Promise<BundleStash | undefined>;
    /** Keeps the manifest, which nobody can be made to serve, or fails. */
    manifest(resultId: Hex, signal: AbortSignal): Promise<void>;
  };
  /** Most wei that are out with challenges about one result, or were spent on publications. */
  readonly mostBonds: bigint;
  /** Seconds for which a result may take to arrive; 1,800 by default. */
  readonly fetchTime?: number;
  /** Milliseconds between two looks at challenges that are open; 30 seconds by default. */
  readonly every?: number;
  /** Milliseconds between two looks at a result that cannot be had and of which nothing can be asked; 10 minutes by default. */
  readonly pause?: number;
  /** Milliseconds for which a round waits for looks that are under way; 2 seconds by default. */
  readonly patience?: number;
  /** Is told what was found, once for each change. */
  readonly onNews?: (news: ResultNews) => void;
};

export type ResultWatchParts = JobContext &
  ResultWatchOptions & { readonly jobs: () => readonly JobRecord[] };

/** Results that are looked at side by side: each may have k bundles and one more in memory. */
const mostLooks = 4;
/** Milliseconds between two looks at a result that cannot be had. */
const usualPause = 600_000;

/** A result that is owed: the last one, or a checkpoint's. */
type Owed = Pick<CommittedResult, "resultId"> & {
  readonly jobId: bigint;
  /** Last second of the grace of the time to challenge, once its timeout was called. */
  readonly graceEnds: bigint | undefined;
};

/** Whether a challenge that is made now keeps the result from being paid no longer (`IJobRules.requirePayable`). */
export function isTooLateToAsk(
  parts: Pick<JobContext, "agreed" | "client" | "contracts" | "log">,
  { resultId, graceEnds }: Pick<Owed, "resultId" | "graceEnds">,
): Promise<boolean> {
  return isSurely(parts, "whether it is too late to ask for a result", async ({ contracts, client }) => {
    if (graceEnds === undefined) return false;
    const [isRetrievable, , filledAt] = await contracts.DatasetRegistry.read.availabilityOf([resultId]);
    // It is not paid for before others hold it, who can be asked then.
    if (!isRetrievable) return false;
    const { read } = contracts.RetrievalChallenges;
    const [[window, grace], failedAt] = await Promise.all([read.deadlines(), read.failedAt([resultId])]);
    const now = await chainTime(client);
    const changedAt = Math.max(filledAt, Number(failedAt));
    return now > graceEnds && now > BigInt(changedAt + window + grace);
  });
}

/**
 * Fetches each result that a consumer is to pay for, once. One that is held and not served is asked for on chain, so that its
 * holders publish it or are put out; until then nobody is paid. A consumer that errs, because its own network is broken, pays for
 * publications and delays nothing for longer than they take.
 */
export class ResultWatch implements Duty {
  readonly name = "fetching results";
  readonly #parts: ResultWatchParts;
  readonly #challenger: RetrievalChallenger;
  /** Holders that serve slowly must not keep the results of others from being asked for in time. */
  readonly #works: SideBySide<Hex>;
  /** How often results were looked at, and those that could be had, or were shown to be no encoding of anything. */
  readonly #looked = new Map<Hex, number>();
  readonly #decided = new Set<Hex>();
  /** Results of which it is known whether they can be had. */
  readonly #known = new Set<Hex>();
  /** Results whose challenges of an earlier process are known. */
  readonly #wasRead = new Set<Hex>();
  /** Challenges of this account that are open, as they stood at the last look. */
  readonly #asked = new Map<Hex, AskedBefore>();
  /** When the next look is due, and the next at open challenges, in milliseconds of this process. */
  readonly #next = new Map<Hex, number>();
  readonly #nextEnd = new Map<Hex, number>();
  /**
   * When a bundle was last placed, or a holder last put out for a cell, as it stood at the last look: whoever owes it now can be asked
   * for so long only.
   */
  readonly #changedAt = new Map<Hex, number>();
  readonly #told = new Map<Hex, ResultNews["kind"]>();
  /** Results that could not be kept, and of which that was said. */
  readonly #notKept = new Set<Hex>();

  constructor(parts: ResultWatchParts) {
    this.#parts = parts;
    this.#challenger = new RetrievalChallenger(parts, { asksOwner: true });
    this.#works = new SideBySide({ most: mostLooks, patience: parts.patience });
  }

  async tick(signal: AbortSignal): Promise<void> {
    const owed = this.#parts.jobs().flatMap(owedOf);
    // What has a deadline on chain waits for nobody's answers.
    await forEach(owed, ({ resultId }) => this.#end(resultId, signal));
    const due: Owed[] = [];
    await forEach(owed, async (each) => {
      if (await this.#isDue(each.resultId)) due.push(each);
    });
    // What was looked at least often comes first: its holders choose how long a look takes.
    due.sort((a, b) => this.#looksAt(a) - this.#looksAt(b));
    for (const each of due) this.#works.begin(each.resultId, () => this.#look(each, signal));
    await this.#works.look();
  }

  /** The signal of the last look has ended what is under way. */
  close(): Promise<void> {
    return this.#works.settled();
  }

  /**
   * Whether a look since this process has begun has shown that a result can be had, or cannot: before, its consumer lets nobody be
   * paid by its own hand.
   */
  hasLooked(resultId: Hex): boolean {
    return this.#known.has(resultId);
  }

  #looksAt({ resultId }: Owed): number {
    return this.#looked.get(resultId) ?? 0;
  }

  /**
   * A result that is waited for is looked at again when a bundle was placed, or a holder put out, whatever else is still open: whoever
   * took it over, or the owner, can be asked, too.
   */
  async #isDue(resultId: Hex): Promise<boolean> {
    if (this.#decided.has(resultId) || performance.now() < (this.#next.get(resultId) ?? 0)) return false;
    if (!this.#asked.has(resultId)) return true;
    return (await this.#changeOf(resultId)) !== this.#changedAt.get(resultId);
  }

  async #changeOf(resultId: Hex): Promise<number> {
    const { DatasetRegistry, RetrievalChallenges } = this.#parts.contracts;
    const [[, , filledAt], failedAt] = await Promise.all([
      DatasetRegistry.read.availabilityOf([resultId]),
      RetrievalChallenges.read.failedAt([resultId]),
    ]);
    return Math.max(filledAt, Number(failedAt));
  }

  /** What fails at one result, again and again, must not keep the others from being looked at. */
  async #look(owed: Owed, signal: AbortSignal): Promise<void> {
    const { pause = usualPause } = this.#parts;
    const looked = this.#looksAt(owed);
    try {
      await this.#lookAt(owed, signal);
    } catch (error) {
      this.#looked.set(owed.resultId, looked + 1);
      this.#next.set(owed.resultId, performance.now() + pause);
      throw error;
    }
  }

  async #lookAt(owed: Owed, signal: AbortSignal): Promise<void> {
    const { storage, kept, log, fetchTime = defaultFetchTime, pause = usualPause } = this.#parts;
    const { jobId, resultId } = owed;
    let notKept: string | undefined;
    const changedAt = await this.#changeOf(resultId);
    const found = await probe(storage, {
      datasetId: resultId,
      mostSegments: Number.POSITIVE_INFINITY,
      seconds: fetchTime,
      asksOwner: true,
      keep: kept && ((bytes) => kept.stash(resultId, bytes)),
      onNotKept: (reason) => {
        notKept = reason;
        // Another look at the same result would say the same again.
        if (!this.#notKept.has(resultId)) log.warn({ jobId, resultId, reason }, "a result is not kept here");
        this.#notKept.add(resultId);
      },
      signal,
    });
    this.#changedAt.set(resultId, changedAt);
    this.#looked.set(resultId, this.#looksAt(owed) + 1);
    if (found.fraud !== undefined) {
      // Until it is shown it could be paid for: it counts as known only then.
      if (await showEncodingFraud(this.#parts, found.fraud)) {
        this.#known.add(resultId);
        this.#decided.add(resultId);
      } else {
        // What an earlier look has asked for may have been answered: nothing else holds the payment up then.
        this.#known.delete(resultId);
        this.#next.set(resultId, performance.now() + pause);
      }
      const text =
        "its result is wrongly encoded, which anybody can show to the contracts: it is not paid for then";
      this.#tell({ ...owed, kind: "fraudulent", cells: 0, bonds: 0n, text });
      return;
    }
    if (found.unreadable.length === 0 && found.looked < found.segments) {
      const text = `${missing(found)}. Nobody has refused it: it is looked at again`;
      this.#tell({ ...owed, kind: "slow", cells: 0, bonds: 0n, text });
      this.#next.set(resultId, performance.now() + pause);
      return;
    }
    if (found.unreadable.length === 0) {
      this.#decided.add(resultId);
      const text =
        notKept === undefined
          ? await this.#keepManifest(resultId, signal)
          : `its result can be fetched; it is not kept here (${notKept})`;
      this.#tell({ ...owed, kind: "served", cells: 0, bonds: 0n, text });
    } else if (!(await this.#ask(owed, found, signal))) {
      this.#next.set(resultId, performance.now() + pause);
    }
    this.#known.add(resultId);
  }

  /** What is to be said of a result that was served. */
  async #keepManifest(resultId: Hex, signal: AbortSignal): Promise<string> {
    const { kept, fetchTime: seconds = defaultFetchTime } = this.#parts;
    if (kept === undefined) return "its result can be fetched";
    let reason = "";
    const isKept = await inTime(
      async (stop) => {
        await kept.manifest(resultId, stop);
        return {};
      },
      { seconds, signal, onNothing: (why) => (reason = why) },
    );
    if (isKept !== undefined) return "its result was fetched; `assay job fetch` reads what is kept here";
    return `its result was fetched and is kept here, but for its manifest, which nobody can be made to serve (${reason})`;
  }

  /** Brings this account's challenges of a result to an end, as far as their time has come, also those of an earlier process. */
  async #end(resultId: Hex, signal: AbortSignal): Promise<void> {
    const { every = 30_000 } = this.#parts;
    if (performance.now() < (this.#nextEnd.get(resultId) ?? 0)) return;
    const before = this.#asked.get(resultId);
    let asked = before;
    if (asked !== undefined) asked = await this.#challenger.again(asked);
    else if (!this.#wasRead.has(resultId)) {
      const isUnasked = await isSurely(this.#parts, "whether nothing is asked of a result", async (chain) => {
        return (await chain.contracts.RetrievalChallenges.read.askedSince([resultId])) === 0n;
      });
      if (!isUnasked) asked = await this.#challenger.askedOf(resultId);
      this.#wasRead.add(resultId);
    }
    if (asked === undefined) return;
    this.#nextEnd.set(resultId, performance.now() + every);
    await this.#challenger.end(resultId, asked, signal);
    // A look that was under way may have asked for more.
    if (this.#asked.get(resultId) !== before) return;
    if (asked.open.length === 0) this.#asked.delete(resultId);
    else this.#asked.set(resultId, asked);
  }

  /** Asks for what is not served, as far as bonds go. Says whether anything was asked for. */
  async #ask(owed: Owed, found: Probe, signal: AbortSignal): Promise<boolean> {
    const { mostBonds, log } = this.#parts;
    const { jobId, resultId } = owed;
    const what = missing(found);
    const none = { ...owed, cells: 0, bonds: 0n };
    if (await isTooLateToAsk(this.#parts, owed)) {
      this.#tell({ ...none, kind: "late", text: `${what}. It is too late to ask for it before it is paid` });
      return false;
    }
    const before = await this.#challenger.askedOf(resultId);
    const bond = await this.#challenger.bond();
    const most = Math.max(0, Number(mostBonds / bond) - before.bound);
    const cells = cellsToAsk(found, { most, ...before });
    if (cells.length === 0) {
      const text = `${what}. Nothing more is asked for: ${
        most === 0
          ? `${formatEther(mostBonds)} in bonds is the most for a result (--max-challenge-bonds)`
          : "every cell of the bundles that were refused is asked for, or on chain"
      }`;
      this.#tell({ ...none, kind: "spent", text });
      return false;
    }
    const asked = await this.#challenger.ask(cells, before, signal);
    const bonds = BigInt(asked.length) * bond;
    log.warn({ jobId, resultId, cells: asked.length, bonds }, "asked for a result that is not served");
    if (asked.length === 0) return false;
    this.#asked.set(resultId, await this.#challenger.askedOf(resultId));
    const text =
      `${what}. Those who owe it are asked on chain for ${asked.length} cells: ${formatEther(bonds)} in bonds. ` +
      "Whoever publishes takes the cost of it from the bond; the rest comes back. Whoever does not is slashed. Nobody is paid until then";
    this.#told.delete(resultId);
    this.#tell({ ...none, kind: "asked", cells: asked.length, bonds, text });
    return true;
  }

  #tell({ jobId, resultId, kind, cells, bonds, text }: Owed & ResultNews): void {
    if (this.#told.get(resultId) === kind) return;
    this.#told.set(resultId, kind);
    this.#parts.onNews?.({ jobId, resultId, kind, cells, bonds, text });
  }
}

function owedOf({ jobId, status, result, graceEnds, checkpoints }: JobRecord): Owed[] {
  const isCommitted = status === "Committed" || status === "Attested";
  const last = isCommitted && result !== undefined ? [{ jobId, resultId: result.resultId, graceEnds }] : [];
  const isRunning = isCommitted || status === "Training";
  const parts = checkpoints.filter(({ paid }) => isRunning && paid === undefined);
  return [...parts.map((each) => ({ jobId, resultId: each.resultId, graceEnds: each.graceEnds })), ...last];
}

function missing({ n, k, segments, looked, unreadable }: Probe): string {
  const held = unreadable.flatMap(({ unserved }) => unserved);
  if (unreadable.length === 0) return `only ${looked} of ${segments} segments of its result came in time`;
  const reason = held.length === 0 ? "nobody holds them" : `the first of them: ${held[0]!.reason}`;
  const isOther = unreadable.some(({ served }) => served >= k);
  const want = isOther ? "data bundles that the others do not give" : `${k} of ${n} bundles`;
  return `${unreadable.length} of ${segments} segments of its result cannot be read, for want of ${want} (${reason})`;
}
