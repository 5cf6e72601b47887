import { type Address, type Hex, zeroAddress } from "viem";
import type { ContractName } from "../../chain/abi/index.ts";
import type { AssayEvent, ContractEvent } from "../../chain/contracts.ts";
import { claimNameOf } from "../../core/market/instalments.ts";
import type { Order } from "../../core/market/types.ts";
import type { Attribution } from "./attribution.ts";
import { eventId } from "./event-rows.ts";
import type { Stamps } from "./history.ts";
import { paymentRows } from "./payment-rows.ts";
import { reasonText } from "./reason-text.ts";
import type { Row, Value } from "./rows.ts";

/** What an index has to tell of a job, from the chain's events alone. */
export type JobRows = {
  readonly jobs: readonly Row[];
  readonly orders: readonly Row[];
  readonly auctions: readonly Row[];
  readonly bids: readonly Row[];
  readonly checkpoints: readonly Row[];
  readonly payments: readonly Row[];
  readonly challenges: readonly Row[];
  readonly moves: readonly Row[];
  readonly attestations: readonly Row[];
  readonly certificates: readonly Row[];
};

type Draft = { id: string; [field: string]: Value };
type Table = Map<string, Draft>;
type Args<N extends ContractName, E extends ContractEvent<N>["eventName"]> = Extract<
  ContractEvent<N>,
  { eventName: E }
>["args"];

const schemeNames = ["Optimistic", "Committee", "Both"] as const;
const lower = (text: Hex) => text.toLowerCase();
const text = (value: bigint | number) => String(value);

/**
 * Folds the events of jobs into the rows that an index has to give.
 *
 * @param events the jobs' own, in order, and the ones that posted their orders
 */
export function jobRows(events: readonly AssayEvent[], stamps: Stamps, attribution: Attribution): JobRows {
  const fold = new JobFold(stamps);
  for (const event of events) fold.add(event);
  return { ...fold.rows(), payments: paymentRows(events, stamps, attribution) };
}

class JobFold {
  readonly #stamps: Stamps;
  readonly #jobs: Table = new Map();
  readonly #orders: Table = new Map();
  readonly #auctions: Table = new Map();
  readonly #bids: Table = new Map();
  readonly #checkpoints: Table = new Map();
  readonly #challenges: Table = new Map();
  readonly #moves: Table = new Map();
  readonly #attestations: Table = new Map();
  readonly #certificates: Table = new Map();

  constructor(stamps: Stamps) {
    this.#stamps = stamps;
  }

