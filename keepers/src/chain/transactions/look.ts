import type { Hex, TransactionReceipt } from "viem";
import type { Inclusion } from "./machine.ts";
import type { StoredIntent } from "./store.ts";

/** What one look at the chain has in common for all intents. */
export type Look = {
  head: bigint;
  /** How much of that is sure: what is final is so by this. */
  sure: bigint;
  counted: number;
  /** The highest block in which an intent was seen is where it was, and so is all below it. */
  isUnmoved: boolean;
};

/** What is seen of an intent in the chain; without a receipt it is where it is on record. */
export type Seen = { inclusion: Inclusion; receipt?: TransactionReceipt };

/** Blocks on top of one, its own included; not as many as make it final while that is not sure. */
export function depthOf(
  number: bigint,
  { head, sure }: Pick<Look, "head" | "sure">,
  finality: number,
): bigint {
  const [depth, most] = [head - number + 1n, BigInt(finality) - 1n];
  return depth > most && sure - number < most ? most : depth;
}

/** The block that an intent was seen in, if it was. */
export function placeOf({ blockNumber, blockHash }: StoredIntent): { number: bigint; hash: Hex }[] {
  return blockNumber === undefined || blockHash === undefined
    ? []
    : [{ number: blockNumber, hash: blockHash }];
}
