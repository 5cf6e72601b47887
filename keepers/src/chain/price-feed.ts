import { type Address, parseAbi, zeroAddress } from "viem";
import { AssayError, exitCode } from "../core/errors.ts";
import { type FeedFault, feedFault, inTokens, isSequencerUp, type Rate } from "../core/market/feed.ts";
import type { Contracts, ReadClient } from "./contracts.ts";

/** The part of Chainlink's AggregatorV3Interface that prices are read with. */
const feedAbi = parseAbi([
  "function decimals() view returns (uint8)",
  "function latestRoundData() view returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)",
]);

const reasons: Record<FeedFault, string> = {
  unlisted: "the market does not list it",
  halted: "the chain's sequencer is down, or has not been back for long enough",
  stale: "its last answer is too old",
  implausible: "its answer lies outside the market's bounds",
};

/** A feed that the market would not believe now. */
export class FeedError extends AssayError {
  override readonly name: string = "FeedError";
  readonly fault: FeedFault;

  constructor(feed: Address, fault: FeedFault) {
    super(`no price can be taken from the feed ${feed}: ${reasons[fault]}`, {
      next:
        fault === "unlisted"
          ? "Name a listed feed, or a price in tokens."
          : "Wait until the feed answers as the market wants it, or name a price in tokens.",
      exitCode: exitCode.refused,
    });
    this.fault = fault;
  }
}

/**
 * The rate at which the market would turn prices of a feed into tokens now. What is not listed is not even asked: anybody
 * may have written it.
 *
 * @param feed zero: prices are in tokens
 * @throws FeedError
 */
export async function readRate(client: ReadClient, contracts: Contracts, feed: Address): Promise<Rate> {
  if (feed === zeroAddress) return inTokens;
  const bounds = await contracts.Market.read.feedOf([feed]);
  if (bounds.maximumAge === 0) throw new FeedError(feed, "unlisted");
  const [wholeToken, [, answer, , updatedAt], { timestamp }, sequencerFeed] = await Promise.all([
    wholeTokenOf(contracts),
    readRound(client, feed),
    client.getBlock({ blockTag: "latest" }),
    contracts.Market.read.sequencerFeed(),
  ]);
  if (sequencerFeed !== zeroAddress) {
    const [[, status, startedAt], rest] = await Promise.all([
      readRound(client, sequencerFeed),
      contracts.Market.read.SEQUENCER_REST(),
    ]);
    if (!isSequencerUp({ answer: status, startedAt }, rest, timestamp)) throw new FeedError(feed, "halted");
  }
  const fault = feedFault(bounds, { answer, updatedAt }, timestamp);
  if (fault !== undefined) throw new FeedError(feed, fault);
  return { rate: answer, wholeToken };
}

/** The rate that the market fixed for the bids of an auction. */
export async function readAuctionRate(contracts: Contracts, jobId: bigint): Promise<Rate> {
  const [rate, wholeToken] = await Promise.all([
    contracts.Market.read.rateOf([jobId]),
    wholeTokenOf(contracts),
  ]);
  return { rate, wholeToken };
}

/** Decimals of a feed's answers. @throws FeedError when it is not listed */
export async function readFeedDecimals(
  client: ReadClient,
  contracts: Contracts,
  feed: Address,
): Promise<number> {
  if ((await contracts.Market.read.feedOf([feed])).maximumAge === 0) throw new FeedError(feed, "unlisted");
  return await client.readContract({ address: feed, abi: feedAbi, functionName: "decimals" });
}

async function readRound(client: ReadClient, feed: Address) {
  return await client.readContract({ address: feed, abi: feedAbi, functionName: "latestRoundData" });
}

async function wholeTokenOf(contracts: Contracts): Promise<bigint> {
  return 10n ** BigInt(await contracts.AssayToken.read.decimals());
}
