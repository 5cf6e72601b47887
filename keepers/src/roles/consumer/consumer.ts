import { setTimeout as delay } from "node:timers/promises";
import { type Address, type Hex, parseEventLogs, type TransactionReceipt } from "viem";
import { abis } from "../../chain/abi/index.ts";
import { addressOf } from "../../chain/contracts.ts";
import { TransactionFailedError } from "../../chain/transactions/errors.ts";
import { AssayError } from "../../core/errors.ts";
import type { SignedBid, SignedOrder } from "../../core/market/messages.ts";
import { bidHash, orderHash, orderTypedData } from "../../core/market/typed-data.ts";
import type { AuctionTerms, Bid } from "../../core/market/types.ts";
import { JobCashier } from "../jobs/cashier.ts";
import type { JobContext } from "../jobs/duty.ts";
import { JobJanitor } from "../jobs/janitor.ts";
import { JobKeeper, type KeeperOptions } from "../jobs/job-keeper.ts";
import type { JobLedger } from "../jobs/job-ledger.ts";
import type { JobRecord, JobStatus } from "../jobs/job-record.ts";
import { sendCall } from "../storage-node/context.ts";
import { checkBid, checkFunds, checkOrder } from "./check-match.ts";
import type { DescribedOrder } from "./describe-order.ts";
import { Funding } from "./funding.ts";
import { costOf } from "./order-cost.ts";
import { ResultWatch, type ResultWatchOptions } from "./result-watch.ts";

export type ConsumerOptions = KeeperOptions & {
  /** Where refunds go; to the consumer's own account by default. */
  readonly payTo?: Address;
  /** How results are fetched, and asked for on chain where nobody serves them; neither is done without it. */
  readonly results?: ResultWatchOptions;
};

/** What of an order is sent. */
type Sendable = Omit<DescribedOrder, "trainingOrder">;

/** Statuses in which nothing more happens to a job. */
const final: readonly JobStatus[] = ["Finalised", "Expired", "Cancelled", "Failed", "Void"];

/**
 * The consumer role: posts orders, opens auctions, takes bids, follows its jobs, and keeps them going when others have gone
 * away. Everything it sends, it sends once for each order, however often it is called.
 */
export class Consumer {
  readonly #options: ConsumerOptions;
  readonly #keeper: JobKeeper;
  readonly #context: JobContext;
  readonly #funding: Funding;

  private constructor(options: ConsumerOptions, keeper: JobKeeper, context: JobContext) {
    this.#options = options;
    this.#keeper = keeper;
    this.#context = context;
    this.#funding = new Funding(context, options.account);
  }

  static async open(options: ConsumerOptions): Promise<Consumer> {
    const { account, payTo, results } = options;
    let context: JobContext | undefined;
    const keeper = await JobKeeper.open(options, {
      duties(opened) {
        context = opened;
        const { ledger } = opened;
        const jobs = () => ledger.jobsOfConsumer(account.address);
        const watch = results && new ResultWatch({ ...opened, ...results, jobs });
        return [
          // Before anything is paid for: in a round of all duties, what is not served is asked for first.
          ...(watch === undefined ? [] : [watch]),
          new JobJanitor({
            ...opened,
            only: ({ consumer }) => consumer === account.address,
            mayPay: (resultId) => watch === undefined || watch.hasLooked(resultId),
          }),
          new JobCashier({ ...opened, payTo, jobs }),
        ];
      },
    });
    return new Consumer(options, keeper, context!);
  }

  get ledger(): JobLedger {
    return this.#keeper.ledger;
  }

  /** Reads what is new on chain, and does nothing. */
  catchUp(): Promise<void> {
    return this.#keeper.catchUp();
  }

  /** Reads what is new on chain and does what is due, once. */
  tick(): Promise<void> {
    return this.#keeper.tick();
  }

  run(): void {
    this.#keeper.run();
  }

  stop(): Promise<void> {
    return this.#keeper.stop();
  }

