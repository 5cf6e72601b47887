import { type Address, getAddress, type Hex, stringToHex } from "viem";
import type { AssayEvent } from "../../keepers/src/chain/contracts.ts";
import { claimNameOf } from "../../keepers/src/core/market/instalments.ts";
import type { Bid, Order } from "../../keepers/src/core/market/types.ts";
import { Accounts, type Charge, type Money } from "./accounts.ts";
import { Holdings } from "./holdings.ts";
import { basisPoints, burntOf, type Tariff } from "./tariff.ts";
import type { Truth } from "./truth.ts";
import { Wages } from "./wages.ts";
import type { Action } from "./world.ts";

/** Challenges of one job up to which a provider's bond refunds all moves in full. */
const mostRefunded = 20;
/** `Refunds`: gas of a challenge, of a move that goes on, and of a ruling. */
const refunds = { challenge: 300_000n, name: 150_000n, rule: 600_000n };
const stranded = stringToHex("stranded", { size: 32 });

type JobEntry = {
  readonly id: bigint;
  readonly consumer: Address;
  readonly deposit: bigint;
  readonly checkFee: bigint;
  readonly instalments: number;
  readonly bids: Map<Address, bigint>;
  readonly bond: bigint;
  price: bigint | undefined;
  /** Who has bid and not yet shown its bid. */
  readonly hidden: Set<Address>;
  /** Who was matched and has neither locked nor been let go. */
  matched: Address | undefined;
  provider: Address | undefined;
  isLocked: boolean;
  /** What its provider has committed to: the whole by 0, checkpoints by their numbers. */
  readonly results: Map<number, Result>;
  /** What its provider is owed of its price by now, and what of it its consumer has paid. */
  earned: bigint;
  paid: bigint;
  /** Of the price, what was paid out for checkpoints, right or not. */
  closed: bigint;
  /** It has ended without being paid whole. */
  isLost: boolean;
  /** Whether it was paid for a result that is right and that the consumer can have. */
  isDelivered: boolean | undefined;
};

type Result = { readonly isRight: boolean; readonly resultId: Hex; challenges: number };

type Challenge = { readonly result: Result; readonly challenger: Address; units: bigint };

/**
 * What everybody is owed at least, from what was done and what is true, by the table of docs/simulation.md. Nothing here asks a
 * contract: of events it takes the names that contracts give to things, and who was drawn.
 */
export class Ledger {
  readonly #tariff: Tariff;
  readonly #gasPrice: bigint;
  readonly #accounts = new Accounts();
  readonly #stored: Holdings;
  readonly #wages = new Wages(this.#accounts);
  readonly #gas = new Map<Address, bigint>();
  readonly #jobs = new Map<bigint, JobEntry>();
  readonly #challenges = new Map<bigint, Challenge>();
  readonly #members = new Map<string, readonly Address[]>();
  /** Members, by the accusations that were made of them. */
  readonly #accused = new Map<bigint, Address>();
  readonly #validators: Address[] = [];
  readonly #signers = new Map<bigint, readonly Address[]>();
  /** Members that were there, by draw; none once a root was signed. */
  readonly #appeared = new Map<string, Set<Address>>();

  /** @param epochOf epochs of the storage contracts, counted from their deployment */
  constructor(tariff: Tariff, gasPrice: bigint, epochOf: (time: number) => number) {
    this.#tariff = tariff;
    this.#gasPrice = gasPrice;
    this.#stored = new Holdings(tariff, this.#accounts, epochOf);
  }

  /** What an account is to have gained at least, or to have lost at most. */
  owedTo(account: Address): Money {
    return this.#accounts.owedTo(account);
  }

  /** What a coalition did and is to pay for. */
  get charges(): readonly Charge[] {
    return this.#accounts.charges;
  }

  /** Wei that an account has spent as gas. */
  gasOf(account: Address): bigint {
    return this.#gas.get(getAddress(account)) ?? 0n;
  }

