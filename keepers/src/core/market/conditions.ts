import type { Abilities, Bid, Conditions, Order } from "./types.ts";

/** A condition that a bid does not meet, by the name that the market gives it. */
export type UnmetCondition = "order" | "price" | "compute" | "region" | "regulations" | "privacy" | "expiry";

/** The condition that a provider does not meet, whatever its price; undefined when it meets all. */
export function unmetAbility(conditions: Conditions, abilities: Abilities): UnmetCondition | undefined {
  if (abilities.compute < conditions.minimumCompute) return "compute";
  if (!isWithin(abilities.region, conditions.regions)) return "region";
  if ((conditions.regulations & ~abilities.regulations) !== 0n) return "regulations";
  if (abilities.privacyTier < conditions.privacyTier) return "privacy";
  return undefined;
}

/**
 * Whether a bid meets an order at some second, and if not, what stands in the way. Stake and role of the provider are the
 * chain's to know; with a price feed the price is compared in units of its quote.
 *
 * @param orderHash EIP-712 hash of the order's struct
 */
export function unmetCondition(
  order: Order,
  orderHash: string,
  bid: Bid,
  now: bigint,
): UnmetCondition | undefined {
  if (bid.order.toLowerCase() !== orderHash.toLowerCase()) return "order";
  if (now > order.expiry || now > bid.expiry) return "expiry";
  if (bid.price > order.conditions.maximumPrice) return "price";
  return unmetAbility(order.conditions, bid);
}

/** Who claims to be in two places at once is in neither. */
function isWithin(region: bigint, regions: bigint): boolean {
  if (regions === 0n) return true;
  return (region & regions) !== 0n && (region & (region - 1n)) === 0n;
}
