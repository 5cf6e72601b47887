import type { Hex } from "viem";
import { claimIdOf } from "../../core/market/instalments.ts";
import { tryCall } from "../storage-node/context.ts";
import type { JobContext } from "./duty.ts";
import type { CommittedResult, JobRecord } from "./job-record.ts";

/**
 * Calls a result that is owed and that nobody has to hold, or too few do, and ends the job when it is not stored again in time. Its provider, who
 * would only report itself, has a duty of its own that stores it again.
 */
export async function watchResult(
  parts: JobContext,
  { jobId, provider }: Pick<JobRecord, "jobId" | "provider">,
  { resultId }: CommittedResult,
  checkpoint: number,
  now: bigint,
): Promise<void> {
  const { contracts, operator, log } = parts;
  if (provider === operator) return;
  const [isRetrievable, shortSegments, filledAt] = await contracts.DatasetRegistry.read.availabilityOf([
    resultId,
  ]);
  if (isRetrievable) return;
  const claimId = claimIdOf({ jobId, checkpoint });
  let isCalled = false;
  let uncalled: bigint | undefined;
  for (const segment of await segmentsToCall(parts, resultId, shortSegments)) {
    const until = await contracts.ResultShortfalls.read.graceUntil([claimId, segment]);
    if (until === 0n) {
      uncalled ??= segment;
      continue;
    }
    isCalled = true;
    if (now <= until) continue;
    const key = `fail-result:${claimId}:${segment}:${until}`;
    if (await tryCall(parts, key, "ResultShortfalls", "fail", [claimId, segment])) return;
  }
  // One call is enough to end the job; where what was called is filled again, what is still short is called next.
  if (isCalled || uncalled === undefined) return;
  log.warn({ jobId, checkpoint, resultId, segment: uncalled }, "a result that is owed cannot be retrieved");
  // Every placement voids a call, and so does paying on for a dataset that had ended: what stands after another one is a call of its own.
  const key = `call-result:${claimId}:${uncalled}:${filledAt}`;
  await tryCall(parts, key, "ResultShortfalls", "call", [claimId, uncalled]);
}

/** The segments that are short of bundles; the first where the result is only not paid for. */
async function segmentsToCall(
  { contracts }: JobContext,
  resultId: Hex,
  shortSegments: number,
): Promise<bigint[]> {
  if (shortSegments === 0) return [0n];
  const { read } = contracts.DatasetRegistry;
  const { bundles, shape } = await read.datasetOf([resultId]);
  const short: bigint[] = [];
  for (let segment = 0n; short.length < shortSegments && segment < bundles / shape.n; segment++) {
    if ((await read.heldIn([resultId, segment])) < shape.k) short.push(segment);
  }
  return short;
}
