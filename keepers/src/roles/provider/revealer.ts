import type { Duty, JobContext } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { agreedOrUsual } from "../storage-node/agreement.ts";
import { chainTime, tryCall } from "../storage-node/context.ts";
import type { Decisions } from "./decisions.ts";
import type { Prices } from "./prices.ts";

export type RevealerParts = JobContext & { readonly decisions: Decisions; readonly prices: Prices };

/** Reveals the bids that were sealed: one that stays hidden costs its bond. */
export class Revealer implements Duty {
  readonly name = "revealing";
  readonly #parts: RevealerParts;

  constructor(parts: RevealerParts) {
    this.#parts = parts;
  }

  async tick(): Promise<void> {
    await forEach(this.#parts.ledger.openJobs(), async (job) => {
      if (job.status === "Open" && job.auction !== undefined) await this.#reveal(job);
    });
  }

  async #reveal({ jobId, orderHash, order, auction }: JobRecord): Promise<void> {
    const { operator, decisions, prices } = this.#parts;
    const own = auction!.bids.get(operator);
    if (own === undefined || own.price !== undefined) return;
    const { commitUntil, graceEnds } = auction!;
    const { value: now, isAgreed } = await agreedOrUsual(this.#parts, "the time", ({ client }) =>
      chainTime(client),
    );
    const isTooLate = isAgreed && graceEnds !== undefined && now > graceEnds;
    if (now <= commitUntil || isTooLate) return;
    const decision = decisions.find(orderHash);
    if (decision?.kind !== "bid") return;
    const rate = await prices.sealedRateOf(order, jobId);
    const offer = prices.priced(order, decision.bid, rate, true);
    if (offer === undefined) return;
    const args = [jobId, offer.bid, decision.salt] as const;
    await tryCall(this.#parts, `reveal:${jobId}`, "Market", "revealBid", args);
  }
}