  /** Jobs of which a provider was paid for a right result. */
  get delivered(): number {
    return [...this.#jobs.values()].filter(({ isDelivered }) => isDelivered === true).length;
  }

  /** Bundles that were ever held, and until when what is stored is paid for. */
  get stored(): Pick<Holdings, "lastEpoch" | "bundleIds"> {
    return this.#stored;
  }

  /** A provider has signed for what a worker has done since it last did. */
  earn(provider: Address, worker: Address, tokens: bigint): void {
    this.#wages.earn(provider, worker, tokens);
  }

  observe(action: Action, events: readonly AssayEvent[], truth: Truth): void {
    const { sent, from } = action;
    this.#gas.set(getAddress(from), this.gasOf(from) + BigInt(sent.gas) * this.#gasPrice);
    if (!sent.isRight) return;
    this.#ofMatches(events);
    if (action.contract === "Market") this.#atMarket(action);
    else if (action.contract === "JobRegistry") this.#ofJob(action, truth);
    else if (action.contract === "Instalments") this.#ofInstalment(action, truth);
    else if (action.contract === "DisputeGame") this.#ofDispute(action, events);
    else if (action.contract === "MemberGame") this.#ofAccusation(action, events, truth);
    else if (action.contract === "Committee") this.#ofCommittee(action, events);
    else if (action.contract === "ValidatorSet") this.#ofValidators(action);
    else if (action.contract === "ResultShortfalls") this.#ofResult(action, events);
    else if (action.contract === "ResultFraud") this.#ofStored(action);
    else if (action.contract === "WorkerRewards") this.#wages.observe(action);
    else this.#stored.observe(action, events, truth);
  }

  #atMarket({ name, args, from }: Action): void {
    if (name === "accept" || name === "openAuction") {
      const order = args[0] as Order;
      const { deposit, checkFee, instalments } = order.conditions;
      const id = BigInt(this.#jobs.size + 1);
      const bond = name === "openAuction" ? (args[3] as { bond: bigint }).bond : 0n;
      const parties = { price: undefined, matched: undefined, provider: undefined } as const;
      const job: JobEntry = {
        ...{ id, consumer: order.consumer, deposit, checkFee, bond, ...parties },
        ...{ bids: new Map(), hidden: new Set(), results: new Map(), instalments: Math.max(1, instalments) },
        ...{ earned: 0n, paid: 0n, closed: 0n, isLocked: false, isLost: false, isDelivered: undefined },
      };
      this.#jobs.set(id, job);
      if (name === "accept") {
        const bid = args[3] as Bid;
        job.bids.set(getAddress(bid.provider), bid.price);
        job.matched = getAddress(bid.provider);
      }
    } else if (name === "commitBid") {
      this.#jobs.get(args[0] as bigint)!.hidden.add(getAddress(from));
    } else if (name === "revealBid") {
      const job = this.#jobs.get(args[0] as bigint)!;
      job.hidden.delete(getAddress(from));
      job.bids.set(getAddress(from), (args[1] as Bid).price);
    } else if (name === "settleBid") {
      const [job, bidder] = [this.#jobs.get(args[0] as bigint)!, getAddress(args[1] as Address)];
      if (job.hidden.delete(bidder)) this.#accounts.charge(bidder, job.bond, "hid its bid");
    }
  }

  /** Who was chosen is said by events, wherever it was; who is let go has not locked in time. */
  #ofMatches(events: readonly AssayEvent[]): void {
    for (const { eventName, args } of events) {
      if (eventName !== "JobMatched" && eventName !== "JobUnmatched" && eventName !== "JobExpired") continue;
      const { jobId, provider } = args as { jobId: bigint; provider?: Address };
      // An order is matched in the transaction that opens its job: then its bid says who it is.
      const job = this.#jobs.get(jobId);
      if (job === undefined) continue;
      if (eventName === "JobMatched") job.matched = getAddress(provider!);
      else this.#letGo(job);
    }
  }

  /** A winner that does not lock loses what it put up for its commitment, and the bond of its bid. */
  #letGo(job: JobEntry): void {
    if (job.matched === undefined) return;
    this.#accounts.charge(job.matched, this.#performance(job) + job.bond, "won and did not lock");
    job.matched = undefined;
  }

