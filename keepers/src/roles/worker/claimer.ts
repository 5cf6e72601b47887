import type { Contracts } from "../../chain/contracts.ts";
import type { ProvenShare } from "../../core/market/contributions.ts";
import { forEach } from "../jobs/each.ts";
import { agreedOrUsual } from "../storage-node/agreement.ts";
import type { DutyContext, Reading } from "../storage-node/context.ts";
import { chainTime, tryCall } from "../storage-node/context.ts";
import type { SignedTotal, WorkerBook } from "./book.ts";

/** Where a worker stands under a posted root. */
export type Share = Omit<ProvenShare, "worker">;

/** A round of pay, as it is on chain. */
export type Round = Awaited<ReturnType<Contracts["WorkerRewards"]["read"]["roundOf"]>>;

/** How it stands, on chain, with a total that was countersigned. */
type Standing = {
  readonly round: Round;
  /** Chain time, seconds. */
  readonly now: bigint;
} & (
  | { readonly kind: "open"; readonly abandonedAt: bigint }
  | { readonly kind: "settled"; readonly paid: bigint; readonly answerUntil: number }
);

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
    const { operator } = this.#parts;
    const { value: credit } = await agreedOrUsual(this.#parts, "a worker's credit", ({ contracts }) =>
      contracts.WorkerRewards.read.creditOf([operator]),
    );
    if (credit === 0n) return;
    const nonce = await chainTime(this.#parts.client);
    await tryCall(this.#parts, `worker-withdraw:${nonce}`, "WorkerRewards", "withdraw", [operator]);
  }

  async #collect(signed: SignedTotal): Promise<void> {
    const { operator, book } = this.#parts;
    const { jobId, provider, total, signature } = signed;
    // Nothing is left undone on the word of one endpoint: the time to claim and to demand would go by meanwhile.
    const { value: standing, isAgreed } = await agreedOrUsual<Standing>(
      this.#parts,
      "what a worker is due",
      (chain) => this.#look(chain, signed),
    );
    const { round, now } = standing;
    if (standing.kind === "open") {
      if (round.openedAt !== 0 && now >= standing.abandonedAt) await this.#abandon(signed, round.openedAt);
      return;
    }
    const { paid, answerUntil } = standing;
    if (paid >= total || (now > BigInt(round.claimUntil) && round.openDemands === 0)) {
      if (isAgreed) book.settle(signed);
      return;
    }
    const name = [jobId, provider] as const;
    const key = `${jobId}:${provider}:${total}`;
    if (answerUntil > 0) {
      if (now <= BigInt(answerUntil)) return;
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

  async #look({ contracts, client }: Reading, { jobId, provider }: SignedTotal): Promise<Standing> {
    const { read } = contracts.WorkerRewards;
    const name = [jobId, provider] as const;
    const round = await read.roundOf(name);
    const now = await chainTime(client);
    if (round.forceUntil === 0) {
      return {
        kind: "open",
        round,
        now,
        abandonedAt: BigInt(round.openedAt) + BigInt(await read.ROUND_TIME()),
      };
    }
    const own = [...name, this.#parts.operator] as const;
    const paid = await read.paidTo(own);
    return { kind: "settled", round, now, paid, answerUntil: (await read.demandOf(own)).answerUntil };
  }

  /**
   * Ends a round whose provider has posted no root in the time that it has: a root over nobody takes its place, so that
   * demands can begin.
   */
  async #abandon({ jobId, provider }: SignedTotal, openedAt: number): Promise<void> {
    const key = `abandon:${jobId}:${provider}:${openedAt}`;
    await tryCall(this.#parts, key, "WorkerRewards", "abandon", [jobId, provider]);
  }
}
