import type { ProvenShare } from "../../core/market/contributions.ts";
import { forEach } from "../jobs/each.ts";
import type { DutyContext } from "../storage-node/context.ts";
import { chainTime, tryCall } from "../storage-node/context.ts";
import type { SignedTotal, WorkerBook } from "./book.ts";

/** Where a worker stands under a posted root. */
export type Share = Omit<ProvenShare, "worker">;

export type ClaimerParts = DutyContext & {
  readonly book: WorkerBook;
  /** Asks the provider; undefined when it does not say. */
  share(signed: SignedTotal): Promise<Share | undefined>;
};

/**
 * Fetches a worker's pay: claims what the root gives; where it gives less than was countersigned, or nobody says where the
 * worker stands, demands the last total, and takes it from the surety when that is not answered.
 */
export class Claimer {
  readonly #parts: ClaimerParts;

  constructor(parts: ClaimerParts) {
    this.#parts = parts;
  }

  async tick(): Promise<void> {
    await forEach(this.#parts.book.unsettled(), (signed) => this.#collect(signed));
    const { contracts, operator } = this.#parts;
    const credit = await contracts.WorkerRewards.read.creditOf([operator]);
    if (credit === 0n) return;
    const nonce = await chainTime(this.#parts.client);
    await tryCall(this.#parts, `worker-withdraw:${nonce}`, "WorkerRewards", "withdraw", [operator]);
  }

  async #collect(signed: SignedTotal): Promise<void> {
    const { contracts, operator, book, client } = this.#parts;
    const { jobId, provider, total, signature } = signed;
    const name = [jobId, provider] as const;
    const round = await contracts.WorkerRewards.read.roundOf(name);
    if (round.forceUntil === 0) {
      await this.#abandon(signed, round.openedAt);
      return;
    }
    const paid = await contracts.WorkerRewards.read.paidTo([...name, operator]);
    const now = await chainTime(client);
    if (paid >= total || (now > BigInt(round.claimUntil) && round.openDemands === 0)) {
      book.settle(signed);
      return;
    }
    const key = `${jobId}:${provider}:${total}`;
    const demand = await contracts.WorkerRewards.read.demandOf([...name, operator]);
    if (demand.answerUntil > 0) {
      if (now <= BigInt(demand.answerUntil)) return;
      await tryCall(this.#parts, `force:${key}`, "WorkerRewards", "execute", [...name, operator]);
      return;
    }
    const share = await this.#parts.share(signed);
    if (share !== undefined && share.total > paid && now <= BigInt(round.claimUntil)) {
      const args = [...name, operator, share.total, BigInt(share.index), share.proof] as const;
      // What the provider says is not always the same: it must not keep the worker from what comes next.
      const claim = `claim:${key}:${share.total}:${share.index}`;
      if ((await tryCall(this.#parts, claim, "WorkerRewards", "claim", args)) && share.total >= total) return;
    }
    if (now > BigInt(round.forceUntil)) return;
    await tryCall(this.#parts, `demand:${key}`, "WorkerRewards", "demand", [...name, total, signature]);
  }

  /**
   * Ends a round whose provider has posted no root in the time that it has: a root over nobody takes its place, so that
   * demands can begin.
   */
  async #abandon({ jobId, provider }: SignedTotal, openedAt: number): Promise<void> {
    const { contracts, client } = this.#parts;
    if (openedAt === 0) return;
    const roundTime = await contracts.WorkerRewards.read.ROUND_TIME();
    if ((await chainTime(client)) < BigInt(openedAt) + BigInt(roundTime)) return;
    const key = `abandon:${jobId}:${provider}:${openedAt}`;
    await tryCall(this.#parts, key, "WorkerRewards", "abandon", [jobId, provider]);
  }
}
