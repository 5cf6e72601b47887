import { type Address, getAddress, type Hex, stringToHex } from "viem";
import type { AssayEvent } from "../../keepers/src/chain/contracts.ts";
import type { Bid, Order } from "../../keepers/src/core/market/types.ts";
import type { Truth } from "./truth.ts";
import type { Action } from "./world.ts";

/** Token base units and wei. */
export type Money = { tokens: bigint; coins: bigint };

/** What the parameters of the deployment say, read once and never again. */
export type Tariff = {
  readonly challengerBond: bigint;
  readonly refundPrice: bigint;
  readonly missPenalty: bigint;
  readonly lieSlash: bigint;
  /** Of a slash, what may end with whoever reported it, in basis points. */
  readonly reporterShare: bigint;
  /** Intervals that a member checks. */
  readonly checks: number;
  /** Its fee divided by this is what a member has for a draw in which it was there, and nothing was signed. */
  readonly presenceDivisor: bigint;
  /** What a provider that locks puts up for its commitment is the deposit divided by this. */
  readonly performanceDivisor: bigint;
  /** What it loses besides of twice its price, in basis points. */
  readonly latePenalty: bigint;
};

/** `Refunds`: gas of a challenge, of a move that goes on, and of a ruling. */
const refunds = { challenge: 300_000n, name: 150_000n, rule: 600_000n };
const basisPoints = 10_000n;
const stranded = stringToHex("stranded", { size: 32 });

type JobEntry = {
  readonly id: bigint;
  readonly consumer: Address;
  readonly deposit: bigint;
  readonly checkFee: bigint;
  readonly intervals: number;
  readonly bids: Map<Address, bigint>;
  readonly bond: bigint;
  price: bigint | undefined;
  provider: Address | undefined;
  isLocked: boolean;
  result: { readonly isRight: boolean; readonly resultId: Hex } | undefined;
  challenges: number;
  /** Whether it was paid for a result that is right and that the consumer can have. */
  isDelivered: boolean | undefined;
};

type DatasetEntry = {
  readonly id: Hex;
  readonly owner: Address;
  readonly fee: bigint;
  readonly k: number;
  readonly paid: bigint;
  readonly roots: readonly bigint[];
  readonly endEpoch: number;
};

type Holding = {
  readonly datasetId: Hex;
  readonly index: number;
  readonly operator: Address;
  readonly root: bigint;
};

type Challenge = { readonly job: JobEntry; readonly challenger: Address; units: bigint };

/** Something that a coalition did and that is to cost it. */
export type Charge = { readonly who: Address; readonly tokens: bigint; readonly why: string };

/**
 * What everybody is owed at least, from what was done and what is true, by the table of docs/simulation.md. Nothing here asks a
 * contract: of events it takes the names that contracts give to things, and who was drawn.
 */
export class Ledger {
  readonly #tariff: Tariff;
  readonly #gasPrice: bigint;
  readonly #epochOf: (time: number) => number;
  readonly #owed = new Map<Address, Money>();
  readonly #gas = new Map<Address, bigint>();
  readonly #jobs = new Map<bigint, JobEntry>();
  readonly #datasets = new Map<Hex, DatasetEntry>();
  readonly #holdings = new Map<Hex, Holding>();
  readonly #placed = new Set<Hex>();
  readonly #covers = new Map<Hex, Set<Hex>>();
  /** Bundles and epochs that were answered for. */
  readonly #answered = new Set<string>();
  readonly #overdue = new Map<Hex, Address>();
  readonly #retrievals: Hex[] = [];
  readonly #challenges = new Map<bigint, Challenge>();
  readonly #members = new Map<string, readonly Address[]>();
  /** Members, by the accusations that were made of them. */
  readonly #accused = new Map<bigint, Address>();
  readonly #validators: Address[] = [];
  readonly #signers = new Map<bigint, readonly Address[]>();
  /** Members that were there, by draw; none once a root was signed. */
  readonly #appeared = new Map<string, Set<Address>>();
  readonly charges: Charge[] = [];

  /** @param epochOf epochs of the storage contracts, counted from their deployment */
  constructor(tariff: Tariff, gasPrice: bigint, epochOf: (time: number) => number) {
    this.#tariff = tariff;
    this.#gasPrice = gasPrice;
    this.#epochOf = epochOf;
  }

