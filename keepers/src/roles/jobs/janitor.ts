import type { Hex } from "viem";
import { claimIdOf } from "../../core/market/instalments.ts";
import { chainTime, tryCall } from "../storage-node/context.ts";
import { AccusationJanitor } from "./accusation-janitor.ts";
import type { ChallengeRecord } from "./challenge-record.ts";
import { dueInDispute } from "./dispute-duty.ts";
import type { Duty, JobContext } from "./duty.ts";
import { forEach } from "./each.ts";
import { type AuctionRecord, type CommittedResult, isPast, type JobRecord } from "./job-record.ts";
import { OwnerQuestions } from "./owner-questions.ts";
import { settleEnd, settleIfOver } from "./settler.ts";
import { watchResult } from "./shortfalls.ts";

export type JanitorParts = JobContext & {
  /** Jobs that this keeper looks after; all by default. */
  readonly only?: (job: JobRecord) => boolean;
  /** Whether this keeper has a result paid for; any by default. */
  readonly mayPay?: (resultId: Hex) => boolean;
};

/** Names of transactions. */
const keys = {
  callTimeout: "call-timeout",
  executeTimeout: "execute-timeout",
  settle: "settle-challenge",
} as const;

/** Whether a challenge of a commitment is neither lost nor settled. */
function isDisputed(challenges: readonly ChallengeRecord[], checkpoint: number): boolean {
  return challenges.some(
    (each) => each.checkpoint === checkpoint && !each.isSettled && each.outcome !== "lost",
  );
}

/** Seconds for which a committee that has not decided holds a job up: `JobRegistry.MAX_PENDING`. */
export const mostPending = 30n * 86_400n;

/** Work that anybody may do so that nothing stays where it is when somebody has gone away. */
export class JobJanitor implements Duty {
  readonly name = "tidying";
  readonly #parts: JanitorParts;
  readonly #accusations: AccusationJanitor;
  readonly #questions: OwnerQuestions;
  /** Ends of challenges of attested jobs, seconds since 1970. */
  readonly #attested = new Map<bigint, bigint>();

  constructor(parts: JanitorParts) {
    this.#parts = parts;
    this.#accusations = new AccusationJanitor(parts);
    this.#questions = new OwnerQuestions(parts);
  }

