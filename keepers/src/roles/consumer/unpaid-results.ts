import type { Hex } from "viem";
import { isRunning, type JobRecord } from "../jobs/job-record.ts";

/**
 * Results of a job that is over and for which nobody was paid: they are not its consumer's. A provider may commit to one dataset
 * again, in another job or at another checkpoint: what the consumer has paid for, or may still pay for, is none of them.
 *
 * @param jobs all of the consumer's
 */
export function unpaidResults(job: JobRecord, jobs: readonly JobRecord[]): Hex[] {
  const wanted = new Set(
    jobs.flatMap((each) => resultsOf(each).filter(({ isWanted }) => isWanted)).map(idOf),
  );
  return [...new Set(resultsOf(job).map(idOf))].filter((resultId) => !wanted.has(resultId));
}

type Named = { readonly resultId: Hex; readonly isWanted: boolean };

function resultsOf(job: JobRecord): Named[] {
  const isAllWanted = isRunning(job) || job.status === "Finalised";
  const parts = job.checkpoints.map(({ resultId, paid }) => {
    return { resultId, isWanted: isAllWanted || paid !== undefined };
  });
  const last = job.result === undefined ? [] : [{ resultId: job.result.resultId, isWanted: isAllWanted }];
  return [...parts, ...last];
}

function idOf({ resultId }: Named): Hex {
  return resultId;
}