  /** What a provider puts up for its commitment. */
  #performance({ deposit }: JobEntry): bigint {
    return deposit / this.#tariff.performanceDivisor;
  }

  /** What a provider puts up for its word. */
  #stake({ price }: JobEntry): bigint {
    return most(2n * price!, this.#tariff.minimumStake);
  }

  /** Who has committed to what is not so, or loses it, loses what it put up for its word, and what it was not given back. */
  #fail(job: JobEntry, why: string, reporter?: Address): void {
    const [stake, performance] = [this.#stake(job), this.#performance(job)];
    const returned = job.results.has(0) ? stake / 2n : 0n;
    job.isLost = true;
    this.#accounts.charge(job.provider!, stake + most(0n, performance - returned), why);
    if (reporter !== undefined)
      this.#accounts.add(reporter, { tokens: stake - burntOf(this.#tariff, stake) });
  }

  #ofJob({ name, args, from }: Action, truth: Truth): void {
    const job = this.#jobs.get(args[0] as bigint);
    if (job === undefined) return;
    if (name === "lock") {
      const provider = getAddress(from);
      Object.assign(job, { provider, isLocked: true, matched: undefined, price: job.bids.get(provider) });
    } else if (name === "commit") {
      const result = resultOf(args[1] as Commitment, truth);
      job.results.set(0, result);
      // Whatever becomes of the job: who computed right, in time, and had it stored is paid.
      if (result.isRight) this.#earn(job, job.price!);
    } else if (name === "expire" && job.isLocked && !job.results.has(0)) {
      job.isLost = true;
      const late = (this.#stake(job) * this.#tariff.latePenalty) / basisPoints;
      this.#accounts.charge(job.provider!, this.#performance(job) + late, "locked and did not commit");
    } else if (name === "finalise") {
      const { isRight, resultId } = job.results.get(0)!;
      job.isDelivered = isRight && this.#stored.isRetrievable(resultId, truth);
      if (job.isDelivered) this.#pay(job, job.price!);
    }
  }

  /** A provider is owed so much of its price by now. */
  #earn(job: JobEntry, tokens: bigint): void {
    this.#accounts.add(job.provider!, { tokens: tokens - job.earned });
    job.earned = tokens;
  }

  /** A consumer pays so much of the price by now. */
  #pay(job: JobEntry, tokens: bigint): void {
    this.#accounts.add(job.consumer, { tokens: job.paid - tokens });
    job.paid = tokens;
  }

  /** A checkpoint that is right, and that the consumer can have, is worth its part of the price, whatever comes after it. */
  #ofInstalment({ name, args }: Action, truth: Truth): void {
    const [job, number] = [this.#jobs.get(args[0] as bigint)!, Number(args[1])];
    if (name === "post") job.results.set(number, resultOf(args[2] as Commitment, truth));
    if (name !== "close" || job.isLost) return;
    const { isRight, resultId } = job.results.get(number)!;
    const part = (job.price! * BigInt(number)) / BigInt(job.instalments);
    job.closed = most(job.closed, part);
    if (isRight && part > job.earned) this.#earn(job, part);
    if (isRight && part > job.paid && this.#stored.isRetrievable(resultId, truth)) this.#pay(job, part);
  }

  /** What was committed to, by the number of the claim in the dispute game. */
  #claim(claimId: bigint): { job: JobEntry; result: Result } | undefined {
    const { jobId, checkpoint } = claimNameOf(claimId);
    const job = this.#jobs.get(jobId);
    const result = job?.results.get(checkpoint);
    return job && result && { job, result };
  }

  #ofDispute({ name, args, from }: Action, events: readonly AssayEvent[]): void {
    const { refundPrice, challengerBond } = this.#tariff;
    if (name === "challenge" || name === "challengeTrace") {
      const claimId = args[0] as bigint;
      const claim = this.#claim(claimId);
      if (claim === undefined) return;
      const { job, result } = claim;
      result.challenges++;
      const id = (claimId << 32n) | BigInt(result.challenges);
      this.#challenges.set(id, { result, challenger: from, units: refunds.challenge });
      // A right trace loses to nobody: half of every bond is the provider's.
      if (result.isRight) this.#accounts.add(job.provider!, { coins: challengerBond / 2n });
    } else if (name === "play") {
      const challenge = this.#challenges.get(args[0] as bigint);
      if (challenge === undefined || getAddress(challenge.challenger) !== getAddress(from)) return;
      const isRuled = events.some(({ eventName }) => eventName === "ProviderConvicted");
      challenge.units += isRuled ? refunds.rule : refunds.name;
    }
    const convicted = events.find(({ eventName }) => eventName === "ProviderConvicted");
    if (convicted === undefined) return;
    const { jobId, challenger: first } = convicted.args as { jobId: bigint; challenger: Address };
    const lost = this.#claim(jobId);
    if (lost?.result.isRight === false && reasonIn(events) !== undefined)
      this.#fail(lost.job, "a wrong result", first);
    for (const { result, challenger, units } of this.#challenges.values()) {
      if (result === lost?.result && result.challenges < mostRefunded)
        this.#accounts.add(challenger, { coins: units * refundPrice });
    }
  }

  #ofValidators({ name, from }: Action): void {
    if (name === "enrol") this.#validators.push(getAddress(from));
  }

  #ofCommittee({ name, args }: Action, events: readonly AssayEvent[]): void {
    const jobId = args[0] as bigint;
    for (const event of events) {
      if (event.eventName !== "CommitteeDrawn") continue;
      const { members, attempt } = event.args as unknown as { members: readonly bigint[]; attempt: bigint };
      this.#members.set(
        `${jobId}:${attempt}`,
        members.map((id) => this.#validators[Number(id) - 1]!),
      );
    }
    const last = [...this.#members].filter(([key]) => key.startsWith(`${jobId}:`)).at(-1);
    if (name === "appear") {
      const [key, drawn] = last!;
      const appeared = this.#appeared.get(key) ?? new Set();
      this.#appeared.set(key, appeared.add(drawn[Number(args[1] as bigint)]!));
    } else if (name === "executeTimeout") {
      const [key] = last!;
      const job = this.#jobs.get(jobId)!;
      const fee = (job.checkFee * BigInt(this.#tariff.checks)) / this.#tariff.presenceDivisor;
      if (reasonIn(events) !== undefined) this.#fail(job, "withheld its witnesses");
      for (const member of this.#appeared.get(key) ?? []) {
        this.#accounts.add(member, { tokens: fee });
        this.#accounts.add(job.consumer, { tokens: -fee });
      }
      this.#appeared.delete(key);
    } else if (name === "attest") {
      const { signers } = args[1] as { signers: bigint };
      const [key, drawn] = last!;
      this.#appeared.delete(key);
      this.#signers.set(
        jobId,
        drawn.filter((_, position) => ((signers >> BigInt(position)) & 1n) === 1n),
      );
    } else if (name === "reveal") {
      const job = this.#jobs.get(jobId)!;
      const differing = new Set((args[2] as readonly { leaf: bigint }[]).map(({ leaf }) => Number(leaf)));
      for (const [rank, member] of this.#signers.get(jobId)!.entries()) {
        const own = Array.from({ length: this.#tariff.checks }, (_, i) => rank * this.#tariff.checks + i);
        if (own.some((leaf) => differing.has(leaf))) continue;
        const fee = job.checkFee * BigInt(this.#tariff.checks);
        this.#accounts.add(member, { tokens: fee });
        this.#accounts.add(job.consumer, { tokens: -fee });
      }
    }
  }

  #ofAccusation({ name, args }: Action, events: readonly AssayEvent[], truth: Truth): void {
    if (name === "accuse") {
      const [jobId, attempt, position] = args.map(Number) as [number, number, number];
      const draw = { jobId: BigInt(jobId), attempt: BigInt(attempt) };
      const member = this.#members.get(`${jobId}:${attempt}`)![position]!;
      const event = events.find(({ eventName }) => eventName === "Accused")!;
      this.#accused.set((event.args as { accusationId: bigint }).accusationId, member);
      // Who has signed nothing that is wrong loses to nobody: half of every bond is its own.
      if (truth.isLiar(draw.jobId, draw.attempt, position)) return;
      this.#accounts.add(member, { coins: this.#tariff.challengerBond / 2n });
    }
    // Convicted more than once, a member is slashed once.
    const lied = events.find(({ eventName }) => eventName === "MemberPunished");
    if (lied === undefined) return;
    const { accusationId, accuser } = lied.args as { accusationId: bigint; accuser: Address };
    const member = this.#accused.get(accusationId)!;
    const { lieSlash } = this.#tariff;
    this.#accounts.charge(member, lieSlash, "signed what is wrong");
    this.#accounts.add(accuser, { tokens: lieSlash - burntOf(this.#tariff, lieSlash) });
  }

  /** Whoever lets its result be lost is paid nothing, and loses what it locked: nobody gets that. */
  #ofResult({ name, args }: Action, events: readonly AssayEvent[]): void {
    const claim = this.#claim(args[0] as bigint);
    if (name !== "fail" || claim === undefined) return;
    const { job, result } = claim;
    if (this.#stored.isHeld(result.resultId)) return;
    job.isLost = true;
    // Of what it has been paid for it keeps the price.
    this.#earn(job, least(job.earned, job.closed));
    // Where no seed came with which it could have been stored again, that was nobody's fault.
    if (reasonIn(events) !== stranded) this.#fail(job, "let its result be lost");
  }

  /** Whoever stores something else than it committed to loses what it locked. */
  #ofStored({ args, from }: Action): void {
    const claim = this.#claim(args[0] as bigint);
    if (claim?.result.isRight === false) this.#fail(claim.job, "stored something else", from);
  }
}

/** Why a job has failed, where a transaction says that one has. */
function reasonIn(events: readonly AssayEvent[]): Hex | undefined {
  const event = events.find(({ eventName }) => eventName === "SettlementPending");
  return event && (event.args as { reason: Hex }).reason;
}

type Commitment = { readonly traceRoot: Hex; readonly resultId: Hex };

function resultOf({ traceRoot, resultId }: Commitment, truth: Truth): Result {
  return { isRight: truth.isRight(traceRoot) && !truth.isGarbage(resultId), resultId, challenges: 0 };
}

function least(one: bigint, other: bigint): bigint {
  return one < other ? one : other;
}

function most(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
}