  async tick(): Promise<void> {
    const { ledger, client, only = () => true } = this.#parts;
    const now = await chainTime(client);
    const open = ledger.openJobs().filter(only);
    await forEach(open, (job) => this.#moveOn(job, now));
    await forEach(ledger.openChallenges(), async (challenge) => {
      const job = ledger.job(challenge.jobId);
      if (job !== undefined && only(job)) await this.#moveDispute(challenge, now);
    });
    await this.#accusations.tidy(now);
    await forEach(ledger.unsettledJobs().filter(only), (job) => this.#close(job, now));
  }

  async #moveOn(job: JobRecord, now: bigint): Promise<void> {
    const { jobId, order, status } = job;
    await this.#callLate(job, now);
    if (job.auction !== undefined && !job.auction.isOver && (await this.#auction(job, now))) return;
    if (status === "Open" && now > order.expiry) await this.#call("expire", jobId);
    if (status === "Matched" && isPast(job, now)) await this.#unmatched(job, now);
    await this.#watchResults(job, now);
    const isPending = await this.#closeCheckpoints(job, now);
    if (status === "Training" && isPast(job, now)) {
      if (isPending) await this.#refundRest(job);
      else await this.#call("expire", jobId);
    }
    if ((status === "Committed" || status === "Attested") && !isPending) await this.#finalise(job, now);
    if (job.isOwed) await settleEnd(this.#parts, jobId);
  }

  /** Has the grace begin of a provider that did not lock, or did not commit, in time. Reporting oneself only costs. */
  async #callLate({ jobId, status, deadline, graceEnds, provider, matches }: JobRecord, now: bigint) {
    const isDue = (status === "Matched" || status === "Training") && graceEnds === undefined;
    if (!isDue || now <= deadline! || provider === this.#parts.operator) return;
    await this.#callTimeout(jobId, `${status}:${matches}`);
  }

  async #callTimeout(jobId: bigint, due: string): Promise<void> {
    await tryCall(this.#parts, `job-timeout:${jobId}:${due}`, "JobRegistry", "callTimeout", [jobId]);
  }

  /** Ends a job whose provider did not lock. Nobody need wait for an order to expire that cannot be matched again. */
  async #unmatched({ jobId, order, auction }: JobRecord, now: bigint): Promise<void> {
    if (auction === undefined) {
      await tryCall(this.#parts, `take-back:${jobId}`, "Market", "takeBack", [jobId]);
    } else if (now > order.expiry) await this.#call("expire", jobId);
  }

  /** Gives the job to the next best bid, once all are revealed. Says whether the auction goes on, or ends by this. */
  async #auction(job: JobRecord, now: bigint): Promise<boolean> {
    const { jobId, auction, status, matches, order } = job;
    const isWaiting = status === "Open" || (status === "Matched" && isPast(job, now));
    if (!isWaiting || now <= auction!.revealUntil || now > order.expiry) return false;
    if (!(await this.#isRevealed(jobId, auction!, now))) return true;
    const isBid = [...auction!.bids.values()].some(
      ({ price, isSettled }) => price !== undefined && !isSettled,
    );
    if (isBid && (await tryCall(this.#parts, `award:${jobId}:${matches}`, "Market", "award", [jobId])))
      return true;
    return await tryCall(this.#parts, `close-auction:${jobId}`, "Market", "closeAuction", [jobId]);
  }

  /** Whether no bid can be revealed any more. When the time for it is over, hidden ones are given their grace. */
  async #isRevealed(jobId: bigint, auction: AuctionRecord, now: bigint): Promise<boolean> {
    const { bids, revealUntil, graceEnds } = auction;
    if (now <= revealUntil) return false;
    const hidden = [...bids.values()].filter(({ price }) => price === undefined);
    if (hidden.length === 0) return true;
    if (graceEnds !== undefined) return now > graceEnds;
    // Reporting oneself only costs.
    const isOthers = hidden.some(({ provider }) => provider !== this.#parts.operator);
    if (isOthers) await tryCall(this.#parts, `call-reveals:${jobId}`, "Market", "callTimeout", [jobId]);
    return false;
  }

  async #watchResults(job: JobRecord, now: bigint): Promise<void> {
    const { status, result, checkpoints } = job;
    const watch = async (owed: CommittedResult, checkpoint: number) => {
      await watchResult(this.#parts, job, owed, checkpoint, now);
      await this.#questions.watch(job, owed, checkpoint, now);
    };
    for (const each of checkpoints.filter(({ paid }) => paid === undefined)) await watch(each, each.number);
    const isOwed = status === "Committed" || status === "Attested";
    if (isOwed && result !== undefined) await watch(result, 0);
  }

  /** Has checkpoints paid that nobody has shown wrong in time, in their order. Says whether any is left. */
  async #closeCheckpoints({ jobId, checkpoints }: JobRecord, now: bigint): Promise<boolean> {
    const { ledger, mayPay = () => true } = this.#parts;
    const pending = checkpoints.filter(({ paid }) => paid === undefined);
    for (const { number, challengeUntil, graceEnds, resultId } of pending) {
      if (now <= challengeUntil) break;
      if (graceEnds === undefined) {
        const key = `checkpoint-timeout:${jobId}:${number}`;
        await tryCall(this.#parts, key, "Instalments", "callTimeout", [jobId, BigInt(number)]);
      }
      if (!isPast({ graceEnds }, now) || isDisputed(ledger.challengesOf(jobId), number)) break;
      if (!mayPay(resultId) || !(await this.#closeCheckpoint(jobId, number))) break;
    }
    return pending.length > 0;
  }

  async #closeCheckpoint(jobId: bigint, number: number): Promise<boolean> {
    const key = `close-checkpoint:${jobId}:${number}`;
    return await tryCall(this.#parts, key, "Instalments", "close", [jobId, BigInt(number)]);
  }

  /** A late provider chooses how long its checkpoints wait: what they cannot earn need not wait with them. */
  async #refundRest({ jobId, provider }: JobRecord): Promise<void> {
    const { contracts, operator } = this.#parts;
    if (provider === operator) return;
    const [price] = await contracts.Escrow.read.pursesOf([jobId]);
    if (price <= (await contracts.Instalments.read.owedOf([jobId]))) return;
    await this.#call("refundRest", jobId);
  }

  async #finalise(job: JobRecord, now: bigint): Promise<void> {
    const { ledger, mayPay = () => true } = this.#parts;
    const { jobId, status, graceEnds, result } = job;
    if (now <= (await this.#finalFrom(job))) return;
    if (graceEnds === undefined) await this.#callTimeout(jobId, status);
    if (!isPast(job, now) || !mayPay(result!.resultId)) return;
    if (!isDisputed(ledger.challengesOf(jobId), 0)) await this.#call("finalise", jobId);
  }

  /** Last second in which the timeout of the time to challenge cannot be called, as far as that is known. */
  async #finalFrom({ jobId, status, result, order }: JobRecord): Promise<bigint> {
    const { challengeUntil } = result!;
    if (order.conditions.committeeSize === 0) return challengeUntil;
    // The word of a committee brings the end nearer, and its silence too: only the chain says which it was.
    if (status === "Committed") return challengeUntil - mostPending;
    const known = this.#attested.get(jobId);
    if (known !== undefined) return known;
    const job = await this.#parts.contracts.JobRegistry.read.jobOf([jobId]);
    this.#attested.set(jobId, BigInt(job.challengeUntil));
    return BigInt(job.challengeUntil);
  }

  async #call(functionName: "expire" | "refundRest" | "finalise", jobId: bigint): Promise<void> {
    await tryCall(this.#parts, `${functionName}:${jobId}`, "JobRegistry", functionName, [jobId]);
  }

  async #moveDispute(challenge: ChallengeRecord, now: bigint): Promise<void> {
    const { contracts, ledger, operator, only } = this.#parts;
    const { challengeId, moves } = challenge;
    const due = await dueInDispute(challenge, {
      isOver: !ledger.isBound(challenge),
      account: operator,
      isForAll: only === undefined,
      deadline: () => contracts.DisputeGame.read.deadlineOf([challengeId]),
    });
    if (due === undefined || now < due.from) return;
    const turn = due.call === "settle" ? "" : `:${moves}`;
    const key = `${keys[due.call]}:${challengeId}${turn}`;
    const isDone = await tryCall(this.#parts, key, "DisputeGame", due.call, [challengeId]);
    if (isDone && due.call === "executeTimeout") await settleIfOver(this.#parts, challenge);
  }

  /** What is left to do once a job is over. */
  async #close({ jobId, auction }: JobRecord, now: bigint): Promise<void> {
    const { ledger, contracts, operator, only } = this.#parts;
    const isRevealed = auction === undefined || (await this.#isRevealed(jobId, auction, now));
    for (const { provider, price, isSettled } of auction?.bids.values() ?? []) {
      if (isSettled || (price === undefined && !isRevealed)) continue;
      await tryCall(this.#parts, `settle-bid:${jobId}:${provider}`, "Market", "settleBid", [jobId, provider]);
    }
    const challenges = ledger.challengesOf(jobId);
    for (const { checkpoint } of ledger.boundClaims(jobId)) {
      if (isDisputed(challenges, checkpoint)) continue;
      if (checkpoint === 0) await tryCall(this.#parts, `release:${jobId}`, "JobRegistry", "settle", [jobId]);
      else await this.#closeCheckpoint(jobId, checkpoint);
    }
    for (const claim of ledger.unrewardedClaims(jobId)) {
      const claimId = claimIdOf(claim);
      const [, , rewardAfter, , , , , , , , winner] = await contracts.DisputeGame.read.jobs([claimId]);
      // Whoever is to have it may fetch it.
      const isOwn = only === undefined || ledger.challenge(winner)?.challenger === operator;
      if (now <= rewardAfter || !isOwn) continue;
      await tryCall(this.#parts, `reward:${claimId}`, "DisputeGame", "payReward", [claimId]);
    }
  }
}
