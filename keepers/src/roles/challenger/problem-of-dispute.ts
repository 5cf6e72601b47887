import { turnOf } from "../jobs/challenge-record.ts";
import type { ComputeParts, JobContext } from "../jobs/duty.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import type { JobRun } from "../jobs/job-run.ts";
import { moveCostOf, problemOfCost } from "../jobs/move-cost.ts";
import { clocksOf } from "../jobs/move-time.ts";

/** Part of its window that a move of a challenger may take to compute: the chain, and whatever else is computed, take the rest. */
const shareOfWindow = 2;

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
): Promise<string | undefined> {
  const { ledger, operator, executor } = parts;
  const { window } = await clocksOf(parts, jobId);
  const underWay = ledger
    .openJobs()
    .flatMap((each) => ledger.challengesOf(each.jobId))
    .filter((challenge) => challenge.challenger === operator && turnOf(challenge) !== undefined);
  const most = window / shareOfWindow / (1 + underWay.length);
  const replayed = run.order.interval * seconds;
  if (replayed > most) {
    return `an interval takes ${Math.ceil(replayed)} s here: a move of a dispute is to take ${Math.floor(most)} s`;
  }
  return problemOfCost(await moveCostOf(executor, job, signal), most - replayed);
}
