import { type Address, formatUnits, zeroAddress } from "viem";
import { readFeedDecimals } from "../chain/price-feed.ts";
import type { CommandContext } from "./context.ts";
import { UsageError } from "./errors.ts";

/** Decimals with which prices are read from the command line: those of the token. */
const typed = 18;

/**
 * A price that was typed, in the unit of an order: token base units, or units of its feed.
 *
 * @throws UsageError when it has more decimals than the feed; FeedError when the market does not list it
 */
export async function priceInUnits(context: CommandContext, feed: Address, price: bigint): Promise<bigint> {
  if (feed === zeroAddress) return price;
  const { chain, contracts } = await context.network();
  const decimals = await readFeedDecimals(chain.public, contracts, feed);
  const unit = 10n ** BigInt(Math.max(0, typed - decimals));
  if (price % unit === 0n && decimals <= typed) return price / unit;
  throw new UsageError(`the feed ${feed} counts with ${decimals} decimals; --price does not fit them`);
}

/** A price as it was typed. */
export function showTyped(feed: Address, price: bigint): string {
  return `${formatUnits(price, typed)} ${feed === zeroAddress ? "tokens" : `units of the feed ${feed}`}`;
}
