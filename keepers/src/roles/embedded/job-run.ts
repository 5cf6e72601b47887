import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Logger } from "pino";
import { type Address, formatUnits, type Hex, hexToString, parseEventLogs, parseUnits } from "viem";
import { abis } from "../../chain/abi/index.ts";
import { type Contracts, connectContracts } from "../../chain/contracts.ts";
import { AssayError } from "../../core/errors.ts";
import { type Conditions, schemes } from "../../core/market/types.ts";
import { loadConfig } from "../../training/config/load-config.ts";
import type { ObjectSequence } from "../../training/data/types.ts";
import { nativeExecutor } from "../../training/executors/native.ts";
import { type DescribedOrder, describeOrder } from "../consumer/describe-order.ts";
import { evaluateModel, fetchModel } from "../consumer/fetch-model.ts";
import type { AccusationRecord } from "../jobs/challenge-record.ts";
import type { JobRecord, JobStatus } from "../jobs/job-record.ts";
import type { SessionWrapper } from "../jobs/job-run.ts";
import { cheatingWorker, type Flip } from "./cheating-worker.ts";
import { awaitVerdict, type Seat, seatsOf } from "./committee-run.ts";
import { GuessingChecker } from "./guessing-checker.ts";
import { JobCast, limits, type Member, providerStake, validatorStake } from "./job-cast.ts";
import { type SentTransaction, sentTransactions } from "./sent-transactions.ts";
import type { StorageRunOptions } from "./storage-run.ts";

export type JobsRunOptions = Pick<StorageRunOptions, "network" | "folder" | "stage" | "onProgress"> & {
  /** Stored on the network: the digits. */
  datasetId: Hex;
  /** Takes what the keepers say. */
  log?: Logger;
};

const configPath = fileURLToPath(new URL("../../../../docs/guides/training/job.yaml", import.meta.url));

const tokens = 10n ** 18n;
/** What the consumer pays at most. */
const maximumPrice = 100n * tokens;
/** What the three providers ask for. */
const prices = { first: 14n * tokens, second: 11n * tokens, third: 12n * tokens };
/** Chain seconds of each phase of the auction; what is left of them is skipped once all bids are there. */
const phase = 600;
/** Chain seconds in which the order can be taken, and in which it is to be trained. */
const expiresIn = 7_200n;
const trainingTime = 3_600;

/** Who is to agree on the first job, and what each gets for an interval that it checks. */
const committee = {
  scheme: schemes.both,
  committeeSize: 9,
  threshold: 5,
  checkFee: tokens,
} as const satisfies Partial<Conditions>;
/** How many of its members are away when they are called; one of the others guesses. */
const away = 2;

/** Less than this on the fifth that is kept apart, and something is wrong. */
const leastAccuracy = 0.9;
/** What the cheating provider does: a bit in the middle of a weight, half way through its training. */
const flip: Flip = { step: 137, slot: 0, element: 101, bit: 13 };
const cheat: SessionWrapper = (session, firstStep) =>
  cheatingWorker(session, { ...flip, step: flip.step - firstStep });

/** Real milliseconds that a stage may wait for something to appear on chain. */
const patience = 10 * 60_000;

/** What there is to show of the jobs besides their stages. */
export type JobsShown = {
  /** What became of each member of the first job's committee. */
  readonly committee: readonly Seat[];
  /** From its draw to its verdict. */
  readonly attestation: readonly SentTransaction[];
  /** Transactions of the second job, in the chain's order. */
  readonly dispute: readonly SentTransaction[];
};

/**
 * The life of two jobs, for real: an order to train on what is stored goes to the lowest of three sealed bids, is trained,
 * stored, attested by a committee of nine of whom five must agree, paid and certified; the same order then goes to a provider
 * that flips one bit of one weight, and loses its stake to a challenger. Every party is a keeper with an account of its own.
 * The only thing hurried is the chain's clock.
 */
