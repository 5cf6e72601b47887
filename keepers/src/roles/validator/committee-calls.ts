import { decodeFunctionData, type Hex } from "viem";
import { committeeAbi } from "../../chain/abi/committee.ts";
import { callsInto } from "../../chain/calls-into.ts";
import { addressOf } from "../../chain/contracts.ts";
import type { JobContext } from "../jobs/duty.ts";

/** The calls that a transaction has made to the committee, itself or through other contracts, as each endpoint shows them. */
export async function committeeCalls(
  { client, deployment }: Pick<JobContext, "client" | "deployment">,
  transaction: Hex,
) {
  const shown = await callsInto(client, transaction, addressOf(deployment, "Committee"));
  return shown.map((inputs) =>
    inputs.flatMap((data) => {
      try {
        return [decodeFunctionData({ abi: committeeAbi, data })];
      } catch {
        // Whoever called may have encoded as the contract alone reads it.
        return [];
      }
    }),
  );
}
