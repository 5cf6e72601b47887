import { type Hex, zeroAddress } from "viem";
import { addressOf } from "../../chain/contracts.ts";
import { bidCommitment } from "../../core/market/typed-data.ts";
import type { Order } from "../../core/market/types.ts";
import type { Duty, JobContext } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import type { JobLedger, PostedOrder } from "../jobs/job-ledger.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { SideBySide, type SideBySideOptions } from "../jobs/side-by-side.ts";
import { withAllowance } from "../storage-node/allowance.ts";
import { chainTime, tryCall } from "../storage-node/context.ts";
import type { Appraiser } from "./appraiser.ts";
import type { PricedBid, Prices } from "./prices.ts";

export type BidderParts = JobContext &
  Pick<SideBySideOptions, "patience"> & {
    readonly appraiser: Appraiser;
    readonly prices: Prices;
    /** Jobs that may be under way at once. */
    readonly mostJobs: number;
    /** Whether orders that were posted without an auction are taken at the provider's own price. */
    readonly takesOrders: boolean;
  };

/** Orders that are looked at closely at a time: what each of them needs has to be fetched. */
const mostAppraisals = 4;

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
  /** Jobs of auctions, and orders, that were bid for, until that is seen on chain: they take room too. */
  readonly #sent = new Set<bigint | Hex>();

  constructor(parts: BidderParts) {
    this.#parts = parts;
    this.#appraisals = new SideBySide({ most: mostAppraisals, patience: parts.patience });
  }

  async tick(signal: AbortSignal): Promise<void> {
    await this.#bid(signal);
    if ((await this.#appraisals.look()) > 0) await this.#bid(signal);
  }

  /** The signal of the last look has ended what is under way. */
  close(): Promise<void> {
    return this.#appraisals.settled();
  }

  /** Bids for what was decided, and has the rest looked at. */
  async #bid(signal: AbortSignal): Promise<void> {
    const { ledger, takesOrders } = this.#parts;
    await forEach(ledger.openJobs(), async (job) => {
      if (job.status === "Open" && job.auction !== undefined) await this.#seal(job, signal);
    });
    if (takesOrders) await forEach(ledger.postedOrders(), (posted) => this.#take(posted, signal));
  }

  async #seal(job: JobRecord, signal: AbortSignal): Promise<void> {
    const { ledger, operator, client, deployment } = this.#parts;
    const { jobId, orderHash } = job;
    const { commitUntil, bids, terms } = job.auction!;
    if (bids.has(operator) || (await chainTime(client)) > commitUntil) return;
    const posted = ledger.order(orderHash);
    if (posted === undefined) return;
    const offer = await this.#bidFor(posted, signal, jobId);
    if (offer === undefined) return;
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

  /** Takes an order that was posted: first come, first served. */
  async #take(posted: PostedOrder, signal: AbortSignal): Promise<void> {
    const { order, orderHash, training, signature } = posted;
    if (this.#parts.appraiser.known(posted)?.kind === "refused") return;
    if (signature === "0x" || (await chainTime(this.#parts.client)) > order.expiry) return;
    if (!(await this.#isGood(order))) return;
    const offer = await this.#bidFor(posted, signal);
    if (offer === undefined) return;
    const args = [order, training, signature, offer.bid, "0x"] as const;
    // A feed makes another bid of it each time.
    const key = order.conditions.priceFeed === zeroAddress ? orderHash : `${orderHash}:${offer.bid.price}`;
    if (await tryCall(this.#parts, `take:${key}`, "Market", "accept", args)) this.#sent.add(orderHash);
  }

  /** Whether an order can still be matched, and be paid: to look closer at it takes work. */
  async #isGood({ consumer, nonce, conditions }: Order): Promise<boolean> {
    const { contracts, deployment } = this.#parts;
    const escrow = addressOf(deployment, "Escrow");
    const [isUsed, balance, allowance] = await Promise.all([
      contracts.Market.read.isNonceUsed([consumer, nonce]),
      contracts.AssayToken.read.balanceOf([consumer]),
      contracts.AssayToken.read.allowance([consumer, escrow]),
    ]);
    return !isUsed && balance >= conditions.deposit && allowance >= conditions.deposit;
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
    const { appraiser, prices, contracts, operator } = this.#parts;
    const { order } = posted;
    if (!this.#hasRoom()) return undefined;
    // Before anything is fetched or computed for it.
    if ((await prices.rateOf(order, jobId)) === undefined) return undefined;
    const decision = appraiser.known(posted);
    if (decision === undefined)
      this.#appraisals.begin(posted.orderHash, () => appraiser.decide(posted, signal));
    if (decision?.kind !== "bid") return undefined;
    const rate = await prices.rateOf(order, jobId);
    const offer = rate && prices.priced(order, decision.bid, rate, jobId !== undefined);
    if (offer === undefined) return undefined;
    const { stake, locked } = await contracts.Staking.read.operatorOf([operator]);
    const needed = await contracts.JobRegistry.read.stakeFor([operator, offer.worth]);
    return stake - locked < needed ? undefined : { ...offer, salt: decision.salt };
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

/** Jobs that a provider is bound to, or may yet win. */
function openJobsOf(ledger: JobLedger, operator: BidderParts["operator"]): JobRecord[] {
  return ledger.openJobs().filter(({ status, provider, auction }) => {
    if (provider === operator) return busy.includes(status);
    return status === "Open" && auction?.bids.has(operator);
  });
}
