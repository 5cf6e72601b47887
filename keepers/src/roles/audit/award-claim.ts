import { type Address, zeroAddress } from "viem";
import type { AssayEvent } from "../../chain/contracts.ts";
import { type Claim, type Difference, settled } from "./claims.ts";
import { compared, rowDifferences } from "./index-claims.ts";
import { hashesOf, type JobEvidence } from "./job-evidence.ts";
import { account, counted, tokens } from "./wording.ts";

/** Who got a job, and at which price; of an auction, whether each award went to the lowest bid that was left. */
export function awardClaim({ record, rowsAsOf, findings, events }: JobEvidence): Claim {
  const { bids, auctions } = rowsAsOf;
  const differences: Difference[] = rowDifferences(findings, { bids, auctions });
  const { provider, price, auction, order } = record;
  const revealed = [...(auction?.bids.values() ?? [])].filter((bid) => bid.price !== undefined);
  const isAuction = auction !== undefined;
  const awards = awardsOf(events);
  const isConverted = order.conditions.priceFeed !== zeroAddress;
  for (const { winner, asked, lowest, paid } of awards) {
    if (asked === undefined || asked !== lowest)
      differences.push({
        what: `bid of ${account(winner)}, which won`,
        told: asked === undefined ? "none" : amount(asked, isConverted),
        found: `the lowest that was left was ${lowest === undefined ? "none" : amount(lowest, isConverted)}`,
      });
    if (!isConverted && asked !== undefined && paid !== asked)
      differences.push({
        what: `price at which ${account(winner)} won`,
        told: tokens(paid),
        found: tokens(asked),
      });
  }
  const last = awards.at(-1);
  return settled(differences, {
    id: "award",
    topic: "award",
    statement:
      provider === undefined
        ? "Nobody has the job."
        : `${account(provider)} got the job for ${tokens(price ?? 0n)}${last === undefined ? "" : `, ${rank(last)}`}.`,
    how: isAuction
      ? `${awardHow(awards, isConverted)} ${compared(findings, "bids")} ${compared(findings, "auctions")}`
      : `The match was read from the chain. ${compared(findings, "bids")}`,
    problem: "What is told of the bids is not what was bid.",
    facts: revealed.map((bid) => [`bid of ${bid.provider}`, amount(bid.price!, isConverted)] as const),
    transactions: hashesOf(events, "Matched", "AuctionAwarded", "BidAccepted"),
  });
}

/** One award of an auction, and the bids among which it fell. */
type Award = {
  readonly winner: Address;
  /** What the winner had asked for; undefined when it had revealed no bid. */
  readonly asked: bigint | undefined;
  /** Lowest of the bids that were left. */
  readonly lowest: bigint | undefined;
  /** Price that it was awarded at, in tokens. */
  readonly paid: bigint;
  /** Bids that were left, and those that were out by then. */
  readonly left: number;
  readonly out: number;
};

/** Every award, in order: a winner that does not take the job is out, and so is who cannot lock its stake. */
function awardsOf(events: readonly AssayEvent[]): Award[] {
  const left = new Map<string, bigint>();
  const awards: Award[] = [];
  let out = 0;
  for (const event of events) {
    if (event.contract !== "Market") continue;
    switch (event.eventName) {
      case "BidRevealed":
        left.set(event.args.provider, event.args.bid.price);
        break;
      case "BondLost":
      case "BondReturned":
        if (left.delete(event.args.provider)) out++;
        break;
      case "AuctionAwarded": {
        const { provider: winner, price: paid } = event.args;
        let lowest: bigint | undefined;
        for (const asked of left.values()) if (lowest === undefined || asked < lowest) lowest = asked;
        awards.push({ winner, asked: left.get(winner), lowest, paid, left: left.size, out });
        if (left.delete(winner)) out++;
      }
    }
  }
  return awards;
}

function rank({ left, out }: Award): string {
  return out === 0
    ? `the lowest of ${counted(left, "sealed bid")}`
    : `the lowest of the ${counted(left, "sealed bid")} still in; ${counted(out, "bid")} ${out === 1 ? "was" : "were"} out by then`;
}

function awardHow(awards: readonly Award[], isConverted: boolean): string {
  const feed = isConverted
    ? " Bids are in the unit of a price feed: their order was checked, what the feed said and the price in tokens that followed were not."
    : "";
  if (awards.length === 0) return `Every bid was read from the chain; nobody won.${feed}`;
  const last = awards.at(-1)!;
  const others = last.left - 1;
  const compared = others > 0 ? `${others} asked for as much or more` : "there was no other";
  const before =
    last.out > 0
      ? ` ${counted(last.out, "bid")} had lost or got back the bond, or had won before without taking the job: the award of each was held against the bids that were left then.`
      : "";
  return `Every bid was read from the chain and compared: ${compared}.${before}${feed}`;
}

/** A bid is in tokens, or in the unit of the order's price feed. */
function amount(bid: bigint, isConverted: boolean): string {
  return isConverted ? `${bid} units of the price feed` : tokens(bid);
}
