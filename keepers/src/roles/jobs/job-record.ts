import { type Address, type Hex, stringToHex } from "viem";
import type { ContractEvent } from "../../chain/contracts.ts";
import type { AuctionTerms, Bid, Order } from "../../core/market/types.ts";

type Named<N extends "Market" | "JobRegistry" | "Instalments"> =
  ContractEvent<N> extends infer E
    ? E extends { eventName: infer F extends string; args: infer A }
      ? { readonly name: `${N}.${F}`; readonly args: A }
      : never
    : never;

/** An event of a job, as the ledger keeps it. */
export type JobEvent = Named<"Market"> | Named<"JobRegistry"> | Named<"Instalments">;

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

/** How `SettlementPending` says that a program was shown to be void. */
export const voidReason = stringToHex("void", { size: 32 });

/** A bid in an auction. */
export type AuctionBid = {
  readonly provider: Address;
  readonly commitment: Hex;
  /** Revealed. */
  readonly price: bigint | undefined;
  readonly revealed: Bid | undefined;
  /** Its bond was returned, or lost. */
  readonly isSettled: boolean;
};

export type AuctionRecord = {
  readonly terms: AuctionTerms;
  readonly commitUntil: bigint;
  readonly revealUntil: bigint;
  /** Last second of the grace for bids that are still hidden, once a timeout was called. */
  readonly graceEnds: bigint | undefined;
  readonly bids: ReadonlyMap<Address, AuctionBid>;
  readonly isOver: boolean;
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

/** A commitment to a prefix of the trace, with its state stored, while training went on. */
export type CheckpointRecord = CommittedResult & {
  /** 1 … instalments − 1. */
  readonly number: number;
  /** Steps up to the checkpoint. */
  readonly steps: number;
  /** Token base units, once it is closed; 0 when the job was over by then. */
  readonly paid: bigint | undefined;
  /** Last second of the grace in which it can still be challenged, once its timeout was called. */
  readonly graceEnds: bigint | undefined;
};

/** A job, from its events. Times are seconds since 1970, amounts token base units. */
export type JobRecord = {
  readonly jobId: bigint;
  readonly orderHash: Hex;
  readonly consumer: Address;
  readonly order: Order;
  readonly training: Hex;
  readonly status: JobStatus;
  readonly provider: Address | undefined;
  readonly price: bigint | undefined;
  readonly stake: bigint | undefined;
  /** When the provider is to lock by (Matched), or to commit by (Training). */
  readonly deadline: bigint | undefined;
  /** Last second of the grace for what is due in this status, once its timeout was called. */
  readonly graceEnds: bigint | undefined;
  /** How often it was given to somebody. */
  readonly matches: number;
  readonly result: CommittedResult | undefined;
  /** In the order of their numbers. */
  readonly checkpoints: readonly CheckpointRecord[];
  readonly auction: AuctionRecord | undefined;
  /** A committee has vouched for it. */
  readonly isAttested: boolean;
  readonly certificateId: bigint | undefined;
  /** A job has ended by what the game or the committee has said, but its money has still to be moved: `settle` is due. */
  readonly isOwed: boolean;
  /** Of a job that failed: "late", "convicted", "withheld", "lost", "misstored" or "stranded" in 32 bytes. */
  readonly failure: Hex | undefined;
};

/** What the events of one job come to, in their order; undefined without the one that opens it. */
export function foldJob(events: readonly JobEvent[]): JobRecord | undefined {
  const opened = events.find((event) => event.name === "JobRegistry.JobOpened");
  if (opened === undefined) return undefined;
  const { jobId, orderHash, consumer, order, training } = opened.args;
  let job: JobRecord = {
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
    graceEnds: undefined,
    matches: 0,
    result: undefined,
    checkpoints: [],
    auction: undefined,
    isAttested: false,
    certificateId: undefined,
    isOwed: false,
    failure: undefined,
  };
  for (const event of events) job = { ...job, ...changeOf(job, event) };
  return job;
}

/** Whether a provider has locked the job, and it has not ended. */
export function isRunning({ status }: JobRecord): boolean {
  return status === "Training" || status === "Committed" || status === "Attested";
}

/** A commitment of a job, by the number of its checkpoint; 0 for the last one. */
export function commitmentOf(job: JobRecord, checkpoint: number): CommittedResult | undefined {
  return checkpoint === 0 ? job.result : job.checkpoints.find(({ number }) => number === checkpoint);
}

/** Whether the time for what is due, and the grace after it, are over: whoever has not done it cannot do it any more. */
export function isPast({ graceEnds }: Pick<JobRecord, "graceEnds">, now: bigint): boolean {
  return graceEnds !== undefined && now > graceEnds;
}

/** Whether a commitment of a running job takes no challenges any more. */
export function isUnchallengeable(job: JobRecord, checkpoint: number, now: bigint): boolean {
  const posted = job.checkpoints.find(({ number }) => number === checkpoint);
  return isPast(checkpoint === 0 ? job : { graceEnds: posted?.graceEnds }, now);
}

/** What an event changes in a job. Each status has a timeout of its own. */
function changeOf(job: JobRecord, event: JobEvent): Partial<JobRecord> {
  switch (event.name) {
    case "JobRegistry.JobMatched": {
      const { provider, price, stake, lockUntil } = event.args;
      const matches = job.matches + 1;
      return {
        status: "Matched",
        provider,
        price,
        stake,
        deadline: lockUntil,
        graceEnds: undefined,
        matches,
      };
    }
    case "JobRegistry.JobUnmatched":
      return { status: "Open", provider: undefined, graceEnds: undefined };
    case "JobRegistry.TimeoutCalled":
      return { graceEnds: event.args.graceEnds };
    case "JobRegistry.JobLocked":
      return { status: "Training", deadline: event.args.commitUntil, graceEnds: undefined };
    case "JobRegistry.JobCommitted": {
      const { traceRoot, stateRoot, leavesDigest, resultId, challengeUntil } = event.args;
      const result = { traceRoot, stateRoot, leavesDigest, resultId, challengeUntil };
      return { status: "Committed", result, graceEnds: undefined };
    }
    case "Instalments.CheckpointPosted": {
      const { number, steps, traceRoot, stateRoot, leavesDigest, resultId, challengeUntil } = event.args;
      const result = { traceRoot, stateRoot, leavesDigest, resultId, challengeUntil };
      const open = { paid: undefined, graceEnds: undefined };
      const posted = { number: Number(number), steps: Number(steps), ...result, ...open };
      return { checkpoints: [...job.checkpoints, posted] };
    }
    case "Instalments.TimeoutCalled": {
      const { number, graceEnds } = event.args;
      const call = (each: CheckpointRecord) =>
        each.number === Number(number) ? { ...each, graceEnds } : each;
      return { checkpoints: job.checkpoints.map(call) };
    }
    case "Instalments.CheckpointClosed": {
      const { number, paid } = event.args;
      const close = (each: CheckpointRecord) => (each.number === Number(number) ? { ...each, paid } : each);
      return { checkpoints: job.checkpoints.map(close) };
    }
    case "JobRegistry.JobAttested":
      return { status: "Attested", isAttested: true, graceEnds: undefined };
    case "JobRegistry.JobFinalised":
      return { status: "Finalised", certificateId: event.args.certificateId };
    case "JobRegistry.JobExpired":
      return { status: "Expired" };
    case "JobRegistry.JobCancelled":
      return { status: "Cancelled" };
    case "JobRegistry.JobFailed":
      return { status: "Failed", isOwed: false, failure: event.args.reason };
    case "JobRegistry.JobVoided":
      return { status: "Void", isOwed: false };
    case "JobRegistry.SettlementPending": {
      const { reason } = event.args;
      if (reason === voidReason) return { status: "Void", isOwed: true };
      return { status: "Failed", isOwed: true, failure: reason };
    }
    case "Market.AuctionOpened": {
      const { terms, commitUntil, revealUntil } = event.args;
      return {
        auction: { terms, commitUntil, revealUntil, graceEnds: undefined, bids: new Map(), isOver: false },
      };
    }
    default:
      return job.auction === undefined
        ? {}
        : { auction: { ...job.auction, ...auctionChange(job.auction, event) } };
  }
}

function auctionChange({ bids }: AuctionRecord, event: JobEvent): Partial<AuctionRecord> {
  const withBid = (provider: Address, change: Partial<AuctionBid>): Partial<AuctionRecord> => {
    const bid = bids.get(provider);
    return bid === undefined ? {} : { bids: new Map([...bids, [provider, { ...bid, ...change }]]) };
  };
  switch (event.name) {
    case "Market.BidCommitted": {
      const { provider, commitment } = event.args;
      const bid = { provider, commitment, price: undefined, revealed: undefined, isSettled: false };
      return { bids: new Map([...bids, [provider, bid]]) };
    }
    case "Market.BidRevealed":
      return withBid(event.args.provider, { price: event.args.bid.price, revealed: event.args.bid });
    case "Market.BondReturned":
    case "Market.BondLost":
      return withBid(event.args.provider, { isSettled: true });
    case "Market.RevealTimeoutCalled":
      return { graceEnds: event.args.graceEnds };
    case "Market.AuctionClosed":
      return { isOver: true };
    default:
      return {};
  }
}
