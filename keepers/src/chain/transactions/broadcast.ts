import type { Hex } from "viem";
import { AssayError } from "../../core/errors.ts";
import type { ChainClient } from "../client.ts";
import { findCause, isAlreadyKnown, isFinalAnswer, RpcUnavailableError, textOf } from "../rpc/errors.ts";

/**
 * What became of a broadcast. `uncertain`: it may have got through. `waits`: nodes do not take it now, but the nonce
 * or the fee may explain that. `refused`: every node that answered will never take it.
 */
export type Broadcast = { kind: "sent" | "uncertain" | "waits" } | { kind: "refused"; reason: string };

const refusals: [RegExp, string][] = [
  [
    /insufficient funds|enough funds|insufficient balance/i,
    "the account has too little of the chain's native coin for the fee",
  ],
  [/intrinsic gas|gas limit|exceeds block|gas required|gas cap/i, "it needs more gas than the chain allows"],
  [/invalid sender|invalid signature|chain ?id/i, "the chain does not accept the signature"],
];

/** Sends a signed transaction through every endpoint and says what is known about it afterwards. */
export async function broadcast(client: ChainClient, raw: Hex): Promise<Broadcast> {
  try {
    await client.request("eth_sendRawTransaction", [raw]);
    return { kind: "sent" };
  } catch (error) {
    if (isAlreadyKnown(error)) return { kind: "sent" };
    if (findCause(error, RpcUnavailableError) !== undefined) return { kind: "uncertain" };
    if (error instanceof AssayError) return { kind: "uncertain" };
    const text = textOf(error);
    if (/nonce|underpriced|base ?fee|fee cap|max ?fee/i.test(text)) return { kind: "waits" };
    const refusal = refusals.find(([pattern]) => pattern.test(text));
    if (refusal !== undefined) return { kind: "refused", reason: refusal[1] };
    return isFinalAnswer(error)
      ? { kind: "refused", reason: text.trim().slice(0, 200) }
      : { kind: "uncertain" };
  }
}
