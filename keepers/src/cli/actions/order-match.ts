import { formatUnits, zeroAddress } from "viem";
import { readAuctionRate, readFeedDecimals } from "../../chain/price-feed.ts";
import { BadInputError } from "../../core/errors.ts";
import { inTokens, toTokens } from "../../core/market/feed.ts";
import { orderHash } from "../../core/market/typed-data.ts";
import { describeBids } from "../../roles/consumer/describe-bids.ts";
import type { CommandContext } from "../context.ts";
import { findJob, openConsumer } from "../jobs.ts";
import { openSignedBid, openSignedOrder } from "../message-files.ts";
import { table } from "../output.ts";

/** `assay order accept` */
export async function acceptBid(context: CommandContext, orderPath: string, bidPath: string): Promise<void> {
  const order = await openSignedOrder(context, orderPath);
  const bid = await openSignedBid(context, bidPath);
  const consumer = await openConsumer(context);
  const jobId = await consumer.bringTogether(order, bid);
  const { provider } = bid.bid;
  context.output.result({ jobId, orderHash: orderHash(order.order), provider }, [
    `job        ${jobId}`,
    `provider   ${provider}, which puts up its bond next: its stake is locked`,
  ]);
}

/** Bids of an auction that are shown: anybody may add to them. */
const mostBidsShown = 1_000n;

/** `assay order bids` */
export async function showBids(context: CommandContext, id: string): Promise<void> {
  const consumer = await openConsumer(context);
  const { chain, contracts } = await context.network();
  const job = findJob(consumer, id);
  const { jobId, orderHash, order, auction } = job;
  if (auction === undefined) {
    throw new BadInputError(`job ${id} was not put up for auction`, {
      next: "`assay job show` says who has it.",
    });
  }
  const { priceFeed } = order.conditions;
  const [{ timestamp }, onChain, sealed, rate, decimals] = await Promise.all([
    chain.public.getBlock({ blockTag: "latest" }),
    contracts.Market.read.auctionOf([jobId]),
    contracts.Market.read.bidsOf([jobId, 0n, mostBidsShown]),
    priceFeed === zeroAddress ? inTokens : readAuctionRate(contracts, jobId),
    priceFeed === zeroAddress ? 18 : readFeedDecimals(chain.public, contracts, priceFeed),
  ]);
  const { phase, bids } = describeBids({ job, auction: onChain, sealed, now: timestamp });
  const priced = bids.map((bid) => ({
    ...bid,
    tokens: bid.price === null ? null : toTokens(bid.price, rate),
  }));
  const rows = priced.map(({ provider, state, price, tokens, stake }) => [
    provider,
    state,
    price === null ? "" : formatUnits(price, decimals),
    tokens === null ? "" : formatUnits(tokens, 18),
    stake === null ? "" : formatUnits(stake, 18),
  ]);
  const until = (seconds: bigint) => new Date(Number(seconds) * 1000).toISOString();
  const { commitUntil, revealUntil, terms } = auction;
  context.output.result(
    { jobId, orderHash, phase, commitUntil, revealUntil, bond: terms.bond, priceFeed, bids: priced },
    [
      `job        ${jobId}: ${phase}`,
      `order      ${orderHash}`,
      `sealed     until ${until(commitUntil)}, each with a bond of ${formatUnits(terms.bond, 18)} tokens`,
      `opened     until ${until(revealUntil)}`,
      ...(bids.length === 0 ? ["no bids"] : table(["provider", "bid", "price", "tokens", "stake"], rows)),
    ],
  );
}
