import type { Address, ContractFunctionReturnType, Hex } from "viem";
import type { abis } from "../../chain/abi/index.ts";
import type { JobRecord } from "../jobs/job-record.ts";

type MarketView<F extends "auctionOf" | "bidsOf"> = ContractFunctionReturnType<
  (typeof abis)["Market"],
  "view",
  F
>;

export type DescribeBidsParameters = {
  readonly job: JobRecord;
  /** What the market holds of the auction and its bids now. */
  readonly auction: MarketView<"auctionOf">;
  readonly sealed: MarketView<"bidsOf">;
  /** Seconds since 1970. */
  readonly now: bigint;
};

/** Where an auction is. */
export type AuctionPhase = "sealing" | "opening" | "to be awarded" | "awarded" | "over";

/** What has become of a bid. */
export type BidState = "sealed" | "hidden" | "opened" | "won" | "walked away" | "bond lost" | "bond returned";

/** A bid of an auction; what was not revealed is null. Amounts are base units, the price in the order's own unit. */
export type DescribedBid = {
  readonly provider: Address;
  readonly commitment: Hex;
  /** Seconds since 1970. */
  readonly committedAt: number;
  readonly state: BidState;
  readonly price: bigint | null;
  /** When the auction began. */
  readonly stake: bigint | null;
  readonly compute: number | null;
  readonly region: bigint | null;
  readonly regulations: bigint | null;
  readonly privacyTier: number | null;
};

/** An auction as its consumer sees it, bids in the order of their commitments. */
export function describeBids({ job, auction, sealed, now }: DescribeBidsParameters): {
  phase: AuctionPhase;
  bids: DescribedBid[];
} {
  const bids = sealed.map((bid, index): DescribedBid => {
    const { provider, commitment, committedAt, isRevealed, price, stake } = bid;
    const revealed = job.auction?.bids.get(provider)?.revealed;
    return {
      provider,
      commitment,
      committedAt,
      state: stateOf(bid, auction.winner === index + 1, now > BigInt(auction.revealUntil)),
      price: isRevealed ? price : null,
      stake: isRevealed ? stake : null,
      compute: revealed?.compute ?? null,
      region: revealed?.region ?? null,
      regulations: revealed?.regulations ?? null,
      privacyTier: revealed?.privacyTier ?? null,
    };
  });
  return { phase: phaseOf(auction, job, now), bids };
}

function stateOf(
  { isRevealed, isSettled, isOut }: MarketView<"bidsOf">[number],
  isWinner: boolean,
  isDecided: boolean,
): BidState {
  if (!isRevealed) {
    if (isSettled) return "bond lost";
    return isDecided ? "hidden" : "sealed";
  }
  if (isOut) return "walked away";
  if (isWinner) return "won";
  return isSettled ? "bond returned" : "opened";
}

function phaseOf(
  { commitUntil, revealUntil, winner, isOver }: MarketView<"auctionOf">,
  { status }: JobRecord,
  now: bigint,
): AuctionPhase {
  if (now <= BigInt(commitUntil) && !isOver) return "sealing";
  if (now <= BigInt(revealUntil) && !isOver) return "opening";
  if (winner !== 0) return "awarded";
  return isOver || status !== "Open" ? "over" : "to be awarded";
}