  /** What an account is to have gained at least, or to have lost at most. */
  owedTo(account: Address): Money {
    return this.#owed.get(getAddress(account)) ?? { tokens: 0n, coins: 0n };
  }

  /** Wei that an account has spent as gas. */
  gasOf(account: Address): bigint {
    return this.#gas.get(getAddress(account)) ?? 0n;
  }

  /** Jobs of which a provider was paid for a right result. */
  get delivered(): number {
    return [...this.#jobs.values()].filter(({ isDelivered }) => isDelivered === true).length;
  }

  /** Last epoch that the owner of some dataset has paid for. */
  get lastEpoch(): number {
    return Math.max(0, ...[...this.#datasets.values()].map(({ endEpoch }) => endEpoch));
  }

  get datasetIds(): readonly Hex[] {
    return [...this.#datasets.keys()];
  }

  /** Bundles that were ever held. */
  get bundleIds(): readonly Hex[] {
    return [...this.#placed];
  }

  observe(action: Action, events: readonly AssayEvent[], truth: Truth): void {
    const { sent, from } = action;
    this.#gas.set(getAddress(from), this.gasOf(from) + BigInt(sent.gas) * this.#gasPrice);
    if (!sent.isRight) return;
    if (action.contract === "Market") this.#atMarket(action);
    else if (action.contract === "JobRegistry") this.#ofJob(action, truth);
    else if (action.contract === "DisputeGame") this.#ofDispute(action, events);
    else if (action.contract === "MemberGame") this.#ofAccusation(action, events, truth);
    else if (action.contract === "Committee") this.#ofCommittee(action, events);
    else if (action.contract === "ValidatorSet") this.#ofValidators(action);
    else if (action.contract === "DatasetRegistry") this.#ofDataset(action, events);
    else if (action.contract === "BundleRegistry") this.#ofBundle(action, events);
    else if (action.contract === "StorageAudit") this.#ofAudit(action, truth);
    else if (action.contract === "RetrievalChallenges") this.#ofRetrieval(action);
    else if (action.contract === "ResultShortfalls") this.#ofResult(action, events);
    else if (action.contract === "ResultFraud") this.#ofStored(action);
  }

  #add(account: Address, money: Partial<Money>): void {
    const { tokens, coins } = this.owedTo(account);
    this.#owed.set(getAddress(account), {
      tokens: tokens + (money.tokens ?? 0n),
      coins: coins + (money.coins ?? 0n),
    });
  }

  #charge(who: Address, tokens: bigint, why: string): void {
    this.charges.push({ who: getAddress(who), tokens, why });
  }

  #atMarket({ name, args, from }: Action): void {
    if (name === "accept" || name === "openAuction") {
      const order = args[0] as Order;
      const { deposit, checkFee } = order.conditions;
      const id = BigInt(this.#jobs.size + 1);
      const bond = name === "openAuction" ? (args[3] as { bond: bigint }).bond : 0n;
      const parties = { price: undefined, provider: undefined } as const;
      const job: JobEntry = {
        ...{ id, consumer: order.consumer, deposit, checkFee, bond, ...parties, bids: new Map() },
        ...{ intervals: 0, isLocked: false, result: undefined, challenges: 0, isDelivered: undefined },
      };
      this.#jobs.set(id, job);
      if (name === "accept") {
        const bid = args[3] as Bid;
        job.bids.set(getAddress(bid.provider), bid.price);
      }
    } else if (name === "revealBid") {
      this.#jobs.get(args[0] as bigint)!.bids.set(getAddress(from), (args[1] as Bid).price);
    }
  }

  #ofJob({ name, args, from }: Action, truth: Truth): void {
    const job = this.#jobs.get(args[0] as bigint);
    if (job === undefined) return;
    if (name === "lock") {
      const provider = getAddress(from);
      Object.assign(job, { provider, isLocked: true, price: job.bids.get(provider) });
    } else if (name === "commit") {
      const { traceRoot, resultId } = args[1] as { traceRoot: Hex; resultId: Hex };
      const isRight = truth.isRight(traceRoot) && !truth.isGarbage(resultId);
      job.result = { isRight, resultId };
      // Whatever becomes of the job: who computed right, in time, and had it stored is paid.
      if (isRight) this.#add(from, { tokens: job.price! });
    } else if (name === "expire" && job.isLocked && job.result === undefined) {
      const { performanceDivisor, latePenalty } = this.#tariff;
      const late = (2n * job.price! * latePenalty) / basisPoints;
      this.#charge(job.provider!, job.deposit / performanceDivisor + late, "locked and did not commit");
    } else if (name === "finalise") {
      const { isRight, resultId } = job.result!;
      job.isDelivered = isRight && this.#retrievable(resultId, truth);
      if (job.isDelivered) this.#add(job.consumer, { tokens: -job.price! });
    }
  }

