import { hashTypedData, isAddressEqual } from "viem";
import { addressOf } from "../../chain/contracts.ts";
import { readRate } from "../../chain/price-feed.ts";
import { isSignedBy } from "../../chain/signatures.ts";
import { AssayError, type AssayErrorOptions, BadInputError, exitCode } from "../../core/errors.ts";
import { type UnmetCondition, unmetCondition } from "../../core/market/conditions.ts";
import { toTokens } from "../../core/market/feed.ts";
import { hashOf, type SignedBid, type SignedOrder } from "../../core/market/messages.ts";
import { bidTypedData, type MarketDomain, orderTypedData } from "../../core/market/typed-data.ts";
import type { JobContext } from "../jobs/duty.ts";

/** An order and a bid that the market would not match. */
export class MatchRefusedError extends AssayError {
  override readonly name: string = "MatchRefusedError";

  constructor(reason: string, options: AssayErrorOptions = {}) {
    super(reason, { exitCode: exitCode.refused, kept: "Nothing was sent.", ...options });
  }
}

/** What a look at the market takes. */
export type MarketView = Pick<JobContext, "client" | "contracts" | "deployment">;

/** `IStaking.Role.Provider` */
const providerRole = 1;

const unmet: Record<UnmetCondition, string> = {
  order: "the bid is for another order",
  expiry: "the order or the bid has expired",
  price: "the bid asks for more than the order pays",
  compute: "the bid declares less compute than the order asks for",
  region: "the bid is from a region that the order does not allow",
  regulations: "the bid does not fulfil the order's regulations",
  privacy: "the bid declares a lower privacy tier than the order asks for",
};

/** Whether an order was signed for this market by its consumer, and can still be matched. @throws MatchRefusedError, BadInputError */
export async function checkOrder(view: MarketView, signed: SignedOrder): Promise<void> {
  const { client, contracts } = view;
  const { order, signature } = signed;
  requireDomain(view, signed, "order");
  const digest = hashTypedData(orderTypedData(order, signed));
  if (!(await isSignedBy(client.public, order.consumer, digest, signature))) {
    throw new MatchRefusedError(`the order is not signed by its consumer ${order.consumer}`);
  }
  if ((await chainTime(view)) > order.expiry) throw new MatchRefusedError("the order has expired");
  if (await contracts.Market.read.isNonceUsed([order.consumer, order.nonce])) {
    throw new MatchRefusedError("the order was matched already, or its consumer has cancelled it");
  }
}

/**
 * Whether a bid was signed for this market by its provider, and meets an order: everything that the market looks at when it
 * matches them, so that whoever brings them learns what is wrong before anything is paid.
 *
 * @throws MatchRefusedError, BadInputError; FeedError where the order has one that cannot be believed now
 */
export async function checkBid(view: MarketView, signed: SignedOrder, offer: SignedBid): Promise<void> {
  const { client, contracts, deployment } = view;
  const { order } = signed;
  const { bid, signature } = offer;
  requireDomain(view, offer, "bid");
  const digest = hashTypedData(bidTypedData(bid, offer));
  if (!(await isSignedBy(client.public, bid.provider, digest, signature))) {
    throw new MatchRefusedError(`the bid is not signed by its provider ${bid.provider}`);
  }
  const condition = unmetCondition(order, hashOf(signed), bid, await chainTime(view));
  if (condition !== undefined) throw new MatchRefusedError(unmet[condition]);
  if (await contracts.Market.read.isNonceUsed([bid.provider, bid.nonce])) {
    throw new MatchRefusedError("the bid was taken already, or its provider has cancelled it");
  }
  const price = toTokens(bid.price, await readRate(client.public, contracts, order.conditions.priceFeed));
  if (price > order.conditions.deposit) {
    throw new MatchRefusedError(`the bid comes to ${price} base units now, more than the order's deposit`);
  }
  const needed = await contracts.JobRegistry.read.stakeFor([bid.provider, price]);
  const { read } = contracts.Staking;
  const [isProvider, lockable] = await Promise.all([
    read.isEligible([bid.provider, providerRole, 0n]),
    read.lockable([bid.provider, addressOf(deployment, "JobRegistry")]),
  ]);
  if (!isProvider || lockable < needed) {
    throw new MatchRefusedError(
      `${bid.provider} is no provider that lets the registry lock ${needed} base units of free stake`,
      {
        next: "A provider registers, stakes and approves with `assay provider run --stake`, or `assay stake`.",
      },
    );
  }
}

/**
 * Whether the escrow can pull what an order costs from its consumer.
 *
 * @param cost token base units: price and committee's fees
 * @throws MatchRefusedError
 */
export async function checkFunds(
  { contracts, deployment }: MarketView,
  { order }: SignedOrder,
  cost: bigint,
  needsAllowance: boolean,
): Promise<void> {
  const { AssayToken } = contracts;
  const [balance, allowance] = await Promise.all([
    AssayToken.read.balanceOf([order.consumer]),
    AssayToken.read.allowance([order.consumer, addressOf(deployment, "Escrow")]),
  ]);
  if (balance < cost) {
    throw new MatchRefusedError(`the order costs ${cost} base units, its consumer has ${balance}`);
  }
  if (needsAllowance && allowance < cost) {
    throw new MatchRefusedError(
      `the order costs ${cost} base units, its consumer lets the escrow take ${allowance}`,
      { next: "Have its consumer accept the bid, or sign the order with --fund." },
    );
  }
}

function requireDomain({ deployment }: MarketView, { chainId, market }: MarketDomain, what: string): void {
  const own = addressOf(deployment, "Market");
  if (chainId === deployment.chainId && isAddressEqual(market, own)) return;
  throw new BadInputError(
    `the ${what} is for the market ${market} on chain ${chainId}, not for ${own} on chain ${deployment.chainId}`,
  );
}

async function chainTime({ client }: MarketView): Promise<bigint> {
  return (await client.public.getBlock({ blockTag: "latest" })).timestamp;
}
