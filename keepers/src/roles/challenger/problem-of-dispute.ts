import { turnOf } from "../jobs/challenge-record.ts";
import type { ComputeParts, JobContext } from "../jobs/duty.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import type { JobRun } from "../jobs/job-run.ts";
import { moveCostOf, problemOfCost } from "../jobs/move-cost.ts";
import { clocksOf } from "../jobs/move-time.ts";

/** Part of its window that a move of a challenger may take to compute: the chain, and whatever else is computed, take the rest. */
const shareOfWindow = 2;

/** Why a dispute could not be played. */
export type DisputeProblem = {
  readonly reason: string;
  /** Whether it could be once those that are under way are over. */
  readonly isPassing: boolean;
};

/**
 * Why this challenger could not make its moves in a dispute over a job in time, or has not the memory; undefined where it can.
 * Its window never grows, and all disputes that it has under way share the machine.
 *
 * @param seconds that a step takes here
 * @throws the reason of the signal; what the engine throws
 */
export async function problemOfDispute(
  parts: JobContext & Pick<ComputeParts, "executor">,
  { jobId }: Pick<JobRecord, "jobId">,
  { job, run }: JobRun,
  seconds: number,
  signal: AbortSignal,
): Promise<DisputeProblem | undefined> {
  const { ledger, operator, executor } = parts;
  const { window } = await clocksOf(parts, jobId);
  const underWay = ledger
    .openJobs()
    .flatMap((each) => ledger.challengesOf(each.jobId))
    .filter((challenge) => challenge.challenger === operator && turnOf(challenge) !== undefined);
  const alone = window / shareOfWindow;
  const replayed = run.order.interval * seconds;
  // What takes too long already is not measured further: whoever orders a job chooses how long that would take.
  if (replayed > alone) return { reason: tooLong(replayed, alone), isPassing: false };
  const cost = await moveCostOf(executor, job, signal);
  const within = (most: number) =>
    replayed > most ? tooLong(replayed, most) : problemOfCost(cost, most - replayed);
  const reason = within(alone / (1 + underWay.length));
  return reason === undefined ? undefined : { reason, isPassing: within(alone) === undefined };
}

function tooLong(seconds: number, most: number): string {
  return `an interval takes ${Math.ceil(seconds)} s here: a move of a dispute is to take ${Math.floor(most)} s`;
}
