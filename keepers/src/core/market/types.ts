import type { Address, Hex } from "viem";

/** Codes of `Scheme`: who vouches for a result. */
export const schemes = { optimistic: 0, committee: 1, both: 2 } as const;
export type SchemeName = keyof typeof schemes;

/** What is to be computed (`Problem` of contracts/jobs/interfaces/Orders.sol). */
export type Problem = {
  /** The anchored dataset. */
  readonly datasetId: Hex;
  /** `trainingHash` of the training order. */
  readonly trainingHash: Hex;
  readonly programRoot: Hex;
  /** Nodes of the three tapes. */
  readonly nodeCounts: readonly [number, number, number];
  /** Node of tape 0 whose tensor is the witness of a step. */
  readonly witnessNode: number;
  /** Tensors of the state. */
  readonly slots: number;
  /** SHA-256 of the package: see `package.ts`. */
  readonly programDigest: Hex;
};

/** What a bid must meet, and what happens after it was taken (`Conditions`). */
export type Conditions = {
  /** Token base units, or units of the feed's quote when there is one. */
  readonly maximumPrice: bigint;
  /** Most token base units that leave the consumer's account for the price. */
  readonly deposit: bigint;
  /** Chainlink feed with the price of one whole token; zero: prices are in tokens. */
  readonly priceFeed: Address;
  /** Seconds from the provider's lock to its commitment. */
  readonly trainingTime: number;
  readonly minimumCompute: number;
  /** Mask of regions of which the provider's is to be one; 0: any. */
  readonly regions: bigint;
  /** Mask of regulations that the provider is to fulfil, all of them. */
  readonly regulations: bigint;
  readonly privacyTier: number;
  /** One of `schemes`. */
  readonly scheme: number;
  readonly committeeSize: number;
  readonly threshold: number;
  /** Token base units for each interval that a member checks. */
  readonly checkFee: bigint;
  /** Equal parts in which the price may be paid, all but the last for verified checkpoints; 0 or 1: at the end alone. */
  readonly instalments: number;
};

/** What a consumer signs (`Order`). */
export type Order = {
  readonly consumer: Address;
  readonly problem: Problem;
  readonly conditions: Conditions;
  /** Used once, in any order. */
  readonly nonce: bigint;
  /** Last second, since 1970, in which it can be matched. */
  readonly expiry: bigint;
};

/** What a provider says of itself in a bid. */
export type Abilities = {
  readonly compute: number;
  /** One bit: where it computes. */
  readonly region: bigint;
  readonly regulations: bigint;
  readonly privacyTier: number;
};

/** What a provider signs, or reveals (`Bid`). */
export type Bid = Abilities & {
  readonly provider: Address;
  /** EIP-712 hash of the order's struct. */
  readonly order: Hex;
  /** As `Conditions.maximumPrice`. */
  readonly price: bigint;
  readonly nonce: bigint;
  /** Last second, since 1970, in which it can be matched. */
  readonly expiry: bigint;
};

/** Times and bond of a sealed-bid auction (`AuctionTerms`). */
export type AuctionTerms = {
  /** Seconds in which bids are committed to, then revealed. */
  readonly commitWindow: number;
  readonly revealWindow: number;
  /** Token base units that each bid puts up: at least a tenth of the order's deposit. */
  readonly bond: bigint;
};