  /** Whether enough bundles are held by somebody who has their bytes. */
  #retrievable(datasetId: Hex, truth: Truth): boolean {
    const held = [...this.#holdings.values()].filter((each) => each.datasetId === datasetId);
    return (
      held.filter(({ operator, root }) => truth.has(operator, root)).length >=
      this.#datasets.get(datasetId)!.k
    );
  }

  #ofDispute({ name, args, from }: Action, events: readonly AssayEvent[]): void {
    const { refundPrice, challengerBond } = this.#tariff;
    if (name === "challenge" || name === "challengeTrace") {
      const job = this.#jobs.get((args[0] as bigint) & ((1n << 64n) - 1n));
      if (job === undefined) return;
      job.challenges++;
      const id = (job.id << 32n) | BigInt(job.challenges);
      this.#challenges.set(id, { job, challenger: from, units: refunds.challenge });
      // A right trace loses to nobody: half of every bond is the provider's.
      if (job.result?.isRight === true) this.#add(job.provider!, { coins: challengerBond / 2n });
    } else if (name === "play") {
      const challenge = this.#challenges.get(args[0] as bigint);
      if (challenge === undefined || getAddress(challenge.challenger) !== getAddress(from)) return;
      const isRuled = events.some(({ eventName }) => eventName === "ProviderConvicted");
      challenge.units += isRuled ? refunds.rule : refunds.name;
    }
    const convicted = events.find(({ eventName }) => eventName === "ProviderConvicted");
    if (convicted === undefined) return;
    const { jobId } = convicted.args as { jobId: bigint };
    const lost = this.#jobs.get(jobId);
    if (lost?.result?.isRight === false)
      this.#charge(lost.provider!, this.#burnt(2n * lost.price!), "a wrong result");
    for (const { job, challenger, units } of this.#challenges.values()) {
      if (job.id === jobId && job.challenges < mostRefunded)
        this.#add(challenger, { coins: units * refundPrice });
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
      for (const member of this.#appeared.get(key) ?? []) {
        this.#add(member, { tokens: fee });
        this.#add(job.consumer, { tokens: -fee });
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
        this.#add(member, { tokens: fee });
        this.#add(job.consumer, { tokens: -fee });
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
      this.#add(member, { coins: this.#tariff.challengerBond / 2n });
    }
    // Convicted more than once, a member is slashed once.
    const lied = events.find(({ eventName }) => eventName === "MemberPunished");
    if (lied === undefined) return;
    const { accusationId, accuser } = lied.args as { accusationId: bigint; accuser: Address };
    const member = this.#accused.get(accusationId)!;
    const { lieSlash } = this.#tariff;
    this.#charge(member, this.#burnt(lieSlash), "signed what is wrong");
    this.#add(accuser, { tokens: lieSlash - this.#burnt(lieSlash) });
  }

