import { type Hex, zeroAddress } from "viem";
import { claimIdOf } from "../../core/market/instalments.ts";
import { tryCall } from "../storage-node/context.ts";
import type { JobContext } from "./duty.ts";
import type { CommittedResult, JobRecord } from "./job-record.ts";
import { readQuestions } from "./questions.ts";

/** Chain seconds between two looks at the questions about one result. */
const pause = 60n;

/**
 * Questions about one result whose grace runs at once: one that is not answered ends the job, so that whoever asks thousands has few
 * of them called.
 */
const mostCalled = 16;

/**
 * Calls the timeouts of what owners of results are asked for and do not publish, and fails their jobs when nothing is published until
 * the grace is over. Anybody may ask, and anybody may end it.
 */
export class OwnerQuestions {
  readonly #parts: JobContext;
  /** When a result is looked at again, in chain seconds. */
  readonly #next = new Map<Hex, bigint>();

  constructor(parts: JobContext) {
    this.#parts = parts;
  }

  /** Looks after one result that is owed. Its provider, who would only report itself, answers instead. */
  async watch(
    { jobId, provider }: Pick<JobRecord, "jobId" | "provider">,
    { resultId }: Pick<CommittedResult, "resultId">,
    checkpoint: number,
    now: bigint,
  ): Promise<void> {
    const { contracts, operator, log } = this.#parts;
    if (provider === operator || now < (this.#next.get(resultId) ?? 0n)) return;
    if ((await contracts.RetrievalChallenges.read.askedSince([resultId])) === 0n) {
      this.#next.delete(resultId);
      return;
    }
    this.#next.set(resultId, now + pause);
    const due: bigint[] = [];
    let waiting = 0;
    for await (const { challengeId, challenger, isOwners, deadline, graceEnds } of readQuestions(
      contracts,
      resultId,
    )) {
      if (!isOwners || challenger === zeroAddress || now <= deadline) continue;
      if (graceEnds === 0n) due.push(challengeId);
      else if (now <= graceEnds) waiting++;
      else {
        const claimId = claimIdOf({ jobId, checkpoint });
        const facts = { jobId, checkpoint, resultId, challengeId };
        log.warn(facts, "the provider has not shown a piece of its result");
        const key = `fail-unanswered:${claimId}:${challengeId}`;
        if (await tryCall(this.#parts, key, "ResultShortfalls", "failUnanswered", [claimId, challengeId]))
          return;
      }
    }
    // One whose grace is over ends the job, and all others with it.
    for (const challengeId of due.slice(0, Math.max(0, mostCalled - waiting))) {
      const key = `retrieval-timeout:${challengeId}`;
      await tryCall(this.#parts, key, "RetrievalChallenges", "callTimeout", [challengeId]);
    }
  }
}
