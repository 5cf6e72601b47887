import { zeroAddress } from "viem";
import { FeedError, readAuctionRate, readRate } from "../../chain/price-feed.ts";
import { fromTokens, inTokens, type Rate, toTokens, withMargin } from "../../core/market/feed.ts";
import type { Bid, Order } from "../../core/market/types.ts";
import type { JobContext } from "../jobs/duty.ts";
import { agreedOn, agreedOrUsual } from "../storage-node/agreement.ts";
import type { Reading } from "../storage-node/context.ts";

export type PricesParts = JobContext & {
  /** Per cent that bids for posted orders with a feed ask above the costs: the feed may move before they are mined. */
  readonly feedMargin: number;
};

/** A bid in the unit of its order. */
export type PricedBid = {
  readonly bid: Bid;
  /** Token base units that it comes to at the rate it was made for. */
  readonly worth: bigint;
};

/** Turns what work costs, in tokens, into prices in the unit of an order: tokens, or what its feed counts in. */
export class Prices {
  readonly #parts: PricesParts;

  constructor(parts: PricesParts) {
    this.#parts = parts;
  }

  /**
   * The rate of an order: the one that the market fixed for an auction, or the feed's present one.
   *
   * @returns undefined while the market would not take the feed's answer, or the endpoints do not agree on the rate: one that
   * names a tiny one would have the work done for nearly nothing
   */
  async rateOf({ conditions }: Order, jobId?: bigint): Promise<Rate | undefined> {
    const { log } = this.#parts;
    const { priceFeed } = conditions;
    if (priceFeed === zeroAddress) return inTokens;
    try {
      return await agreedOn(this.#parts, "the rate of a price feed", ({ contracts, client }) =>
        jobId === undefined
          ? readRate(client.public, contracts, priceFeed)
          : readAuctionRate(contracts, jobId),
      );
    } catch (error) {
      if (!(error instanceof FeedError)) throw error;
      log.debug({ feed: priceFeed, reason: error.message }, "left until its feed can be believed");
      return undefined;
    }
  }

  /** The rate of an auction in which a bid was sealed; without agreement what one says: the chain takes what was sealed alone. */
  async sealedRateOf({ conditions }: Order, jobId: bigint): Promise<Rate> {
    if (conditions.priceFeed === zeroAddress) return inTokens;
    const look = ({ contracts }: Reading) => readAuctionRate(contracts, jobId);
    return (await agreedOrUsual(this.#parts, "the rate of an auction", look)).value;
  }

  /**
   * A bid whose price is given in tokens, in the unit of its order; the same for the same rate.
   *
   * @param isFixed the rate cannot move any more
   * @returns undefined when the order does not allow that price
   */
  priced({ conditions }: Order, bid: Bid, rate: Rate, isFixed: boolean): PricedBid | undefined {
    const { feedMargin } = this.#parts;
    const isSafe = isFixed || rate.rate === 0n;
    const price = fromTokens(isSafe ? bid.price : withMargin(bid.price, feedMargin), rate);
    const worth = toTokens(price, rate);
    if (price > conditions.maximumPrice || worth > conditions.deposit) return undefined;
    return { bid: { ...bid, price }, worth };
  }
}
