import { claimNameOf } from "../../core/market/instalments.ts";
import type { OpeningMove } from "../../training/dispute/find-interval.ts";
import { parametersOf } from "../jobs/job-parameters.ts";
import { type DutyContext, sendCall } from "../storage-node/context.ts";

/**
 * Opens a dispute over a commitment, with the bond that its job asks for; once for each interval.
 *
 * @param claimId the commitment, as the game names it
 * @throws TransactionFailedError when the game does not take it
 */
export async function challenge(context: DutyContext, claimId: bigint, move: OpeningMove): Promise<void> {
  const { dispute } = await parametersOf(context, claimNameOf(claimId).jobId);
  const bond = dispute.challengerBond;
  if (move.kind === "challengeTrace") {
    const key = `challenge-trace:${claimId}:0`;
    await sendCall(context, key, "DisputeGame", "challengeTrace", [claimId], bond);
  } else {
    const { interval, before, next } = move;
    const args = [claimId, BigInt(interval), before, next] as const;
    await sendCall(context, `challenge:${claimId}:${interval}`, "DisputeGame", "challenge", args, bond);
  }
}
