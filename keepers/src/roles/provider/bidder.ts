import { type Address, type Hex, zeroAddress } from "viem";
import { addressOf } from "../../chain/contracts.ts";
import { bidCommitment } from "../../core/market/typed-data.ts";
import type { Order } from "../../core/market/types.ts";
import type { Duty, JobContext } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import type { JobLedger, PostedOrder } from "../jobs/job-ledger.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import type { OrderRounds } from "../jobs/posted-orders.ts";
import { SideBySide, type SideBySideOptions } from "../jobs/side-by-side.ts";
import { surelyNow } from "../storage-node/agreement.ts";
import { withAllowance } from "../storage-node/allowance.ts";
import { chainTime, tryCall } from "../storage-node/context.ts";
import type { Appraiser } from "./appraiser.ts";
import type { HeldData } from "./held-data.ts";
import type { PricedBid, Prices } from "./prices.ts";

export type BidderParts = JobContext &
  Pick<SideBySideOptions, "patience"> & {
    readonly appraiser: Appraiser;
    readonly prices: Prices;
    readonly held: HeldData;
    /** Jobs that may be under way at once. */
    readonly mostJobs: number;
    /** Whether orders that were posted without an auction are taken at the provider's own price. */
    readonly takesOrders: boolean;
  };

/** Orders that are looked at closely at a time: what each of them needs has to be fetched. */
export const mostAppraisals = 4;

/** Tokens that a consumer has, and those of them that the escrow may pull. */
type Funds = { readonly balance: bigint; readonly allowance: bigint };

/** Statuses in which a provider is bound to a job. */
const busy: readonly JobRecord["status"][] = ["Matched", "Training"];

/**
 * Bids for orders, after a close look at each; a few are looked at side by side, and each only for so long. Anybody can post
 * orders that take long, so that nothing else with a deadline may wait for it: see `Revealer` and `Locker`, duties of their
 * own.
 */
export class Bidder implements Duty {
  readonly name = "bidding";
  readonly #parts: BidderParts;
  readonly #appraisals: SideBySide<Hex>;
  readonly #rounds: OrderRounds;
  /** Jobs of auctions, and orders, that were bid for, until that is seen on chain: they take room too. */
  readonly #sent = new Set<bigint | Hex>();
  /** Coins that were last said to be missing. */
  #missing = 0n;

  constructor(parts: BidderParts) {
    this.#parts = parts;
    this.#appraisals = new SideBySide({ most: mostAppraisals, patience: parts.patience });
    this.#rounds = parts.ledger.orderRounds();
  }