export async function runJobs(options: JobsRunOptions): Promise<JobsShown> {
  const { stage } = options;
  const run = await JobsRun.open(options);
  try {
    await stage("nine validators stake and enrol", () => run.enrol());
    await stage("order: sealed bids of three providers", () => run.order());
    await stage("train, store the model, commit", () => run.train());
    const attestation = await stage("attestation by 5 of 9: two members are away, one guesses", () =>
      run.attest(),
    );
    await stage("challenge window over: paid, certificate issued, the guesser slashed", () => run.settle());
    await stage("fetch the model by its certificate and evaluate it", () => run.fetch());
    const { transactions } = await stage(
      "a provider flips one bit of one weight: challenged, disputed, slashed, refunded",
      () => run.cheat(),
    );
    return {
      committee: attestation.seats,
      attestation: attestation.transactions,
      dispute: transactions,
    };
  } finally {
    await run.close();
  }
}

class JobsRun {
  readonly #options: JobsRunOptions;
  readonly #cast: JobCast;
  readonly #contracts: Contracts;
  /** Fetched once. */
  #objects: Promise<ObjectSequence> | undefined;
  #described: DescribedOrder | undefined;
  #providers: Member[] = [];
  #validators: Member[] = [];
  #seats: readonly Seat[] = [];
  #consumerTokens = 0n;

  private constructor(options: JobsRunOptions, cast: JobCast) {
    this.#options = options;
    this.#cast = cast;
    this.#contracts = connectContracts(options.network.client.public, options.network.deployment);
  }

  static async open(options: JobsRunOptions): Promise<JobsRun> {
    return new JobsRun(options, await JobCast.open(options));
  }

  close(): Promise<void> {
    return this.#cast.close();
  }