  rows(): Omit<JobRows, "payments"> {
    const list = (table: Table): Row[] => [...table.values()];
    return {
      jobs: list(this.#jobs),
      orders: list(this.#orders),
      auctions: list(this.#auctions),
      bids: list(this.#bids),
      checkpoints: list(this.#checkpoints),
      challenges: list(this.#challenges),
      moves: list(this.#moves),
      attestations: list(this.#attestations),
      certificates: list(this.#certificates),
    };
  }

  add(event: AssayEvent): void {
    switch (event.contract) {
      case "Market":
        this.#market(event);
        return;
      case "JobRegistry":
        this.#registry(event);
        return;
      case "Instalments":
        this.#instalments(event);
        return;
      case "Escrow":
        this.#escrow(event);
        return;
      case "DisputeGame":
        this.#dispute(event);
        return;
      case "Committee":
        this.#committee(event);
        return;
      case "ModelCertificate":
        this.#certificate(event);
        return;
    }
  }

  #time(event: AssayEvent): string {
    return String(this.#stamps.get(event.transactionHash)!.timestamp);
  }

  #order(event: AssayEvent, hash: Hex, order: Order): Draft {
    const { problem, conditions } = order;
    const { priceFeed } = conditions;
    return draft(this.#orders, hash, {
      consumer: lower(order.consumer),
      datasetId: problem.datasetId,
      dataset: problem.datasetId,
      trainingHash: problem.trainingHash,
      programRoot: problem.programRoot,
      programDigest: problem.programDigest,
      maximumPrice: text(conditions.maximumPrice),
      deposit: text(conditions.deposit),
      trainingTime: text(conditions.trainingTime),
      minimumCompute: text(conditions.minimumCompute),
      regions: text(conditions.regions),
      regulations: text(conditions.regulations),
      privacyTier: conditions.privacyTier,
      scheme: schemeNames[conditions.scheme] ?? null,
      committeeSize: conditions.committeeSize,
      threshold: conditions.threshold,
      checkFee: text(conditions.checkFee),
      instalments: conditions.instalments,
      nonce: text(order.nonce),
      expiry: text(order.expiry),
      priceFeed: priceFeed === zeroAddress ? null : lower(priceFeed),
      training: null,
      trainingPackage: null,
      isPosted: false,
      createdAt: this.#time(event),
    });
  }

  #market(event: ContractEvent<"Market">): void {
    switch (event.eventName) {
      case "OrderPosted":
        Object.assign(this.#order(event, event.args.orderHash, event.args.order), {
          training: event.args.training,
          trainingPackage: event.args.package,
          isPosted: true,
        });
        return;
      case "AuctionOpened":
        this.#auctioned(event.args);
        return;
      case "RevealTimeoutCalled":
        this.#auctions.get(text(event.args.jobId))!.revealUntil = text(event.args.graceEnds);
        return;
      case "AuctionClosed":
        this.#auctions.get(text(event.args.jobId))!.isClosed = true;
        return;
      case "BidCommitted":
        this.#bid(event, event.args).commitment = event.args.commitment;
        return;
      case "BidRevealed":
      case "BidAccepted": {
        const { price, compute } = event.args.bid;
        const status = event.eventName === "BidAccepted" ? "Won" : "Revealed";
        Object.assign(this.#bid(event, event.args), { price: text(price), compute: text(compute), status });
        return;
      }
      case "AuctionAwarded":
        this.#bid(event, event.args).status = "Won";
        this.#auctions.get(text(event.args.jobId))!.winner = lower(event.args.provider);
        return;
      case "BondReturned": {
        const bid = this.#bid(event, event.args);
        if (bid.status !== "Won") bid.status = "BondReturned";
        return;
      }
      case "BondLost": {
        const { amount, reason } = event.args;
        Object.assign(this.#bid(event, event.args), {
          status: "BondLost",
          bondLost: text(amount),
          reason: reasonText(reason),
        });
      }
    }
  }

  #auctioned({ jobId, terms, commitUntil, revealUntil }: Args<"Market", "AuctionOpened">): void {
    draft(this.#auctions, text(jobId), {
      job: text(jobId),
      bond: text(terms.bond),
      commitUntil: text(commitUntil),
      revealUntil: text(revealUntil),
      isClosed: false,
      winner: null,
    });
  }

  #bid(event: AssayEvent, { jobId, provider }: { jobId: bigint; provider: Address }): Draft {
    return draft(this.#bids, `${jobId}-${lower(provider)}`, {
      job: text(jobId),
      provider: lower(provider),
      commitment: null,
      price: null,
      compute: null,
      status: "Committed",
      bondLost: "0",
      reason: null,
      at: this.#time(event),
    });
  }

  #job(jobId: bigint): Draft {
    return this.#jobs.get(text(jobId))!;
  }

