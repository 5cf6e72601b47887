import { type Address, keccak256, toHex } from "viem";
import type { DutyContext } from "./context.ts";

/** Operators listed in one request. */
const page = 200n;

/** All operators that are registered, in the contract's order. */
export async function* listOperators({ contracts }: Pick<DutyContext, "contracts">): AsyncGenerator<Address> {
  const count = await contracts.Staking.read.operatorCount();
  for (let offset = 0n; offset < count; offset += page) {
    yield* await contracts.Staking.read.operators([offset, page]);
  }
}

/**
 * This operator's place in the order in which operators take up a piece of work: 0 for the first. Everybody computes the
 * same order, from the work's name, so that usually one acts and the others see that it is done; when the first is away,
 * the next follows.
 */
export async function turnOf(context: DutyContext, work: string): Promise<bigint> {
  const own = rank(work, context.operator);
  let before = 0n;
  for await (const other of listOperators(context)) if (rank(work, other) < own) before++;
  return before;
}

function rank(work: string, operator: string): bigint {
  return BigInt(keccak256(toHex(`${work}:${operator.toLowerCase()}`)));
}
