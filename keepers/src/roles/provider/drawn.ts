import { addressOf } from "../../chain/contracts.ts";
import type { DrawnCommittee } from "../../core/attestation/statement.ts";
import { traceLength } from "../../core/exact/commitment.ts";
import type { TrainingOrder } from "../../core/exact/order.ts";
import type { JobContext } from "../jobs/duty.ts";
import type { JobRecord } from "../jobs/job-record.ts";

/** A draw of a committed job, as the newest block has it, and the mask of its members that have signed. */
export async function drawnFor(
  { contracts, deployment }: Pick<JobContext, "contracts" | "deployment">,
  { jobId, result }: JobRecord,
  attempt: bigint,
  { steps, interval }: Pick<TrainingOrder, "steps" | "interval">,
): Promise<{ draw: DrawnCommittee; signers: bigint }> {
  const { Committee, RandomnessBeacon } = contracts;
  const { signers, requestId } = await Committee.read.drawOf([jobId, attempt]);
  const [seed] = await RandomnessBeacon.read.seedOf([requestId]);
  const draw: DrawnCommittee = {
    chainId: BigInt(deployment.chainId),
    contract: addressOf(deployment, "Committee"),
    jobId,
    attempt,
    seed,
    traceRoot: result!.traceRoot,
    intervals: traceLength(steps, interval) - 1,
    checks: Number(await Committee.read.checks()),
    members: await Committee.read.membersOf([jobId, attempt]),
  };
  return { draw, signers };
}