  #registry(event: ContractEvent<"JobRegistry">): void {
    switch (event.eventName) {
      case "JobOpened":
        this.#opened(event, event.args);
        return;
      case "JobMatched": {
        const { jobId, provider, price, stake } = event.args;
        const given = {
          provider: lower(provider),
          price: text(price),
          stake: text(stake),
          status: "Matched",
        };
        Object.assign(this.#job(jobId), given);
        return;
      }
      case "JobUnmatched":
        Object.assign(this.#job(event.args.jobId), { provider: null, status: "Open" });
        return;
      case "JobLocked": {
        const { jobId, stake, commitUntil } = event.args;
        const locked = { stake: text(stake), commitUntil: text(commitUntil), status: "Training" };
        Object.assign(this.#job(jobId), locked);
        return;
      }
      case "JobCommitted": {
        const { jobId, traceRoot, stateRoot, leavesDigest, resultId, challengeUntil } = event.args;
        const roots = { traceRoot, stateRoot, leavesDigest, result: resultId };
        Object.assign(this.#job(jobId), roots, { challengeUntil: text(challengeUntil), status: "Committed" });
        return;
      }
      case "JobAttested":
        this.#job(event.args.jobId).status = "Attested";
        return;
      case "SettlementPending": {
        const reason = reasonText(event.args.reason);
        const isVoid = reason === "void";
        if (!isVoid) this.#job(event.args.jobId).reason = reason;
        this.#ended(event, event.args.jobId, isVoid ? "Void" : "Failed");
        return;
      }
      case "JobFailed": {
        const { jobId, reason, slashed } = event.args;
        Object.assign(this.#job(jobId), { reason: reasonText(reason), slashed: text(slashed) });
        this.#ended(event, jobId, "Failed");
        return;
      }
      case "JobFinalised":
        this.#ended(event, event.args.jobId, "Finalised");
        return;
      case "JobCancelled":
        this.#ended(event, event.args.jobId, "Cancelled");
        return;
      case "JobExpired":
        this.#ended(event, event.args.jobId, "Expired");
        return;
      case "JobVoided":
        this.#ended(event, event.args.jobId, "Void");
        return;
    }
  }

  #opened(
    event: AssayEvent,
    { jobId, orderHash, consumer, order, training }: Args<"JobRegistry", "JobOpened">,
  ): void {
    const ordered = this.#order(event, orderHash, order);
    ordered.training ??= training;
    const nothing = { price: "0", stake: "0", paid: "0", refunded: "0", slashed: "0" };
    draft(this.#jobs, text(jobId), {
      order: orderHash,
      dataset: order.problem.datasetId,
      consumer: lower(consumer),
      provider: null,
      status: "Open",
      ...nothing,
      commitUntil: null,
      challengeUntil: null,
      traceRoot: null,
      stateRoot: null,
      leavesDigest: null,
      result: null,
      reason: null,
      openedAt: this.#time(event),
      endedAt: null,
    });
  }

  #ended(event: AssayEvent, jobId: bigint, status: string): void {
    const job = this.#job(jobId);
    // Where an end was reported before it was settled, it was one from then on.
    Object.assign(job, { status, endedAt: job.endedAt ?? this.#time(event) });
  }

  #instalments(event: ContractEvent<"Instalments">): void {
    const { jobId, number } = event.args;
    const id = `${jobId}-${number}`;
    if (event.eventName === "CheckpointClosed") {
      Object.assign(this.#checkpoints.get(id)!, { isClosed: true, paid: text(event.args.paid) });
      return;
    }
    // A called timeout changes no row: the failure that may follow does.
    if (event.eventName !== "CheckpointPosted") return;
    const { provider, steps, traceRoot, stateRoot, leavesDigest, resultId, challengeUntil } = event.args;
    draft(this.#checkpoints, id, {
      job: text(jobId),
      number: Number(number),
      provider: lower(provider),
      steps: text(steps),
      ...{ traceRoot, stateRoot, leavesDigest, result: resultId },
      challengeUntil: text(challengeUntil),
      isClosed: false,
      paid: "0",
      postedAt: this.#time(event),
    });
  }

  #escrow(event: ContractEvent<"Escrow">): void {
    const add = (field: string, amount: bigint, jobId: bigint) => {
      const job = this.#job(jobId);
      job[field] = text(BigInt(job[field] as string) + amount);
    };
    if (event.eventName === "PricePaid") add("paid", event.args.amount, event.args.jobId);
    if (event.eventName === "Refunded") add("refunded", event.args.amount, event.args.jobId);
  }

  #dispute(event: ContractEvent<"DisputeGame">): void {
    switch (event.eventName) {
      case "Challenged":
        this.#challenged(event, event.args);
        return;
      case "Moved":
        this.#moved(event, event.args);
        return;
      case "ChallengeLost":
        this.#challengeEnds(event, event.args.challengeId, "Lost");
        return;
      case "ProviderConvicted":
        this.#challengeEnds(event, event.args.challengeId, "Convicted");
        return;
      case "ChallengeSettled": {
        const { challengeId } = event.args;
        const isOpen = this.#challenges.get(text(challengeId))!.status === "Open";
        if (isOpen) this.#challengeEnds(event, challengeId, "Settled");
        return;
      }
      case "RewardPaid": {
        const { challengeId, reward } = event.args;
        const challenge = this.#challenges.get(text(challengeId))!;
        challenge.reward = text(BigInt(challenge.reward as string) + reward);
      }
    }
  }

