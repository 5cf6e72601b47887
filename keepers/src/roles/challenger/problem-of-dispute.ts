import { turnOf } from "../jobs/challenge-record.ts";
import type { ComputeParts, JobContext } from "../jobs/duty.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import type { JobRun } from "../jobs/job-run.ts";
import { moveCostOf, problemOfCost } from "../jobs/move-cost.ts";
import { clocksOf, secondsOfMove } from "../jobs/move-time.ts";

/** Part of its window that a move of a challenger may take to compute: the chain, and whatever else is computed, take the rest. */
const shareOfWindow = 2;

/** Why a dispute could not be played. */
export type DisputeProblem = {
  readonly reason: string;
  /** Whether it could be once those that are under way are over. */
  readonly isPassing: boolean;
};

/** Seconds that a move of a dispute takes, by job: as they were reckoned before its bond was put up. */
export type SecondsOfMoves = Map<bigint, number>;

export type DisputedRun = JobRun & {
  /** Seconds that a step takes here. */
  readonly secondsPerStep: number;
  /** Steps from one checkpoint to the next: a move begins at the one before its interval. */
  readonly every: number;
};

/**
 * Why this challenger could not make its moves in a dispute over a job in time, or has not the memory; undefined where it can.
 * Its window never grows, and a move of every dispute that it has under way may be due before: each counts for what it takes. A new
 * one may take half of what they leave, so that none, however long, leaves no room for the next. What is not known of one, because
 * the keeper was started since, is taken to be as much as a move of this one.
 *
 * @throws the reason of the signal; what the engine throws
 */
export async function problemOfDispute(
  parts: JobContext & Pick<ComputeParts, "executor"> & { readonly moves: SecondsOfMoves },
  { jobId }: Pick<JobRecord, "jobId">,
  { job, run, secondsPerStep, every }: DisputedRun,
  signal: AbortSignal,
): Promise<DisputeProblem | undefined> {
  const { ledger, operator, executor, moves } = parts;
  const { window } = await clocksOf(parts, jobId);
  const open = ledger.openJobs();
  const underWay = open
    .flatMap((each) => ledger.challengesOf(each.jobId))
    .filter((challenge) => challenge.challenger === operator && turnOf(challenge) !== undefined)
    .map((challenge) => challenge.jobId);
  const alone = window / shareOfWindow;
  const replayed = Math.min(every, run.order.steps) * secondsPerStep;
  // What takes too long already is not measured further: whoever orders a job chooses how long that would take.
  if (replayed > alone) return { reason: tooLong(replayed, alone), isPassing: false };
  const cost = await moveCostOf(executor, job, signal);
  const own = replayed + secondsOfMove(cost);
  // A dispute that was begun a moment ago may not have come back from the chain yet: its job is open all the same.
  for (const known of moves.keys()) if (!open.some((each) => each.jobId === known)) moves.delete(known);
  const others = underWay.reduce((sum, each) => sum + (moves.get(each) ?? own), 0);
  const within = (most: number) =>
    replayed > most ? tooLong(replayed, most) : problemOfCost(cost, most - replayed);
  const reason = within(Math.max(0, (window - others) / shareOfWindow));
  if (reason !== undefined) return { reason, isPassing: within(alone) === undefined };
  moves.set(jobId, own);
  return undefined;
}

function tooLong(seconds: number, most: number): string {
  return `the steps before a move take ${Math.ceil(seconds)} s here: a move of a dispute is to take ${Math.floor(most)} s`;
}
