import { keccak256, toHex } from "viem";
import type { DutyContext } from "./context.ts";
import type { Ledger } from "./ledger.ts";

/** The last turn: whoever comes later in the order takes it, too, so that work waits for a bounded time whoever stays away. */
export const lastTurn = 30n;

/**
 * This operator's place in the order in which operators take up a piece of work: 0 for the first. Everybody computes the
 * same order, from the work's name, so that usually one acts and the others see that it is done; when the first is away,
 * the next follows. Those that hold a bundle have a place: a place costs the stake that a bundle locks, so that accounts which
 * have registered and staked nothing hold nobody up. Who holds none comes in where its rank puts it, and takes nobody's place.
 */
export function turnOf(
  { operator, ledger }: Pick<DutyContext, "operator"> & { ledger: Pick<Ledger, "holders"> },
  work: string,
): bigint {
  const own = rank(work, operator);
  let before = 0n;
  for (const other of ledger.holders()) if (rank(work, other) < own && ++before === lastTurn) break;
  return before;
}

function rank(work: string, operator: string): bigint {
  return BigInt(keccak256(toHex(`${work}:${operator.toLowerCase()}`)));
}
