import { decodeFunctionData, type Hex } from "viem";
import { committeeAbi } from "../../chain/abi/committee.ts";
import { callsInto } from "../../chain/calls-into.ts";
import { addressOf } from "../../chain/contracts.ts";
import type { JobContext } from "../jobs/duty.ts";

/**
 * The calls that a transaction has made to the committee, itself or through other contracts.
 *
 * @returns undefined when no endpoint says what was called
 */
export async function committeeCalls(
  { client, deployment }: Pick<JobContext, "client" | "deployment">,
  transaction: Hex,
) {
  const inputs = await callsInto(client, transaction, addressOf(deployment, "Committee"));
  return inputs?.flatMap((data) => {
    try {
      return [decodeFunctionData({ abi: committeeAbi, data })];
    } catch {
      // Whoever called may have encoded as the contract alone reads it.
      return [];
    }
  });
}