  #ofDataset({ name, args, from, at }: Action, events: readonly AssayEvent[]): void {
    if (name !== "anchor") return;
    const [anchored, roots] = args as [
      { feePerAudit: bigint; epochs: number; shape: { k: number } },
      readonly Hex[],
    ];
    const event = events.find(({ eventName }) => eventName === "DatasetAnchored")!;
    const { datasetId } = event.args as { datasetId: Hex };
    this.#datasets.set(datasetId, {
      ...{ id: datasetId, owner: getAddress(from), fee: anchored.feePerAudit, k: anchored.shape.k },
      paid: anchored.feePerAudit * BigInt(roots.length * anchored.epochs),
      roots: roots.map((root) => BigInt(root)),
      endEpoch: this.#epochOf(at) + 1 + anchored.epochs,
    });
  }

  #ofBundle({ name, args, from }: Action, events: readonly AssayEvent[]): void {
    for (const event of events) {
      if (event.eventName === "BundlePlaced") {
        const { bundleId, datasetId, operator, bundleIndex } = event.args as {
          bundleId: Hex;
          datasetId: Hex;
          operator: Address;
          bundleIndex: number;
        };
        const root = this.#datasets.get(datasetId)!.roots[Number(bundleIndex)]!;
        this.#placed.add(bundleId);
        this.#holdings.set(bundleId, { datasetId, index: Number(bundleIndex), operator, root });
      }
    }
    if (name === "surrender") {
      const bundleId = args[0] as Hex;
      if (this.#overdue.has(bundleId)) this.#chargePenalty(from, "surrendered what it was late with");
      this.#end(bundleId);
    } else if (name === "registerCover") {
      const coverId = (
        events.find(({ eventName }) => eventName === "CoverRegistered")!.args as { coverId: Hex }
      ).coverId;
      const covered = this.#covers.get(coverId) ?? new Set();
      for (const bundleId of args[0] as readonly Hex[]) covered.add(bundleId);
      this.#covers.set(coverId, covered);
    }
  }

  #end(bundleId: Hex): void {
    this.#holdings.delete(bundleId);
    this.#overdue.delete(bundleId);
  }

  /** What of a missed audit's penalty is burnt, whoever reports it and repairs the bundle. */
  #chargePenalty(who: Address, why: string): void {
    this.#charge(who, this.#burnt(this.#tariff.missPenalty), why);
  }

  /** What of a slash nobody gets. */
  #burnt(slash: bigint): bigint {
    return (slash * (basisPoints - this.#tariff.reporterShare)) / basisPoints;
  }

  #ofAudit({ name, args }: Action, truth: Truth): void {
    const [id, epoch] = args as [Hex, number];
    if (name === "answer") this.#answer(id, epoch, truth);
    else if (name === "answerCover")
      for (const each of this.#covers.get(id) ?? []) this.#answer(each, epoch, truth);
    else if (name === "callTimeout") this.#overdue.set(id, this.#holdings.get(id)!.operator);
    else if (name === "slashMissed") {
      const holding = this.#holdings.get(id);
      if (holding !== undefined) this.#chargePenalty(holding.operator, "missed an audit");
      this.#end(id);
    }
  }

  #ofRetrieval({ name, args }: Action): void {
    if (name === "challenge") this.#retrievals.push(args[0] as Hex);
    else if (name === "slashFailed") {
      const bundleId = this.#retrievals[Number(args[0]) - 1]!;
      const holding = this.#holdings.get(bundleId);
      if (holding !== undefined) this.#chargePenalty(holding.operator, "did not publish a cell");
      this.#end(bundleId);
    }
  }

  /** Whoever lets its result be lost is paid nothing, and loses what it locked: nobody gets that. */
  #ofResult({ name, args }: Action, events: readonly AssayEvent[]): void {
    const job = this.#jobs.get(args[0] as bigint);
    if (name !== "fail" || job?.result === undefined) return;
    const { isRight, resultId } = job.result;
    const held = [...this.#holdings.values()].filter(({ datasetId }) => datasetId === resultId).length;
    if (held >= this.#datasets.get(resultId)!.k) return;
    if (isRight) this.#add(job.provider!, { tokens: -job.price! });
    const { reason } = events.find(({ eventName }) => eventName === "SettlementPending")!.args as {
      reason: Hex;
    };
    // Where no seed came with which it could have been stored again, that was nobody's fault.
    if (reason === stranded) return;
    this.#charge(job.provider!, 2n * job.price!, "let its result be lost");
  }

  /** Whoever stores something else than it committed to loses what it locked. */
  #ofStored({ args }: Action): void {
    const job = this.#jobs.get(args[0] as bigint);
    if (job?.result === undefined || job.result.isRight) return;
    this.#charge(job.provider!, this.#burnt(2n * job.price!), "stored something else");
  }

  /** A fee is earned by who has all of the bundle, at the terms that it signed for; an owner pays for nothing else. */
  #answer(bundleId: Hex, epoch: number, truth: Truth): void {
    const holding = this.#holdings.get(bundleId);
    const key = `${bundleId}:${epoch}`;
    this.#overdue.delete(bundleId);
    if (holding === undefined || this.#answered.has(key)) return;
    this.#answered.add(key);
    const { operator, root, datasetId } = holding;
    if (!truth.has(operator, root)) return;
    const { owner, fee } = this.#datasets.get(datasetId)!;
    this.#add(operator, { tokens: truth.agreedBy(operator, bundleId)?.fee ?? fee });
    this.#add(owner, { tokens: -fee });
  }
}

/** Challenges of one job up to which a provider's bond refunds all moves in full. */
const mostRefunded = 20;
