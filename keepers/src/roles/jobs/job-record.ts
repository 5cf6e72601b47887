import type { Address, Hex } from "viem";
import type { ContractEvent } from "../../chain/contracts.ts";
import type { AuctionTerms, Order } from "../../core/market/types.ts";

type Named<N extends "Market" | "JobRegistry"> =
  ContractEvent<N> extends infer E
    ? E extends { eventName: infer F extends string; args: infer A }
      ? { readonly name: `${N}.${F}`; readonly args: A }
      : never
    : never;

/** An event of a job, as the ledger keeps it. */
export type JobEvent = Named<"Market"> | Named<"JobRegistry">;

/** Where a job is in its life: the statuses of `IJobRegistry`. */
export type JobStatus =
  | "Open"
  | "Matched"
  | "Training"
  | "Committed"
  | "Attested"
  | "Finalised"
  | "Expired"
  | "Cancelled"
  | "Failed"
  | "Void";

/** A bid in an auction. */
export type AuctionBid = {
  readonly provider: Address;
  readonly commitment: Hex;
  /** Revealed. */
  price: bigint | undefined;
  /** Its bond was returned, or lost. */
  isSettled: boolean;
};

export type AuctionRecord = {
  readonly terms: AuctionTerms;
  readonly commitUntil: bigint;
  readonly revealUntil: bigint;
  readonly bids: Map<Address, AuctionBid>;
  isOver: boolean;
};

export type CommittedResult = {
  readonly traceRoot: Hex;
  /** Of the last state. */
  readonly stateRoot: Hex;
  /** SHA-256 of the file of leaves; zero when they are withheld. */
  readonly leavesDigest: Hex;
  readonly resultId: Hex;
  readonly challengeUntil: bigint;
};

/** A job, from its events. Times are seconds since 1970, amounts token base units. */
export type JobRecord = {
  readonly jobId: bigint;
  readonly orderHash: Hex;
  readonly consumer: Address;
  readonly order: Order;
  readonly training: Hex;
  status: JobStatus;
  provider: Address | undefined;
  price: bigint | undefined;
  stake: bigint | undefined;
  /** When the provider is to lock by (Matched), or to commit by (Training). */
  deadline: bigint | undefined;
  /** How often it was given to somebody. */
  matches: number;
  result: CommittedResult | undefined;
  auction: AuctionRecord | undefined;
  certificateId: bigint | undefined;
  /** A job has ended, but its money has still to be moved. */
  isOwed: boolean;
  /** Of a job that failed: "late", "convicted" or "withheld" in 32 bytes. */
  failure: Hex | undefined;
};

/** What the events of one job come to, in their order; undefined without the one that opens it. */
export function foldJob(events: readonly JobEvent[]): JobRecord | undefined {
  const opened = events.find((event) => event.name === "JobRegistry.JobOpened");
  if (opened === undefined) return undefined;
  const { jobId, orderHash, consumer, order, training } = opened.args;
  const job: JobRecord = {
    jobId,
    orderHash,
    consumer,
    order,
    training,
    status: "Open",
    provider: undefined,
    price: undefined,
    stake: undefined,
    deadline: undefined,
    matches: 0,
    result: undefined,
    auction: undefined,
    certificateId: undefined,
    isOwed: false,
    failure: undefined,
  };
  for (const event of events) apply(job, event);
  return job;
}

function apply(job: JobRecord, event: JobEvent): void {
  switch (event.name) {
    case "JobRegistry.JobMatched": {
      const { provider, price, stake, lockUntil } = event.args;
      Object.assign(job, { status: "Matched", provider, price, stake, deadline: lockUntil });
      job.matches++;
      return;
    }
    case "JobRegistry.JobUnmatched":
      job.status = "Open";
      job.provider = undefined;
      return;
    case "JobRegistry.JobLocked":
      job.status = "Training";
      job.deadline = event.args.commitUntil;
      return;
    case "JobRegistry.JobCommitted": {
      const { traceRoot, stateRoot, leavesDigest, resultId, challengeUntil } = event.args;
      job.status = "Committed";
      job.result = { traceRoot, stateRoot, leavesDigest, resultId, challengeUntil };
      return;
    }
    case "JobRegistry.JobAttested":
      job.status = "Attested";
      return;
    case "JobRegistry.JobFinalised":
      job.status = "Finalised";
      job.certificateId = event.args.certificateId;
      return;
    case "JobRegistry.JobExpired":
      job.status = "Expired";
      return;
    case "JobRegistry.JobCancelled":
      job.status = "Cancelled";
      return;
    case "JobRegistry.JobFailed":
      job.status = "Failed";
      job.isOwed = false;
      job.failure = event.args.reason;
      return;
    case "JobRegistry.JobVoided":
      job.status = "Void";
      job.isOwed = false;
      return;
    case "JobRegistry.SettlementPending":
      job.isOwed = true;
      return;
    default:
      applyMarket(job, event);
  }
}

function applyMarket(job: JobRecord, event: JobEvent): void {
  if (event.name === "Market.AuctionOpened") {
    const { terms, commitUntil, revealUntil } = event.args;
    job.auction = { terms, commitUntil, revealUntil, bids: new Map(), isOver: false };
    return;
  }
  const { auction } = job;
  if (auction === undefined) return;
  switch (event.name) {
    case "Market.BidCommitted": {
      const { provider, commitment } = event.args;
      auction.bids.set(provider, { provider, commitment, price: undefined, isSettled: false });
      return;
    }
    case "Market.BidRevealed":
      auction.bids.get(event.args.provider)!.price = event.args.bid.price;
      return;
    case "Market.BondReturned":
    case "Market.BondLost":
      auction.bids.get(event.args.provider)!.isSettled = true;
      return;
    case "Market.AuctionClosed":
      auction.isOver = true;
      return;
  }
}