  #challenged(event: AssayEvent, args: Args<"DisputeGame", "Challenged">): void {
    const { jobId, checkpoint } = claimNameOf(args.jobId);
    draft(this.#challenges, text(args.challengeId), {
      job: text(jobId),
      challenger: lower(args.challenger),
      provider: lower(args.claim.provider),
      checkpoint,
      interval: text(args.interval),
      traceRoot: args.claim.traceRoot,
      stage: 0,
      ...{ firstStep: "0", steps: "0", place: "0", index: "0", reward: "0" },
      moveCount: 0,
      status: "Open",
      openedAt: this.#time(event),
      endedAt: null,
    });
  }

  #moved(event: AssayEvent, { challengeId, stage, position }: Args<"DisputeGame", "Moved">): void {
    const challenge = this.#challenges.get(text(challengeId))!;
    const { firstStep, steps, place, level, index } = position;
    const at = { firstStep: text(firstStep), steps: text(steps), place: text(place), index: text(index) };
    const number = (challenge.moveCount as number) + 1;
    Object.assign(challenge, at, { stage, moveCount: number });
    draft(this.#moves, eventId(event), {
      challenge: text(challengeId),
      number,
      by: lower(this.#stamps.get(event.transactionHash)!.from),
      stage,
      ...at,
      level: text(level),
      timestamp: this.#time(event),
      transaction: event.transactionHash,
    });
  }

  #challengeEnds(event: AssayEvent, challengeId: bigint, status: string): void {
    const challenge = this.#challenges.get(text(challengeId))!;
    Object.assign(challenge, { status, endedAt: challenge.endedAt ?? this.#time(event) });
  }

  #committee(event: ContractEvent<"Committee">): void {
    switch (event.eventName) {
      case "CommitteeAsked":
        this.#attestation(event.args);
        return;
      case "CommitteeDrawn": {
        const { members, seed, deadline } = event.args;
        const drawn = { members: members.map(text), seed, deadline: text(deadline), status: "Drawn" };
        Object.assign(this.#attestation(event.args), drawn);
        return;
      }
      case "RootSigned": {
        const { signers, root, deadline } = event.args;
        const signed = { signers: text(signers), root, deadline: text(deadline), status: "Signed" };
        Object.assign(this.#attestation(event.args), signed);
        return;
      }
      case "WitnessesOpened":
        this.#attestation(event.args).status = "Opened";
        return;
      case "DigestsRevealed": {
        const revealed = { differing: text(event.args.differing), status: "Revealed" };
        Object.assign(this.#attestation(event.args), revealed);
        return;
      }
      case "CommitteeAttested": {
        const attested = { feePerMember: text(event.args.feePerMember), status: "Attested" };
        Object.assign(this.#attestation(event.args), attested);
        return;
      }
      case "AttemptFailed":
      case "CommitteeDismissed": {
        // Members of every attempt are dismissed once the job is over: what was attested stays so.
        const attestation = this.#attestation(event.args);
        if (attestation.status !== "Attested") attestation.status = "Failed";
      }
    }
  }

  #attestation({ jobId, attempt }: { jobId: bigint; attempt: bigint }): Draft {
    return draft(this.#attestations, `${jobId}-${attempt}`, {
      job: text(jobId),
      attempt: text(attempt),
      status: "Asked",
      members: [],
      ...{ signers: "0", differing: "0", feePerMember: "0" },
      ...{ root: null, seed: null, deadline: null },
    });
  }

  #certificate(event: ContractEvent<"ModelCertificate">): void {
    if (event.eventName === "Transfer") {
      const certificate = this.#certificates.get(text(event.args.tokenId));
      if (certificate !== undefined && event.args.from !== zeroAddress)
        certificate.owner = lower(event.args.to);
      return;
    }
    if (event.eventName !== "CertificateIssued") return;
    const { certificateId, jobId, consumer, certificate: said } = event.args;
    const { programRoot, trainingHash, traceRoot, stateRoot, programDigest, leavesDigest, isAttested } = said;
    draft(this.#certificates, text(certificateId), {
      job: text(jobId),
      owner: lower(consumer),
      provider: lower(said.provider),
      order: said.orderHash,
      dataset: said.datasetId,
      result: said.resultId,
      ...{ programRoot, trainingHash, traceRoot, stateRoot, programDigest, leavesDigest, isAttested },
      finalisedAt: text(said.finalisedAt),
    });
  }
}

/** The row with an id, made when it is not there yet. */
function draft(table: Table, id: string, fields: { readonly [field: string]: Value }): Draft {
  const existing = table.get(id);
  if (existing !== undefined) return existing;
  const made: Draft = { id, ...fields };
  table.set(id, made);
  return made;
}