  /** Token base units that an order takes from the consumer when it is matched: the deposit and the committee's fees. */
  costOf(order: Pick<Sendable, "order" | "training">): Promise<bigint> {
    return costOf(this.#context.contracts, order);
  }

  /**
   * Shows a signed order to all providers; whoever takes it first at a price that it allows gets it. The escrow is allowed
   * to pull what this order costs, and what the others cost that are out.
   *
   * @throws TransactionFailedError
   */
  async post(described: DescribedOrder): Promise<void> {
    await this.#funding.approve(described);
    await this.#show(described, await this.#signature(described), `post:${described.orderHash}`);
  }

  /**
   * Signs an order that is not sent: whoever has it can bring it together with a bid.
   *
   * @param isFunded lets the escrow pull what it costs, so that others than the consumer can
   * @throws TransactionFailedError
   */
  async sign(described: DescribedOrder, isFunded: boolean): Promise<SignedOrder> {
    const { order, training } = described;
    if (isFunded) await this.#funding.approve(described);
    const signature = await this.#signature(described);
    return { ...this.#domain(), order, training, package: described.package, signature };
  }

  /**
   * Opens a sealed-bid auction for an order; what it costs is pulled now.
   *
   * @returns the job's id
   * @throws TransactionFailedError
   */
  async openAuction(described: DescribedOrder, terms: AuctionTerms): Promise<bigint> {
    const { order, training, orderHash } = described;
    await this.#funding.approve(described);
    const args = [order, training, described.package, terms] as const;
    return jobIdOf(await sendCall(this.#context, `auction:${orderHash}`, "Market", "openAuction", args));
  }

  /**
   * Takes a bid that its provider has signed; the escrow pulls what the order costs, by a permit where the token takes one.
   * The order is shown to everybody first, without a signature that others could take it with: provider and challengers
   * compile from it. Called again, it finds the job that it has opened.
   *
   * @returns the job's id
   * @throws TransactionFailedError
   */
  async accept(described: Sendable, bid: Bid, bidSignature: Hex): Promise<bigint> {
    const { orderHash } = described;
    const known = await this.#begun(described);
    if (known !== undefined) return known;
    await this.#show(described, "0x", `show:${orderHash}`);
    const permitted = await this.#acceptWithPermit(described, bid, bidSignature);
    if (permitted !== undefined) return permitted;
    await this.#funding.approve(described);
    return await this.#match(described, "0x", bid, bidSignature);
  }

  /**
   * Brings a signed order and a signed bid together, whoever has signed them: the market takes their word from anybody. One's
   * own order is paid for as by {@link accept}; the consumer of any other must let the escrow pull what it costs.
   *
   * @returns the job's id
   * @throws MatchRefusedError, BadInputError, FeedError before anything is sent; TransactionFailedError
   */
  async bringTogether(signed: SignedOrder, offer: SignedBid): Promise<bigint> {
    const { order, training, signature } = signed;
    const sendable = { order, training, package: signed.package, orderHash: orderHash(order) };
    const known = await this.#begun(sendable);
    if (known !== undefined) return known;
    const isOwn = order.consumer === this.#options.account.address;
    await checkOrder(this.#context, signed);
    await checkBid(this.#context, signed, offer);
    await checkFunds(this.#context, signed, await this.costOf(signed), !isOwn);
    if (isOwn) return await this.accept(sendable, offer.bid, offer.signature);
    await this.#show(sendable, signature, `show:${sendable.orderHash}`);
    return await this.#match(sendable, signature, offer.bid, offer.signature);
  }

  /** Makes the order with a nonce unusable, as long as nobody has taken it. @throws TransactionFailedError */
  async cancel(nonce: bigint): Promise<void> {
    await sendCall(this.#context, `cancel:${nonce}`, "Market", "cancelNonce", [nonce]);
  }

  /** The job of an order, once somebody has taken it. */
  jobOf(orderHash: Hex): JobRecord | undefined {
    return this.ledger
      .jobsOfConsumer(this.#options.account.address)
      .find((job) => job.orderHash === orderHash);
  }

  /**
   * Waits until a job has ended; duties must be running. Says every change.
   *
   * @throws AssayError for a job that does not exist; the signal's reason
   */
  async follow(
    jobId: bigint,
    { signal, onChange }: { signal?: AbortSignal; onChange?: (job: JobRecord) => void } = {},
  ): Promise<JobRecord> {
    const { interval = 2000 } = this.#options;
    let last: JobStatus | undefined;
    for (;;) {
      signal?.throwIfAborted();
      const job = this.ledger.job(jobId);
      if (job !== undefined && job.status !== last) onChange?.(job);
      last = job?.status;
      if (job !== undefined && final.includes(job.status)) return job;
      await delay(interval, undefined, { signal });
    }
  }

  /** The job of an order that was, or is being, matched. */
  async #begun({ order, orderHash }: Sendable): Promise<bigint | undefined> {
    await this.catchUp();
    const job = this.ledger.jobsOfConsumer(order.consumer).find((each) => each.orderHash === orderHash);
    if (job !== undefined) return job.jobId;
    const { queue } = this.#context;
    const underWay = queue.pending().find(({ key }) => key.startsWith(`accept:${orderHash}:`));
    return underWay && jobIdOf(await queue.wait(underWay.key));
  }

  /** Publishes an order, unless it is public already. */
  async #show({ order, training, orderHash, package: bytes }: Sendable, signature: Hex, key: string) {
    const posted = this.ledger.order(orderHash);
    if (posted !== undefined && (signature === "0x" || posted.signature !== "0x")) return;
    await sendCall(this.#context, key, "Market", "post", [order, training, bytes, signature]);
  }

  async #match({ order, training, orderHash }: Sendable, signature: Hex, bid: Bid, bidSignature: Hex) {
    const args = [order, training, signature, bid, bidSignature] as const;
    const key = `accept:${orderHash}:${bidHash(bid)}`;
    return jobIdOf(await sendCall(this.#context, key, "Market", "accept", args));
  }

  /** One transaction for allowance and match; undefined when the token takes no permit, or not this one. */
  async #acceptWithPermit(described: Sendable, bid: Bid, bidSignature: Hex): Promise<bigint | undefined> {
    const { order, training, orderHash } = described;
    const permit = await this.#funding.permit(described);
    if (permit === undefined) return undefined;
    const { value, deadline, v, r, s } = permit;
    const args = [order, training, bid, bidSignature, value, deadline, v, r, s] as const;
    try {
      // Each permit is another one: what was sent under an earlier key was looked for before.
      const key = `accept:${orderHash}:${r}`;
      return jobIdOf(await sendCall(this.#context, key, "Market", "acceptWithPermit", args));
    } catch (error) {
      if (!(error instanceof TransactionFailedError) || error.hash !== undefined) throw error;
      this.#context.log.info({ orderHash, reason: error.message }, "not with a permit");
      return undefined;
    }
  }

  #domain() {
    const { deployment } = this.#options;
    return { chainId: deployment.chainId, market: addressOf(deployment, "Market") };
  }

  #signature({ order }: DescribedOrder): Promise<Hex> {
    return this.#options.account.signTypedData(orderTypedData(order, this.#domain()));
  }
}

/** The job that a transaction has opened. */
function jobIdOf({ logs, transactionHash }: TransactionReceipt): bigint {
  const [opened] = parseEventLogs({ abi: abis.JobRegistry, eventName: "JobOpened", logs });
  if (opened === undefined) throw new AssayError(`the transaction ${transactionHash} has opened no job`);
  return opened.args.jobId;
}
