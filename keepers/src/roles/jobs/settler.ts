import { tryCall } from "../storage-node/context.ts";
import type { ChallengeRecord } from "./challenge-record.ts";
import type { JobContext } from "./duty.ts";

/** Moves the money of a job whose end was reported: slash, payments, refund. When somebody was faster, nothing is lost. */
export async function settleEnd(context: JobContext, jobId: bigint): Promise<void> {
  if (await tryCall(context, `settle:${jobId}`, "JobRegistry", "settle", [jobId])) {
    context.log.info({ jobId }, "settled");
  }
}

/** As {@link settleEnd}, in the transaction after a move of one's own that may have ended the job: before its event is read. */
export async function settleIfOver(context: JobContext, { jobId }: ChallengeRecord): Promise<void> {
  if (await context.contracts.JobRegistry.read.isOwed([jobId])) await settleEnd(context, jobId);
}