  async enrol() {
    const fromBlock = await this.#nextBlock();
    const { committeeSize } = committee;
    this.#validators = await this.#cast.validators(
      Array.from({ length: committeeSize }, (_, i) => ({
        name: `validator ${i + 1}`,
        ...(i === 0 && { checker: (parts) => new GuessingChecker(parts) }),
      })),
    );
    const { ValidatorSet } = this.#contracts;
    await this.#until("the validators to enrol", async () => {
      return (await ValidatorSet.read.validatorCount()) === BigInt(committeeSize);
    });
    return {
      validators: committeeSize,
      staked: amount(validatorStake),
      transactions: await this.#sentSince(fromBlock),
    };
  }

  async order() {
    const { consumer } = this.#cast;
    this.#consumerTokens = await this.#tokensOf(this.#cast.owner.address);
    for (const [name, floor] of Object.entries(prices)) {
      this.#providers.push(
        await this.#cast.provider({ name: `${name} provider`, floor, takesOrders: false }),
      );
    }
    const fromBlock = await this.#nextBlock();
    // Its auction outlasts a rotation of validators: those that have just enrolled can be drawn.
    this.#described = await this.#describe(committee);
    const terms = { commitWindow: phase, revealWindow: phase, bond: maximumPrice / 10n };
    const jobId = await consumer.openAuction(this.#described, terms);
    await this.#until("the auction", () => consumer.ledger.job(jobId) !== undefined);
    const bids = () => [...(this.#job().auction?.bids.values() ?? [])];
    await this.#until("three sealed bids", () => bids().length === this.#providers.length);
    if (bids().some(({ price }) => price !== undefined)) throw new AssayError("a sealed bid shows its price");
    await this.#advancePast(this.#job().auction!.commitUntil);
    await this.#until("all bids to be revealed", () => bids().every(({ price }) => price !== undefined));
    await this.#advancePast(this.#job().auction!.revealUntil);
    await this.#until("the award", () => this.#job().status !== "Open");
    const { price, provider } = this.#job();
    const lowest = bids().reduce((low, bid) => (bid.price! < low.price! ? bid : low));
    if (price !== lowest.price || provider !== lowest.provider) {
      throw new AssayError(`the job went to ${provider} for ${price}, not to the lowest bid`);
    }
    return {
      jobId: Number(jobId),
      bids: Object.fromEntries(bids().map((bid) => [this.#nameOf(bid.provider), amount(bid.price!)])),
      winner: this.#nameOf(lowest.provider),
      price: amount(lowest.price!),
      transactions: await this.#sentSince(fromBlock),
    };
  }

  async train() {
    const fromBlock = await this.#nextBlock();
    await this.#untilStatus("Committed");
    const { provider, stake, result } = this.#job();
    const { steps, interval } = this.#described!.trainingOrder;
    const { traceRoot, stateRoot, resultId } = result!;
    return {
      provider: this.#nameOf(provider!),
      stakeLocked: amount(stake!),
      steps,
      intervals: Math.ceil(steps / interval),
      traceRoot,
      stateRoot,
      resultId,
      transactions: await this.#sentSince(fromBlock),
    };
  }

  async attest() {
    const { network } = this.#options;
    const { jobId } = this.#job();
    const fromBlock = await this.#nextBlock();
    const present = this.#validators.slice(0, -away);
    for (const validator of this.#validators.slice(-away)) await validator.stop();
    await awaitVerdict({
      network,
      jobId,
      members: present.map(({ account }) => account.address),
      exchange: this.#cast.exchange,
      until: (what, isSo) => this.#until(what, isSo),
      advancePast: (timestamp) => this.#advancePast(timestamp),
    });
    await this.#untilStatus("Attested");
    this.#seats = await seatsOf(this.#contracts, jobId, (account) => this.#nameOf(account));
    const agree = this.#seats.filter(({ said }) => said === "agrees");
    if (agree.length !== present.length - 1) throw new AssayError(`${agree.length} members agree`);
    await this.#until("the guesser to be accused", () => this.#accused(jobId) !== undefined);
    return {
      jobId: Number(jobId),
      drawn: this.#seats.length,
      needed: committee.threshold,
      signed: present.length,
      agree: agree.length,
      seats: this.#seats,
      transactions: await this.#sentSince(fromBlock),
    };
  }

  async settle() {
    const { Escrow, Market, JobRegistry, Staking, ModelCertificate } = this.#contracts;
    const { jobId, provider } = this.#job();
    const fromBlock = await this.#nextBlock();
    // The word of the committee has set it anew.
    const { challengeUntil } = await JobRegistry.read.jobOf([jobId]);
    await this.#advancePast(BigInt(challengeUntil));
    const graceEnds = async () => (await JobRegistry.read.jobOf([jobId])).graceEnds;
    await this.#until("the time to challenge to be called over", async () => (await graceEnds()) !== 0);
    await this.#advancePast(BigInt(await graceEnds()));
    await this.#untilStatus("Finalised");
    const guesserLost = await this.#guesserLost(jobId);
    await this.#until("price and bonds to be paid out", async () => {
      const purses = [Escrow.address, Market.address];
      const left = await Promise.all(purses.map((purse) => this.#tokensOf(purse)));
      return left.every((each) => each === 0n);
    });
    const { price, certificateId } = this.#job();
    const spent = this.#consumerTokens - (await this.#tokensOf(this.#cast.owner.address));
    const fees = this.#seats.reduce((sum, { fee }) => sum + parseUnits(fee, 18), 0n);
    if (spent !== price! + fees) throw new AssayError(`the consumer paid ${spent}, not ${price! + fees}`);
    const { locked } = await Staking.read.operatorOf([provider!]);
    if (locked !== 0n) throw new AssayError(`${locked} of the provider's stake is still locked`);
    const owner = await ModelCertificate.read.ownerOf([certificateId!]);
    if (owner !== this.#cast.owner.address) throw new AssayError(`the certificate belongs to ${owner}`);
    for (const validator of this.#validators) await validator.stop();
    return {
      jobId: Number(jobId),
      paid: amount(price!),
      to: this.#nameOf(provider!),
      feesToCommittee: amount(fees),
      guesserLost: amount(guesserLost),
      certificateId: Number(certificateId),
      stakeLocked: amount(locked),
      heldInEscrow: "0",
      transactions: await this.#sentSince(fromBlock),
    };
  }

  async fetch() {
    const { folder } = this.#options;
    const { consumer, storage } = this.#cast;
    const job = this.#job();
    const certificate = await this.#contracts.ModelCertificate.read.certificateOf([job.certificateId!]);
    const parameters = {
      posted: consumer.ledger.order(job.orderHash)!,
      job,
      certificate,
      storage,
      executor: nativeExecutor,
      limits,
      folder: join(folder, "jobs", "model"),
    };
    const model = await fetchModel(parameters);
    const score = await evaluateModel(parameters, model);
    const accuracy = score?.exact.accuracy ?? 0;
    if (accuracy < leastAccuracy) {
      throw new AssayError(`the accuracy is ${percent(accuracy)}, not at least ${percent(leastAccuracy)}`);
    }
    return {
      certificateId: Number(job.certificateId),
      stateRoot: certificate.stateRoot,
      accuracy: percent(accuracy),
      accuracyInFloat32: percent(score!.float32.accuracy ?? 0),
      evaluatedOn: score!.exact.samples,
      modelBytes: model.onnx.length,
    };
  }

  async cheat() {
    const { consumer, owner } = this.#cast;
    for (const provider of this.#providers) await provider.stop();
    const paidBefore = await this.#tokensOf(owner.address);
    const cheater = await this.#cast.provider({
      name: "cheating provider",
      floor: prices.second,
      takesOrders: true,
      worker: cheat,
    });
    const challenger = await this.#cast.challenger("challenger");
    const coins = await this.#coinsOf(challenger);
    const fromBlock = await this.#nextBlock();
    this.#described = await this.#describe();
    await consumer.post(this.#described);
    await this.#untilStatus("Failed");
    const failed = this.#job();
    const { jobId, orderHash } = failed;
    const reason = hexToString(failed.failure!, { size: 32 });
    if (reason !== "convicted") throw new AssayError(`the job failed for another reason: ${reason}`);
    await this.#until("the job to be settled", () => !this.#job().isOwed);
    const slash = await this.#slash(cheater, fromBlock);
    const { DisputeGame, Escrow, Staking } = this.#contracts;
    const [, , rewardAfter] = await DisputeGame.read.jobs([jobId]);
    await this.#advancePast(BigInt(rewardAfter));
    await this.#until("the challenger's reward", () => consumer.ledger.isRewarded(jobId));
    await this.#until("refund and reward to be paid out", async () => {
      const { address } = challenger.account;
      const credits = [DisputeGame, Staking].map((contract) => contract.read.creditOf([address]));
      const left = await Promise.all([...credits, this.#tokensOf(Escrow.address)]);
      return left.every((each) => each === 0n);
    });
    const lost = paidBefore - (await this.#tokensOf(owner.address));
    if (lost !== 0n) throw new AssayError(`the consumer lost ${lost} by a job that failed`);
    const gained = (await this.#coinsOf(challenger)) - coins;
    if (gained <= 0n) throw new AssayError(`the challenger lost ${-gained} wei by being right`);
    const share = await this.#tokensOf(challenger.account.address);
    if (amount(share) !== slash.toChallenger) throw new AssayError(`the challenger was paid ${share}`);
    const challenge = consumer.ledger.challengesOf(jobId).find(({ outcome }) => outcome === "convicted");
    const { interval } = this.#described.trainingOrder;
    const wrong = Number(challenge?.interval);
    if (wrong !== Math.floor(flip.step / interval)) {
      throw new AssayError(`step ${flip.step} was wrong, convicted was interval ${challenge?.interval}`);
    }
    const transactions = await this.#sentSince(fromBlock);
    const moves = transactions.filter(({ call }) => call.startsWith("DisputeGame.play"));
    return {
      jobId: Number(jobId),
      orderHash,
      verdict: reason,
      interval: wrong,
      moves: moves.length,
      disputeGas: gasOf(transactions.filter(({ call }) => call.startsWith("DisputeGame."))),
      settlementGas: gasOf(
        transactions.filter(({ call, reverted }) => call === "JobRegistry.settle" && !reverted),
      ),
      ...slash,
      refunded: amount(failed.price!),
      challengerGained: `${formatUnits(gained, 18)} ether`,
      transactions,
    };
  }

  /** The accusation of the member that guessed. */
  #accused(jobId: bigint): AccusationRecord | undefined {
    return this.#cast.consumer.ledger.accusationsOf(jobId)[0];
  }

  /** Waits until the member that guessed is slashed for it; what that took. */
  async #guesserLost(jobId: bigint): Promise<bigint> {
    const { Committee, MemberGame, Staking } = this.#contracts;
    const guesser = this.#validators[0]!.account.address;
    // It has computed nothing that it could answer with.
    const { challengeId } = this.#accused(jobId)!;
    await this.#advancePast(await MemberGame.read.deadlineOf([challengeId]));
    await this.#until("the guesser to be late", () => this.#accused(jobId)!.graceEnds !== undefined);
    await this.#advancePast(BigInt(this.#accused(jobId)!.graceEnds!));
    const { lieSlash } = await Committee.read.termsOf([jobId]);
    await this.#until("the guesser to be slashed", async () => {
      return (await Staking.read.operatorOf([guesser])).stake === validatorStake - lieSlash;
    });
    return lieSlash;
  }

  /** What the conviction took from a provider. */
  async #slash({ account }: Member, fromBlock: bigint) {
    const { network } = this.#options;
    const { Staking } = this.#contracts;
    const logs = await network.client.public.getLogs({ address: Staking.address, fromBlock });
    const slashes = parseEventLogs({ abi: abis.Staking, eventName: "Slashed", logs });
    const [slash] = slashes.filter(({ args }) => args.operator === account.address);
    const { stake, locked } = await Staking.read.operatorOf([account.address]);
    if (slash === undefined || stake !== providerStake - slash.args.amount || locked !== 0n) {
      throw new AssayError(`the provider's stake is ${stake}, of which ${locked} is locked`);
    }
    const { amount: slashed, burnt } = slash.args;
    return {
      slashed: amount(slashed),
      burnt: amount(burnt),
      toChallenger: amount(slashed - burnt),
      stakeLeft: amount(stake),
    };
  }

  async #describe(conditions: Partial<Conditions> = {}): Promise<DescribedOrder> {
    const { network, folder, datasetId } = this.#options;
    const { owner, storage } = this.#cast;
    const own = join(folder, "jobs", "order");
    this.#objects ??= storage.objects(datasetId, join(own, "downloads"));
    return describeOrder({
      consumer: owner.address,
      config: await loadConfig(configPath, datasetId),
      dataset: await this.#objects,
      folder: own,
      executor: nativeExecutor,
      conditions: { maximumPrice, trainingTime, ...conditions },
      expiry: BigInt(await network.chain.now()) + expiresIn,
    });
  }

  /** The job of the latest order. */
  #job(): JobRecord {
    const job = this.#cast.consumer.jobOf(this.#described!.orderHash);
    if (job === undefined) throw new AssayError("nobody has taken the order");
    return job;
  }

  async #untilStatus(status: JobStatus): Promise<void> {
    const { consumer } = this.#cast;
    await this.#until(`the job to become ${status}`, () => {
      const job = consumer.jobOf(this.#described!.orderHash);
      if (job !== undefined) this.#say(`job ${job.jobId}: ${job.status}`);
      return job?.status === status;
    });
  }

  async #until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = performance.now() + patience;
    while (!(await isSo())) {
      if (performance.now() > deadline) throw new AssayError(`waited in vain for ${what}`);
      await delay(100);
    }
  }

  /** Moves the chain's clock behind a second that it has not passed yet. */
  async #advancePast(timestamp: bigint): Promise<void> {
    const { chain } = this.#options.network;
    const missing = Number(timestamp) + 1 - (await chain.now());
    if (missing > 0) await chain.advance(missing);
  }

  async #nextBlock(): Promise<bigint> {
    return (await this.#options.network.client.public.getBlockNumber()) + 1n;
  }

  #sentSince(fromBlock: bigint): Promise<SentTransaction[]> {
    const { client, deployment } = this.#options.network;
    return sentTransactions(client, deployment, { senders: this.#cast.names, fromBlock });
  }

  #tokensOf(account: Address): Promise<bigint> {
    return this.#contracts.AssayToken.read.balanceOf([account]);
  }

  #coinsOf({ account }: Member): Promise<bigint> {
    return this.#options.network.chain.balanceOf(account.address);
  }

  #nameOf(account: Address): string {
    return this.#cast.names.get(account) ?? account;
  }

  #say(line: string): void {
    this.#options.onProgress?.(line);
  }
}

function gasOf(transactions: readonly SentTransaction[]): number {
  return transactions.reduce((sum, { gas }) => sum + gas, 0);
}

function amount(units: bigint): string {
  return formatUnits(units, 18);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}
