import { tryCall } from "../storage-node/context.ts";
import type { AccusationRecord } from "./challenge-record.ts";
import { dueInDispute } from "./dispute-duty.ts";
import type { JobContext } from "./duty.ts";
import { forEach } from "./each.ts";
import type { JobRecord } from "./job-record.ts";

export type AccusationJanitorParts = JobContext & {
  /** Jobs whose accusations this keeper looks after; all by default. Its own it always does. */
  readonly only?: (job: JobRecord) => boolean;
};

/** Names of transactions. */
const keys = {
  callTimeout: "call-member-timeout",
  executeTimeout: "execute-member-timeout",
  settle: "settle-accusation",
} as const;

/** Work on accusations of members that anybody may do: timeouts, slashes, and the return of bonds. */
export class AccusationJanitor {
  readonly #parts: AccusationJanitorParts;

  constructor(parts: AccusationJanitorParts) {
    this.#parts = parts;
  }

  /** @param now seconds since 1970 */
  async tidy(now: bigint): Promise<void> {
    const { ledger, operator, only = () => true } = this.#parts;
    await forEach(ledger.openAccusations(), async (accusation) => {
      const { challenger, claim, jobId } = accusation;
      const job = ledger.job(jobId);
      const isOwn = challenger === operator || claim.provider === operator;
      if (isOwn || (job !== undefined && only(job))) await this.#moveOn(accusation, now);
    });
  }

  async #moveOn(accusation: AccusationRecord, now: bigint): Promise<void> {
    const { contracts, operator, only } = this.#parts;
    const { challengeId, moves, outcome, claim } = accusation;
    const id = [challengeId] as const;
    if (outcome === "convicted") {
      // Reporting oneself only costs.
      if (claim.provider === operator) return;
      await tryCall(this.#parts, `punish:${challengeId}`, "MemberGame", "punish", id);
      return;
    }
    const due = await dueInDispute(accusation, {
      isOver: await this.#isOver(accusation),
      account: operator,
      isForAll: only === undefined,
      deadline: () => contracts.MemberGame.read.deadlineOf(id),
    });
    if (due === undefined || now < due.from) return;
    const key = `${keys[due.call]}:${challengeId}${due.call === "settle" ? "" : `:${moves}`}`;
    await tryCall(this.#parts, key, "MemberGame", due.call, id);
  }

  /** Whether nothing can be judged any more: the job is void, or the member was found to have lied. */
  async #isOver({ jobId, attempt, position }: AccusationRecord): Promise<boolean> {
    const { Committee, MemberGame } = this.#parts.contracts;
    const isLiar = await Committee.read.isLiar([jobId, attempt, BigInt(position)]);
    return isLiar || (await MemberGame.read.isVoid([jobId]));
  }
}
