import { join } from "node:path";
import { BadInputError } from "../../core/errors.ts";
import { traceLength } from "../../core/exact/commitment.ts";
import { decodeOrder } from "../../core/exact/decode-order.ts";
import type { TrainingOrder } from "../../core/exact/order.ts";
import { claimIdOf, claimNameOf } from "../../core/market/instalments.ts";
import { FolderRun } from "../../training/dispute/claimed-run.ts";
import { arePublished, challengeOf, openingMove } from "../../training/dispute/find-interval.ts";
import { findMislabelled } from "../../training/dispute/mislabelled-player.ts";
import { claimedPart } from "../../training/dispute/prefix-run.ts";
import { findResumption } from "../../training/trainer/progress.ts";
import type { CellQuestions } from "../jobs/cell-questions.ts";
import { turnOf } from "../jobs/challenge-record.ts";
import type { ComputeParts, Duty, FetchParts, JobContext } from "../jobs/duty.ts";
import { OrderRefusedError } from "../jobs/errors.ts";
import { type LimitOptions, limited, unlessOver } from "../jobs/in-time.ts";
import { mostPending } from "../jobs/janitor.ts";
import { type CommittedResult, isRunning, isUnchallengeable, type JobRecord } from "../jobs/job-record.ts";
import { type JobRun, openJobRun, trainJobUpTo } from "../jobs/job-run.ts";
import { Looks } from "../jobs/looks.ts";
import { checkpointSpacing } from "../jobs/move-time.ts";
import { type FetchedResult, obtainResult } from "../jobs/result.ts";
import { type InTurn, ShortestFirst } from "../jobs/shortest-first.ts";
import type { SideBySideOptions } from "../jobs/side-by-side.ts";
import { secondsPerStep } from "../jobs/step-time.ts";
import { executorTakingTurns } from "../jobs/taking-turns.ts";
import { isSurely, surelyNow } from "../storage-node/agreement.ts";
import { chainTime, type Reading, tryCall } from "../storage-node/context.ts";
import { challenge } from "./challenge.ts";
import { showMisstored } from "./misstored.ts";
import {
  type DisputedRun,
  type DisputeProblem,
  problemOfDispute,
  type SecondsOfMoves,
} from "./problem-of-dispute.ts";
import { voidEvidence } from "./void-evidence.ts";
import type { WatchList } from "./watch-list.ts";

export type InspectorParts = JobContext &
  ComputeParts &
  FetchParts &
  Pick<SideBySideOptions, "patience"> & {
    readonly watched: WatchList;
    /** Shared by all duties of a keeper that begin disputes. */
    readonly moves: SecondsOfMoves;
    /** Asks for what it takes to show that a result is stored wrongly. */
    readonly questions: Pick<CellQuestions, "ask" | "endedOf" | "isWaiting" | "isAnswered" | "isAsked">;
    /** Micro-batches of the jobs that are looked at together, at most. */
    readonly budget: number;
    /** Milliseconds between two looks at the chain's time while a job is executed, and before a job is looked at again. */
    readonly lookEvery: number;
    /** Looks after which a right result, of which nothing could be fetched, is let be. */
    readonly mostLooks: number;
    /** Jobs that are looked at side by side, at most. */
    readonly most: number;
    /** Whether it looks at a job. */
    readonly isMeant: (jobId: bigint) => boolean;
  };

/** Part of the time left to challenge that data, or a result, may take to arrive: what comes after needs time, too. */
const fetchShare = 4;
/** Seconds that they may take all the same, unless less is given to any. */
const leastFetchTime = 60;
/** Seconds of computing from which on a job is long. */
const longTime = 3_600;
/** How much longer than the time that is left a job has to seem to take: the machine may have been busy while it was measured. */
const certainty = 2;

/** A commitment of a job that is to be looked at, with the order of what it is about. */
type Commitment = {
  readonly job: JobRecord;
  /** As the game names it. */
  readonly claimId: bigint;
  /** Steps that it is about. */
  readonly steps: number;
  readonly interval: number;
  readonly microBatches: number;
  readonly result: CommittedResult;
};

/**
 * Executes committed jobs again, as far as they are committed to, and challenges the first interval that comes out
 * differently. Every checkpoint is a commitment of its own. What has to be fetched is waited for side by side, each for so
 * long: a provider chooses who holds its result, and they may never end their answer. Whoever orders a job chooses how long it takes:
 * steps are computed one at a time, first those of the job that takes least; one that cannot be computed while it can be challenged is
 * let be, and long ones take neither all places nor the budget of others.
 */
