import { randomBytes } from "node:crypto";
import { bytesToHex } from "viem";
import { addressOf } from "../../chain/contracts.ts";
import { hashOf, readSignedBid, writeSignedBid } from "../../core/market/messages.ts";
import { bidTypedData } from "../../core/market/typed-data.ts";
import type { Bid } from "../../core/market/types.ts";
import { checkBid, checkOrder } from "../../roles/consumer/check-match.ts";
import type { CommandContext } from "../context.ts";
import { openSignedOrder, writeNew } from "../message-files.ts";
import { priceInUnits, showTyped } from "../prices.ts";

export type BidOptions = {
  price: bigint;
  to: string;
  compute: number;
  region?: number;
  regulations?: bigint;
  privacy: number;
  expiry?: number;
};

/** `assay provider bid` */
export async function signBid(
  context: CommandContext,
  orderPath: string,
  options: BidOptions,
): Promise<void> {
  const signed = await openSignedOrder(context, orderPath);
  const { chain, contracts, deployment } = await context.network();
  const account = await context.account();
  const view = { client: chain, contracts, deployment };
  await checkOrder(view, signed);
  const { timestamp } = await chain.public.getBlock({ blockTag: "latest" });
  const { expiry, conditions } = signed.order;
  const bid: Bid = {
    provider: account.address,
    order: hashOf(signed),
    price: await priceInUnits(context, conditions.priceFeed, options.price),
    compute: options.compute,
    region: options.region === undefined ? 0n : 1n << BigInt(options.region),
    regulations: options.regulations ?? 0n,
    privacyTier: options.privacy,
    nonce: BigInt(bytesToHex(randomBytes(32))),
    expiry: options.expiry === undefined ? expiry : timestamp + BigInt(options.expiry),
  };
  const domain = { chainId: deployment.chainId, market: addressOf(deployment, "Market") };
  const signature = await account.signTypedData(bidTypedData(bid, domain));
  const offer = { ...domain, bid, signature };
  // What the market would refuse is not handed out.
  await checkBid(view, signed, offer);
  const text = writeSignedBid(offer);
  // Nor what a consumer could not read.
  readSignedBid(text);
  const path = context.path(options.to);
  await writeNew(path, text);
  context.output.result({ bid, path }, [
    `order      ${bid.order}`,
    `price      ${showTyped(conditions.priceFeed, options.price)}`,
    `nonce      ${bid.nonce}`,
    `signed     ${path}; nothing was sent`,
  ]);
}
