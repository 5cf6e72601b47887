import { setTimeout as delay } from "node:timers/promises";
import { type Address, type Hex, parseEventLogs, type TransactionReceipt } from "viem";
import { abis } from "../../chain/abi/index.ts";
import { addressOf } from "../../chain/contracts.ts";
import { AssayError } from "../../core/errors.ts";
import { traceLength } from "../../core/exact/commitment.ts";
import { orderTypedData } from "../../core/market/typed-data.ts";
import type { AuctionTerms, Bid } from "../../core/market/types.ts";
import { JobCashier } from "../jobs/cashier.ts";
import type { JobContext } from "../jobs/duty.ts";
import { JobJanitor } from "../jobs/janitor.ts";
import { JobKeeper, type KeeperOptions } from "../jobs/job-keeper.ts";
import type { JobLedger } from "../jobs/job-ledger.ts";
import type { JobRecord, JobStatus } from "../jobs/job-record.ts";
import { sendCall } from "../storage-node/context.ts";
import type { DescribedOrder } from "./describe-order.ts";

export type ConsumerOptions = KeeperOptions & {
  /** Where refunds go; to the consumer's own account by default. */
  readonly payTo?: Address;
};

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

  private constructor(options: ConsumerOptions, keeper: JobKeeper, context: JobContext) {
    this.#options = options;
    this.#keeper = keeper;
    this.#context = context;
  }

  static async open(options: ConsumerOptions): Promise<Consumer> {
    const { account, payTo } = options;
    let context: JobContext | undefined;
    const keeper = await JobKeeper.open(options, {
      duties(opened) {
        context = opened;
        const { ledger } = opened;
        return [
          new JobJanitor({ ...opened, only: ({ consumer }) => consumer === account.address }),
          new JobCashier({ ...opened, payTo, jobs: () => ledger.jobsOfConsumer(account.address) }),
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
  async costOf({ order, trainingOrder }: DescribedOrder): Promise<bigint> {
    const { deposit, committeeSize, checkFee } = order.conditions;
    if (committeeSize === 0) return deposit;
    const intervals = BigInt(traceLength(trainingOrder.steps, trainingOrder.interval) - 1);
    const { Committee } = this.#context.contracts;
    return deposit + (await Committee.read.feesFor([intervals, committeeSize, checkFee]));
  }

  /**
   * Shows a signed order to all providers; whoever takes it first at a price that it allows gets it. The escrow is allowed
   * to pull what the order costs.
   *
   * @param allowance what the escrow may pull in all, when more than one order is out; this order's cost by default
   * @throws TransactionFailedError
   */
  async post(described: DescribedOrder, allowance?: bigint): Promise<void> {
    const { order, training, orderHash } = described;
    await this.#approve(`approve-order:${orderHash}`, allowance ?? (await this.costOf(described)));
    const signature = await this.#sign(described);
    const args = [order, training, described.package, signature] as const;
    await sendCall(this.#context, `post:${orderHash}`, "Market", "post", args);
  }

  /**
   * Opens a sealed-bid auction for an order; what it costs is pulled now.
   *
   * @returns the job's id
   * @throws TransactionFailedError
   */
  async openAuction(described: DescribedOrder, terms: AuctionTerms): Promise<bigint> {
    const { order, training, orderHash } = described;
    await this.#approve(`approve-order:${orderHash}`, await this.costOf(described));
    const args = [order, training, described.package, terms] as const;
    return jobIdOf(await sendCall(this.#context, `auction:${orderHash}`, "Market", "openAuction", args));
  }

  /**
   * Takes a bid that its provider has signed; the escrow pulls what the order costs. The order is shown to everybody first, without a signature that others could take it with: provider and challengers compile from it.
   *
   * @returns the job's id
   * @throws TransactionFailedError
   */
  async accept(described: DescribedOrder, bid: Bid, bidSignature: Hex): Promise<bigint> {
    const { order, training, orderHash } = described;
    const shown = [order, training, described.package, "0x"] as const;
    await sendCall(this.#context, `show:${orderHash}`, "Market", "post", shown);
    // A permit would be another one each time: only the same call can be sent once.
    await this.#approve(`approve-order:${orderHash}`, await this.costOf(described));
    const args = [order, training, "0x", bid, bidSignature] as const;
    return jobIdOf(await sendCall(this.#context, `accept:${orderHash}`, "Market", "accept", args));
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

  async #approve(key: string, amount: bigint): Promise<void> {
    const escrow = addressOf(this.#options.deployment, "Escrow");
    await sendCall(this.#context, key, "AssayToken", "approve", [escrow, amount]);
  }

  #sign({ order }: DescribedOrder): Promise<Hex> {
    const { account, deployment } = this.#options;
    const domain = { chainId: deployment.chainId, market: addressOf(deployment, "Market") };
    return account.signTypedData(orderTypedData(order, domain));
  }
}

/** The job that a transaction has opened. */
function jobIdOf({ logs, transactionHash }: TransactionReceipt): bigint {
  const [opened] = parseEventLogs({ abi: abis.JobRegistry, eventName: "JobOpened", logs });
  if (opened === undefined) throw new AssayError(`the transaction ${transactionHash} has opened no job`);
  return opened.args.jobId;
}