export class Inspector implements Duty {
  readonly name = "inspecting";
  readonly #parts: InspectorParts;
  /** Of each job one commitment at a time: all are computed in the same folder. */
  readonly #looks: Looks<bigint>;
  readonly #computing = new ShortestFirst();
  /** Seconds that a step of a job takes here. */
  readonly #measured = new Map<bigint, number>();
  /** Commitments that take long to compute, and those of them that have a place. */
  readonly #long = new Set<bigint>();
  readonly #longUnderWay = new Set<bigint>();
  /** Looks at commitments that have given no verdict. While one waits for another look it takes up none of the budget. */
  readonly #undecided = new Map<bigint, number>();
  readonly #underWay = new Set<bigint>();

  constructor(parts: InspectorParts) {
    this.#parts = parts;
    this.#looks = new Looks({ most: parts.most, patience: parts.patience, pause: parts.lookEvery });
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { ledger, operator, watched, budget, isMeant, questions } = this.#parts;
    const now = await surelyNow(this.#parts);
    const committed = ledger
      .openJobs()
      .filter((job) => isMeant(job.jobId) && isRunning(job) && job.provider !== operator)
      .flatMap((job) => commitmentsOf(job))
      // What was published in answer to a question convicts until the result is paid.
      .filter(
        ({ job, claimId, result }) =>
          questions.isAnswered(result.resultId) ||
          !isUnchallengeable(job, claimNameOf(claimId).checkpoint, now),
      )
      // What can be challenged longest waits longest.
      .sort((a, b) => Number(deadlineOf(a) - deadlineOf(b)));
    const claims = new Set(committed.map(({ claimId }) => claimId));
    for (const known of [this.#undecided, this.#long])
      for (const claimId of known.keys()) if (!claims.has(claimId)) known.delete(claimId);
    for (const jobId of this.#measured.keys())
      if (!committed.some(({ job }) => job.jobId === jobId)) this.#measured.delete(jobId);
    watched.add(
      committed.map(({ claimId, steps, microBatches }) => {
        const isWaiting = this.#undecided.has(claimId) && !this.#underWay.has(claimId);
        // What is short is computed before it, and is not to wait for room.
        const isFree = isWaiting || this.#long.has(claimId);
        return { jobId: claimId, cost: isFree ? 0 : steps * microBatches };
      }),
      budget,
    );
    const due = () => {
      const firsts = new Map<bigint, Commitment>();
      for (const commitment of committed) {
        const { job, claimId, result } = commitment;
        if (watched.verdict(claimId) !== "open" || questions.isWaiting(result.resultId)) continue;
        const first = firsts.get(job.jobId);
        // What is withheld of one checkpoint must not keep the others waiting.
        if (first !== undefined && this.#looksAt(first) <= this.#looksAt(commitment)) continue;
        // The dispute that is on is played from the same run: it would have to wait for the whole training.
        if (!this.#isDisputing(job)) firsts.set(job.jobId, commitment);
      }
      return firsts;
    };
    await this.#looks.round(due, (commitment) => this.#inspectInTime(commitment, signal));
  }

  /** The signal of the last look has ended what is under way. */
  close(): Promise<void> {
    return this.#looks.settled();
  }

  #looksAt({ claimId }: Commitment): number {
    return this.#undecided.get(claimId) ?? 0;
  }

  #isDisputing({ jobId }: JobRecord): boolean {
    const { ledger, operator } = this.#parts;
    return ledger.challengesOf(jobId).some((challenge) => {
      return challenge.challenger === operator && turnOf(challenge) !== undefined;
    });
  }

  /** A job that takes longer than it can be challenged must not keep the others waiting. Says whether it is done with. */
  async #inspectInTime(commitment: Commitment, signal: AbortSignal): Promise<boolean> {
    const { log, lookEvery } = this.#parts;
    const { claimId, job } = commitment;
    const begun = surelyNow(this.#parts).catch(() => 0n);
    this.#underWay.add(claimId);
    let isDone: boolean | undefined = false;
    try {
      isDone = await unlessOver((stop) => this.#inspect(commitment, stop), {
        isOver: async () => {
          const since = await begun;
          return await isSurely(this.#parts, "whether a job can be challenged", (chain) =>
            this.#isLate(chain, commitment, since),
          );
        },
        lookEvery,
        signal,
      });
      if (isDone !== undefined) return isDone;
      log.warn({ jobId: job.jobId }, "this job takes longer than it can be challenged: left");
      this.#parts.watched.decide(claimId, "skipped");
      return true;
    } finally {
      this.#underWay.delete(claimId);
      if (isDone !== true) this.#undecided.set(claimId, this.#looksAt(commitment) + 1);
    }
  }

  /**
   * By the chain itself: events are not followed meanwhile. Until somebody calls the timeout a commitment can be challenged
   * for ever: a job whose window is over holds nothing up for longer than what is fetched may.
   */
  async #isLate(
    { client, contracts: { JobRegistry } }: Reading,
    { claimId, job, result }: Commitment,
    begun: bigint,
  ): Promise<boolean> {
    const { fetchTime, questions } = this.#parts;
    if (questions.isAnswered(result.resultId)) return false;
    const [{ challengeUntil }, whole] = await Promise.all([
      JobRegistry.read.claimOf([claimId]),
      JobRegistry.read.challengeUntilOf([job.jobId]),
    ]);
    // The decision of a committee brings the end of the whole nearer.
    const windowEnd = claimId === job.jobId ? whole : result.challengeUntil;
    const overdue = (windowEnd > begun ? windowEnd : begun) + BigInt(Math.ceil(fetchTime));
    const now = await chainTime(client);
    return now > challengeUntil || now > overdue;
  }

  async #inspect(commitment: Commitment, signal: AbortSignal): Promise<boolean> {
    const { log } = this.#parts;
    const { job, claimId } = commitment;
    const { jobId } = job;
    const seconds = this.#fetchTime(commitment, await surelyNow(this.#parts));
    let opened: JobRun;
    try {
      opened = await limited((stop) => openJobRun(this.#parts, job, stop), { seconds, signal });
    } catch (error) {
      if (!(error instanceof OrderRefusedError || error instanceof BadInputError)) throw error;
      // What was fetched may have been wrong, not the job: it is fetched again, as long as there is time.
      const isConclusive = error instanceof OrderRefusedError && (await this.#showVoid(job, error));
      if (!isConclusive && this.#mayWait(commitment, await surelyNow(this.#parts))) {
        log.warn({ jobId, reason: error.message }, "this job cannot be checked now: it is looked at again");
        return false;
      }
      this.#decide(commitment, "unreadable");
      log.warn({ jobId, reason: error.message }, "this job cannot be checked");
      return true;
    }
    try {
      // Nothing is computed for it, and nothing could be: no engine takes a label that is none of the classes.
      if (await this.#showMislabelled(commitment, opened, { seconds, signal })) return true;
      const cost = await this.#secondsOf(commitment, opened, signal);
      if (await this.#isTooLong(commitment, cost)) return true;
      if (cost > longTime && !this.#takePlace(claimId)) return false;
      const begun = performance.now();
      const fetched = await this.#fetch(commitment, opened, { seconds, signal });
      // Whoever has used the time for a result up does not get it again.
      const left = seconds - (performance.now() - begun) / 1000;
      const rest = Math.max(left, Math.min(seconds, leastFetchTime));
      return await this.#compare(commitment, opened, fetched, { seconds: rest, signal, cost });
    } finally {
      this.#longUnderWay.delete(claimId);
      await opened.job.close();
    }
  }

  /** Seconds that what is not computed yet of a commitment takes on this machine. */
  async #secondsOf(
    { job: { jobId }, steps }: Commitment,
    opened: JobRun,
    signal: AbortSignal,
  ): Promise<number> {
    const known = this.#measured.get(jobId);
    const measure = () => secondsPerStep(this.#parts.executor, opened.job, signal);
    const seconds = known ?? (await this.#computing.run(0, (inTurn) => inTurn(measure)));
    this.#measured.set(jobId, seconds);
    const done = (await findResumption(opened.run))?.checkpoint.step ?? 0;
    return Math.max(0, steps - done) * seconds;
  }

  async #isTooLong(commitment: Commitment, seconds: number): Promise<boolean> {
    const { log, watched } = this.#parts;
    const { job, claimId, result } = commitment;
    const left = Number(result.challengeUntil - (await surelyNow(this.#parts)));
    if (seconds <= longTime || seconds <= certainty * left) return false;
    log.warn(
      { jobId: job.jobId, seconds, left },
      "this job cannot be computed while it can be challenged: left",
    );
    watched.decide(claimId, "skipped");
    return true;
  }

  /** A place for a long job, as long as one more is left for those that are short. */
  #takePlace(claimId: bigint): boolean {
    this.#long.add(claimId);
    if (this.#longUnderWay.size >= Math.max(1, this.#parts.most - 1)) return false;
    this.#longUnderWay.add(claimId);
    return true;
  }

  /** Seconds that something of a job may take to arrive. */
  #fetchTime(commitment: Commitment, now: bigint): number {
    const left = Number(deadlineOf(commitment) - now);
    return Math.min(this.#parts.fetchTime, Math.max(leastFetchTime, left / fetchShare));
  }

  /** A program that breaks the rules of the tape ends its job, whatever was computed. Says whether nothing is left to show. */
  async #showVoid({ jobId, order }: JobRecord, error: unknown): Promise<boolean> {
    const evidence = voidEvidence(error, order.problem.programRoot);
    if (evidence === undefined) return true;
    const { tape, index, descriptor, siblings } = evidence;
    const args = [jobId, tape, index, descriptor, siblings] as const;
    const isShown = await tryCall(this.#parts, `show-void:${jobId}`, "DisputeGame", "showVoid", args);
    if (isShown) this.#parts.log.warn({ jobId, tape, index }, "showed that the program is void");
    return isShown;
  }

  /**
   * Challenges the interval of the first sample that no class fits: whatever was committed to behind it can be no result, and is
   * not to be paid for.
   */
  async #showMislabelled(commitment: Commitment, opened: JobRun, limit: LimitOptions): Promise<boolean> {
    const { mislabelled } = opened.job;
    if (mislabelled.size === 0) return false;
    const { claimId, steps, result } = commitment;
    const { jobId } = commitment.job;
    const order = { ...opened.run.order, steps };
    const sample = await findMislabelled({ order, mislabelled }, limit.signal);
    if (sample === undefined) return false;
    const { leaves } = (await this.#fetch(commitment, opened, limit)) ?? {};
    const move =
      leaves !== undefined && arePublished(sample, result.traceRoot, leaves)
        ? challengeOf(leaves, Math.floor(sample.step / sample.order.interval))
        : ({ kind: "challengeTrace" } as const);
    await challenge(this.#parts, claimId, move);
    // Its moves show a sample, and take no time of other disputes.
    this.#parts.moves.set(jobId, 0);
    this.#decide(commitment, "wrong");
    this.#parts.log.warn(
      { jobId, step: sample.step },
      "challenged: a label of this step is none of the classes",
    );
    return true;
  }

  #decide({ claimId, steps, interval }: Commitment, verdict: "right" | "wrong" | "unreadable"): void {
    const { watched, metrics } = this.#parts;
    watched.decide(claimId, verdict);
    metrics.checked(verdict, traceLength(steps, interval) - 1);
  }

  /** What was stored with a commitment; undefined when it cannot be had. */
  async #fetch(
    { job: { jobId }, claimId, steps, result }: Commitment,
    { job: { order, compiled }, folder }: JobRun,
    limit: LimitOptions,
  ): Promise<FetchedResult | undefined> {
    const { storage, log } = this.#parts;
    // What members have signed is held against the leaves of the whole: those of a checkpoint must not take their place.
    const own = claimId === jobId ? folder : join(folder, "checkpoint");
    return await obtainResult(
      { storage, program: compiled.program, order: { ...order, steps }, result, folder: own },
      {
        ...limit,
        onNothing: (reason) => log.warn({ jobId, reason }, "the leaves of this job cannot be had"),
      },
    );
  }

  async #compare(
    commitment: Commitment,
    opened: JobRun,
    fetched: FetchedResult | undefined,
    { cost, ...limit }: LimitOptions & { readonly cost: number },
  ): Promise<boolean> {
    const { log } = this.#parts;
    const { claimId, steps, result } = commitment;
    const { jobId } = commitment.job;
    const { signal } = limit;
    const { source, options } = opened.job;
    // Nothing is computed before it has its turn.
    let inTurn: InTurn = (part) => part();
    const executor = executorTakingTurns(this.#parts.executor, (part) => inTurn(part), signal);
    const whole = new FolderRun({ run: opened.run, source, executor, options, signal });
    try {
      const { isRight, move, every } = await this.#computing.run(cost, async (turn) => {
        inTurn = turn;
        const known = this.#measured.get(jobId);
        const every = await checkpointSpacing({ ...this.#parts, executor }, { jobId }, opened, signal, {
          known,
        });
        await trainJobUpTo({ executor }, opened, { until: steps, every, signal });
        const own = claimedPart(whole, { steps: BigInt(steps) });
        const [stateRoot] = await own.stateRoots([steps]);
        const leaves = fetched?.leaves;
        if (leaves === undefined && stateRoot === result.stateRoot) return { isRight: true, every };
        return {
          every,
          isRight: stateRoot === result.stateRoot,
          move: await openingMove(own, result, leaves),
        };
      });
      inTurn = (part) => this.#computing.run(0, (turn) => turn(part));
      // Whatever becomes of its trace: a state that is not there is nothing that anybody can use.
      const isStored = isRight && fetched?.state !== undefined;
      const misstored = { jobId, claimId, steps, resultId: result.resultId };
      const isShown = !isRight || isStored || (await showMisstored(this.#parts, misstored, whole, limit));
      if (move !== undefined) {
        const problem = await this.#problemOfDispute(commitment, { ...opened, every }, signal);
        if (problem !== undefined) {
          const { reason, isPassing } = problem;
          // Other disputes end, and whoever lies could have them begun: what they leave no time for is looked at again.
          const waits = isPassing && this.#hasTime(commitment, await surelyNow(this.#parts));
          const why = waits ? " yet: other disputes are under way" : ": no bond is put up";
          log.error({ jobId, reason }, `the result is wrong, and is not challenged${why}`);
          if (waits) return false;
          this.#parts.watched.decide(claimId, "skipped");
          return true;
        }
        await challenge(this.#parts, claimId, move);
        this.#decide(commitment, "wrong");
        log.warn({ jobId, interval: "interval" in move ? move.interval : undefined }, "challenged");
        return true;
      }
      // What was published can convict until it is taken off the list.
      const isAsked = !isShown && this.#parts.questions.isAsked(result.resultId);
      const mayWait = isAsked || this.#mayWait(commitment, await surelyNow(this.#parts));
      if ((fetched === undefined || !isShown) && mayWait) {
        log.info({ jobId }, "the result is right; it is looked for again where it should be stored");
        return false;
      }
      this.#decide(commitment, "right");
      if (fetched?.leaves !== undefined) log.info({ jobId }, "every interval of this job is right");
      else log.info({ jobId }, "the result is right; its leaves are withheld");
      return true;
    } finally {
      await whole.close();
    }
  }

  /** Why a dispute could not be played to its end here: measured where there is something to challenge. */
  async #problemOfDispute(
    { job }: Commitment,
    opened: Omit<DisputedRun, "secondsPerStep">,
    signal: AbortSignal,
  ): Promise<DisputeProblem | undefined> {
    const { executor } = this.#parts;
    return await this.#computing.run(0, (inTurn) =>
      inTurn(async () => {
        const seconds = this.#measured.get(job.jobId) ?? (await secondsPerStep(executor, opened.job, signal));
        return await problemOfDispute(this.#parts, job, { ...opened, secondsPerStep: seconds }, signal);
      }),
    );
  }

  /** Whether there is time to fetch once more what this machine, or its network, may have failed to fetch. */
  #mayWait(commitment: Commitment, now: bigint): boolean {
    return this.#hasTime(commitment, now) && this.#looksAt(commitment) + 1 < this.#parts.mostLooks;
  }

  /** Whether it can be looked at once more before the time of challenges is over. */
  #hasTime(commitment: Commitment, now: bigint): boolean {
    return now + BigInt(Math.ceil(2 * this.#parts.fetchTime)) < deadlineOf(commitment);
  }
}

/** When a commitment must be challenged by, as far as its events tell: a committee's decision ends the time that it may take. */
function deadlineOf({ job, claimId, result: { challengeUntil } }: Commitment): bigint {
  const hasCommittee = claimId === job.jobId && job.order.conditions.committeeSize !== 0;
  return hasCommittee ? challengeUntil - mostPending : challengeUntil;
}

/** Commitments of a job, checkpoints first; none of an order that cannot be read. */
function commitmentsOf(job: JobRecord): Commitment[] {
  const { jobId, training, checkpoints, result } = job;
  let order: Pick<TrainingOrder, "steps" | "interval" | "microBatches">;
  try {
    order = decodeOrder(training);
  } catch (error) {
    if (error instanceof BadInputError) return [];
    throw error;
  }
  const { interval, microBatches } = order;
  const name = (checkpoint: number) => {
    return { job, claimId: claimIdOf({ jobId, checkpoint }), interval, microBatches };
  };
  const partial = checkpoints.map((posted) => ({
    ...name(posted.number),
    steps: posted.steps,
    result: posted,
  }));
  return result === undefined ? partial : [...partial, { ...name(0), steps: order.steps, result }];
}