  async tick(signal: AbortSignal): Promise<void> {
    const now = await chainTime(this.#parts.client);
    // What is taken to be past is deleted.
    const surely = await surelyNow(this.#parts);
    await this.#parts.held.sweep((orderHash) => this.#needOf(orderHash, surely));
    await this.#bid(now, signal);
    if ((await this.#appraisals.look()) > 0) await this.#bid(now, signal);
  }

  /** The signal of the last look has ended what is under way. */
  close(): Promise<void> {
    return this.#appraisals.settled();
  }

  /** Bids for what was decided, and has the rest looked at. */
  async #bid(now: bigint, signal: AbortSignal): Promise<void> {
    const { ledger, operator, takesOrders } = this.#parts;
    const auctions = ledger.openJobs().filter(({ status, auction }) => {
      return status === "Open" && auction && now <= auction.commitUntil && !auction.bids.has(operator);
    });
    await forEach(auctions, (job) => this.#seal(job, signal));
    if (!takesOrders) return;
    const funds = new Map<Address, Promise<Funds>>();
    await forEach(this.#rounds.next(now), (orderHash) => this.#take(orderHash, funds, signal));
  }

  async #seal(job: JobRecord, signal: AbortSignal): Promise<void> {
    const { ledger, deployment } = this.#parts;
    const { jobId, orderHash } = job;
    const { terms } = job.auction!;
    const posted = ledger.order(orderHash);
    if (posted === undefined) return;
    const offer = await this.#bidFor(posted, signal, jobId);
    // A bond is lost by whoever cannot lock in time: it is not to be worth more than the work.
    if (offer === undefined || terms.bond > offer.worth) return;
    const { bid, salt } = offer;
    const commitment = bidCommitment({
      chainId: deployment.chainId,
      market: addressOf(deployment, "Market"),
      jobId,
      bid,
      salt,
    });
    const pull = { key: `bid:${jobId}`, spender: "Market", amount: terms.bond } as const;
    const isSent = await withAllowance(this.#parts, pull, () =>
      tryCall(this.#parts, pull.key, "Market", "commitBid", [jobId, commitment]),
    );
    if (isSent) this.#sent.add(jobId);
  }

  /** Whether the data of an order is needed: for a job that may be won or locked yet, or for a bid that may be made. */
  #needOf(orderHash: Hex, now: bigint): "bound" | "open" | "none" {
    const { ledger, operator } = this.#parts;
    const jobs = ledger.openJobs().filter((job) => job.orderHash === orderHash);
    const isBound = jobs.some(({ status, provider, auction }) => {
      return (
        (status === "Matched" && provider === operator) || auction?.bids.get(operator)?.isSettled === false
      );
    });
    const isSent = [...this.#sent].some((sent) => {
      return (typeof sent === "string" ? sent : ledger.job(sent)?.orderHash) === orderHash;
    });
    if (isBound || isSent) return "bound";
    const posted = ledger.order(orderHash);
    return posted !== undefined && now <= posted.order.expiry ? "open" : "none";
  }

  /** Takes an order that was posted: first come, first served. */
  async #take(orderHash: Hex, funds: Map<Address, Promise<Funds>>, signal: AbortSignal): Promise<void> {
    const { appraiser, ledger } = this.#parts;
    if (appraiser.known({ orderHash })?.kind === "refused") return;
    const posted = ledger.order(orderHash);
    if (posted === undefined || posted.signature === "0x") return;
    const { order, training, signature } = posted;
    if (!(await this.#isGood(order, funds))) return;
    const offer = await this.#bidFor(posted, signal);
    if (offer === undefined) return;
    const args = [order, training, signature, offer.bid, "0x"] as const;
    // A feed makes another bid of it each time.
    const key = order.conditions.priceFeed === zeroAddress ? orderHash : `${orderHash}:${offer.bid.price}`;
    if (await tryCall(this.#parts, `take:${key}`, "Market", "accept", args)) this.#sent.add(orderHash);
  }

  /** Whether an order can still be matched, and be paid: to look closer at it takes work. */
  async #isGood(
    { consumer, nonce, conditions: { deposit } }: Order,
    funds: Map<Address, Promise<Funds>>,
  ): Promise<boolean> {
    if (!funds.has(consumer)) funds.set(consumer, this.#fundsOf(consumer));
    const { balance, allowance } = await funds.get(consumer)!;
    if (balance < deposit || allowance < deposit) return false;
    return !(await this.#parts.contracts.Market.read.isNonceUsed([consumer, nonce]));
  }

  async #fundsOf(consumer: Address): Promise<Funds> {
    const { AssayToken, Escrow } = this.#parts.contracts;
    const [balance, allowance] = await Promise.all([
      AssayToken.read.balanceOf([consumer]),
      AssayToken.read.allowance([consumer, Escrow.address]),
    ]);
    return { balance, allowance };
  }

  /**
   * The bid for an order, in its unit; undefined when it is refused or not decided yet, its feed cannot be believed, or there
   * is no capacity for it now.
   *
   * @param jobId of an auction
   */
  async #bidFor(
    posted: PostedOrder,
    signal: AbortSignal,
    jobId?: bigint,
  ): Promise<(PricedBid & { salt: Hex }) | undefined> {
    const { appraiser, prices, contracts, operator, held } = this.#parts;
    const { order } = posted;
    if (!this.#hasRoom()) {
      await this.#withdrawLost();
      return undefined;
    }
    // Before anything is fetched or computed for it.
    if ((await prices.rateOf(order, jobId)) === undefined) return undefined;
    const decision = appraiser.known(posted);
    if (decision?.kind === "refused") return undefined;
    // No holder is asked again once a bid is made, and none could excuse it.
    if (decision === undefined || !(await held.has(posted.orderHash))) {
      this.#appraisals.begin(posted.orderHash, () => appraiser.decide(posted, signal));
      return undefined;
    }
    const rate = await prices.rateOf(order, jobId);
    const offer = rate && prices.priced(order, decision.bid, rate, jobId !== undefined);
    if (offer === undefined) return undefined;
    const { stake, locked } = await contracts.Staking.read.operatorOf([operator]);
    const [needed, promised] = await Promise.all([this.#stakeFor(order, offer.worth), this.#promised()]);
    const isBacked = stake - locked >= needed + promised && (await this.#hasCoins());
    if (isBacked) return { ...offer, salt: decision.salt };
    await this.#withdrawLost();
    return undefined;
  }

  /** Whether the account has the bond in coins of one job more, beside those that are won, or may be, and not locked yet. */
  async #hasCoins(): Promise<boolean> {
    const { client, contracts, ledger, operator, log } = this.#parts;
    const { providerBond } = await contracts.JobRegistry.read.parameters();
    const waiting = openJobsOf(ledger, operator).filter(({ status }) => status !== "Training").length;
    const needed = providerBond * BigInt(waiting + this.#sent.size + 1);
    const balance = await client.public.getBalance({ address: operator });
    if (balance >= needed) return true;
    if (this.#missing !== needed) log.warn({ balance, needed }, "too few coins to lock another job: no bid");
    this.#missing = needed;
    return false;
  }

  /** What a job locks of the stake, in token base units: for its result, and for its commitment. */
  async #stakeFor({ conditions }: Order, worth: bigint): Promise<bigint> {
    const { contracts, operator } = this.#parts;
    const [stake, performance] = await Promise.all([
      contracts.JobRegistry.read.stakeFor([operator, worth]),
      contracts.JobRegistry.read.performanceFor([conditions.deposit]),
    ]);
    return stake + performance;
  }

  /** What is not locked yet and will be, should every bid win: a match locks it, and two cannot with one stake. */
  async #promised(): Promise<bigint> {
    const { ledger, operator } = this.#parts;
    let sum = 0n;
    const jobs = openJobsOf(ledger, operator).filter(({ provider }) => provider !== operator);
    for (const job of jobs) sum += await this.#promisedFor(job.orderHash, job);
    for (const sent of this.#sent) {
      const job = typeof sent === "string" ? undefined : ledger.job(sent);
      sum += await this.#promisedFor(job?.orderHash ?? (sent as Hex), job);
    }
    return sum;
  }

  async #promisedFor(orderHash: Hex, job: JobRecord | undefined): Promise<bigint> {
    const { ledger, appraiser, prices } = this.#parts;
    const posted = ledger.order(orderHash);
    if (posted === undefined) return 0n;
    const { order } = posted;
    const decision = appraiser.known(posted);
    const rate = await prices.rateOf(order, job?.auction && job.jobId);
    const offer =
      decision?.kind === "bid" && rate !== undefined
        ? prices.priced(order, decision.bid, rate, job?.auction !== undefined)
        : undefined;
    // An offer that cannot be computed again is counted as the most that the order can pay.
    const worth = offer?.worth ?? order.conditions.deposit;
    return await this.#stakeFor(order, worth);
  }

  /**
   * Takes back the bond of a bid that lost, and with it the place in line behind a winner that may not lock: whoever is called
   * upon and has its stake elsewhere loses the bond. Only when there is other work for the stake.
   */
  async #withdrawLost(): Promise<void> {
    const { ledger, operator } = this.#parts;
    const lost = openJobsOf(ledger, operator).find(({ status, provider, auction }) => {
      const bid = auction?.bids.get(operator);
      return status !== "Open" && provider !== operator && bid?.price !== undefined;
    });
    if (lost === undefined) return;
    const { jobId } = lost;
    await tryCall(this.#parts, `withdraw-bid:${jobId}`, "Market", "settleBid", [jobId, operator]);
  }

  #hasRoom(): boolean {
    const { ledger, operator, mostJobs } = this.#parts;
    for (const each of this.#sent) if (this.#isSeen(each)) this.#sent.delete(each);
    return openJobsOf(ledger, operator).length + this.#sent.size < mostJobs;
  }

  #isSeen(sent: bigint | Hex): boolean {
    const { ledger, operator } = this.#parts;
    if (typeof sent === "string")
      return ledger.jobsOfProvider(operator).some(({ orderHash }) => orderHash === sent);
    const job = ledger.job(sent);
    return job !== undefined && (job.status !== "Open" || job.auction?.bids.has(operator) === true);
  }
}

/** Jobs that a provider is bound to, or may yet win: should the winner not lock, too. */
function openJobsOf(ledger: JobLedger, operator: BidderParts["operator"]): JobRecord[] {
  return ledger.openJobs().filter(({ status, provider, auction }) => {
    if (provider === operator) return busy.includes(status);
    return status === "Open"
      ? auction?.bids.has(operator)
      : status === "Matched" && auction?.bids.get(operator)?.isSettled === false;
  });
}
