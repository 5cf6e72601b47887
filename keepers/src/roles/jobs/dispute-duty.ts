import type { Address } from "viem";
import { type ChallengeRecord, turnOf } from "./challenge-record.ts";

/** What somebody may do about a dispute besides moving in it: calls of its game that take the dispute alone. */
export type DisputeCall = "callTimeout" | "executeTimeout" | "settle";

export type DisputeDutyParameters = {
  /** Whether what is challenged cannot be convicted any more, or has been. */
  readonly isOver: boolean;
  readonly account: Address;
  /** Whether the account tidies up for everybody, at its own expense. */
  readonly isForAll: boolean;
  /** Last second of the turn that is on. */
  readonly deadline: () => Promise<bigint>;
};

/**
 * What an account can do about a challenge besides moving in it, and from when on; undefined when there is nothing, or
 * nothing that is its own affair: who settles for strangers lets them spend its coins. Times are seconds since 1970.
 */
export async function dueInDispute(
  challenge: ChallengeRecord,
  { isOver, account, isForAll, deadline }: DisputeDutyParameters,
): Promise<{ readonly call: DisputeCall; readonly from: bigint } | undefined> {
  const { claim, challenger, graceEnds, isSettled } = challenge;
  if (isOver) {
    const isOwed = !isSettled && challenge.outcome !== "lost";
    return isOwed && (isForAll || account === challenger) ? { call: "settle", from: 0n } : undefined;
  }
  const turn = turnOf(challenge);
  // Reporting oneself only costs.
  if (turn === undefined || account === (turn === "provider" ? claim.provider : challenger)) return undefined;
  if (graceEnds !== undefined) return { call: "executeTimeout", from: BigInt(graceEnds) + 1n };
  return { call: "callTimeout", from: (await deadline()) + 1n };
}
