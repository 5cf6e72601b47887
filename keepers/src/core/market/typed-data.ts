import {
  type Address,
  encodeAbiParameters,
  type Hex,
  hashStruct,
  hashTypedData,
  keccak256,
  type TypedDataDomain,
} from "viem";
import type { Bid, Order } from "./types.ts";

/** EIP-712 types of orders and bids: those of contracts/jobs/interfaces/Orders.sol. */
const types = {
  Order: [
    { name: "consumer", type: "address" },
    { name: "problem", type: "Problem" },
    { name: "conditions", type: "Conditions" },
    { name: "nonce", type: "uint256" },
    { name: "expiry", type: "uint64" },
  ],
  Problem: [
    { name: "datasetId", type: "bytes32" },
    { name: "trainingHash", type: "bytes32" },
    { name: "programRoot", type: "bytes32" },
    { name: "nodeCounts", type: "uint32[3]" },
    { name: "witnessNode", type: "uint32" },
    { name: "slots", type: "uint32" },
    { name: "programDigest", type: "bytes32" },
  ],
  Conditions: [
    { name: "maximumPrice", type: "uint128" },
    { name: "deposit", type: "uint128" },
    { name: "priceFeed", type: "address" },
    { name: "trainingTime", type: "uint32" },
    { name: "minimumCompute", type: "uint32" },
    { name: "regions", type: "uint64" },
    { name: "regulations", type: "uint64" },
    { name: "privacyTier", type: "uint8" },
    { name: "scheme", type: "uint8" },
    { name: "committeeSize", type: "uint8" },
    { name: "threshold", type: "uint8" },
    { name: "checkFee", type: "uint128" },
    { name: "instalments", type: "uint8" },
  ],
  Bid: [
    { name: "provider", type: "address" },
    { name: "order", type: "bytes32" },
    { name: "price", type: "uint128" },
    { name: "compute", type: "uint32" },
    { name: "region", type: "uint64" },
    { name: "regulations", type: "uint64" },
    { name: "privacyTier", type: "uint8" },
    { name: "nonce", type: "uint256" },
    { name: "expiry", type: "uint64" },
  ],
} as const;

/** The market in which a signature counts. */
export type MarketDomain = { readonly chainId: number; readonly market: Address };

function domainOf({ chainId, market }: MarketDomain): TypedDataDomain {
  return { name: "Assay Market", version: "1", chainId, verifyingContract: market };
}

/** The EIP-712 message of an order, as wallets and viem take it. */
export function orderTypedData(order: Order, domain: MarketDomain) {
  const { Bid: _, ...own } = types;
  return { domain: domainOf(domain), types: own, primaryType: "Order", message: order } as const;
}

/** The EIP-712 message of a bid. */
export function bidTypedData(bid: Bid, domain: MarketDomain) {
  return {
    domain: domainOf(domain),
    types: { Bid: types.Bid },
    primaryType: "Bid",
    message: bid,
  } as const;
}

/** EIP-712 hash of an order's struct: its identity, in every market alike. */
export function orderHash(order: Order): Hex {
  return hashStruct({ data: order, types, primaryType: "Order" });
}

/** EIP-712 hash of a bid's struct. */
export function bidHash(bid: Bid): Hex {
  return hashStruct({ data: bid, types, primaryType: "Bid" });
}

/** What a consumer signs. */
export function orderDigest(order: Order, domain: MarketDomain): Hex {
  return hashTypedData(orderTypedData(order, domain));
}

/** What a provider signs. */
export function bidDigest(bid: Bid, domain: MarketDomain): Hex {
  return hashTypedData(bidTypedData(bid, domain));
}

export type SealParameters = MarketDomain & {
  readonly jobId: bigint;
  readonly bid: Bid;
  /** 32 bytes that nobody can guess. */
  readonly salt: Hex;
};

/** What hides a bid until it is revealed; good for one sender, job, chain and market. */
export function bidCommitment({ chainId, market, jobId, bid, salt }: SealParameters): Hex {
  return keccak256(
    encodeAbiParameters(
      [
        { type: "uint256" },
        { type: "address" },
        { type: "uint256" },
        { type: "address" },
        { type: "bytes32" },
        { type: "bytes32" },
      ],
      [BigInt(chainId), market, jobId, bid.provider, bidHash(bid), salt],
    ),
  );
}
