import { type Address, formatUnits, parseAbi } from "viem";
import type { Contracts, ReadClient } from "../../../keepers/src/chain/contracts.ts";
import { readFeedDecimals } from "../../../keepers/src/chain/price-feed.ts";

/** What the answers of a price feed count in. */
export type FeedUnit = { readonly decimals: number; readonly currency: string };

const nameless = "in the currency of its price feed";

/** What a feed calls the currency that it prices a token in: "USD", as it says of itself "ETH / USD". */
export function currencyOf(description: string): string {
  return /^[^/]+\/\s*([A-Za-z0-9]{1,12})\s*$/.exec(description)?.[1] ?? nameless;
}

/**
 * What a market's feed counts in, by its own word; a feed that the market does not list is not asked.
 *
 * @throws FeedError when the market does not list it
 */
export async function readFeedUnit(
  client: ReadClient,
  contracts: Contracts,
  feed: Address,
): Promise<FeedUnit> {
  const decimals = await readFeedDecimals(client, contracts, feed);
  const abi = parseAbi(["function description() view returns (string)"]);
  const description = await client
    .readContract({ address: feed, abi, functionName: "description" })
    .catch(() => "");
  return { decimals, currency: currencyOf(description) };
}

/** A price in the unit of a feed, to the last of its digits; where the unit is not known, as it stands on the chain. */
export function quoted(price: bigint, unit: FeedUnit | undefined): { amount: string; unit: string } {
  if (unit === undefined) return { amount: price.toLocaleString("en"), unit: "units of its price feed" };
  const [whole = "0", fraction] = formatUnits(price, unit.decimals).split(".");
  const grouped = BigInt(whole).toLocaleString("en");
  return { amount: fraction === undefined ? grouped : `${grouped}.${fraction}`, unit: unit.currency };
}
