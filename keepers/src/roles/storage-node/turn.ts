import { keccak256, toHex } from "viem";
import type { DutyContext } from "./context.ts";

/** Operators listed in one request. */
const page = 200n;

/**
 * This operator's place in the order in which operators take up a piece of work: 0 for the first. Everybody computes the
 * same order, from the work's name, so that usually one acts and the others see that it is done; when the first is away,
 * the next follows.
 */
export async function turnOf({ contracts, operator }: DutyContext, work: string): Promise<bigint> {
  const count = await contracts.Staking.read.operatorCount();
  const own = rank(work, operator);
  let before = 0n;
  for (let offset = 0n; offset < count; offset += page) {
    for (const other of await contracts.Staking.read.operators([offset, page])) {
      if (rank(work, other) < own) before++;
    }
  }
  return before;
}

function rank(work: string, operator: string): bigint {
  return BigInt(keccak256(toHex(`${work}:${operator.toLowerCase()}`)));
}
