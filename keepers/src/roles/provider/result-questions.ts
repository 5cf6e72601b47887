import { type Hex, keccak256, stringToHex, zeroAddress } from "viem";
import { bundleId } from "../../core/ids.ts";
import type { Duty, JobContext } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import type { CommittedResult } from "../jobs/job-record.ts";
import { readQuestions } from "../jobs/questions.ts";
import { agreedOrUsual, isSurely } from "../storage-node/agreement.ts";
import { chainTime, tryCall } from "../storage-node/context.ts";
import type { Ledger, LedgerRetrieval } from "../storage-node/ledger.ts";
import { RetrievalEnds } from "../storage-node/retrieval-ends.ts";
import { resultsOf } from "./result-keeper.ts";

export type ResultQuestionsParts = JobContext & {
  /** Retrieval challenges as far as the follower has come. */
  readonly retrievals: Pick<Ledger, "retrievalsOf">;
};

/** Questions that one transaction releases. */
const mostReleased = 64;

/**
 * Brings the retrieval challenges of a provider's results to an end: none is paid for while a cell of it is asked for. Those that
 * slash nobody, because the holder they were made against is gone, nobody else has a reason to close, nor to release those that were
 * answered.
 */
export class ResultQuestions implements Duty {
  readonly name = "questions about results";
  readonly #parts: ResultQuestionsParts;
  readonly #ends: RetrievalEnds;

  constructor(parts: ResultQuestionsParts) {
    this.#parts = parts;
    this.#ends = new RetrievalEnds({ ...parts, closesVoid: true });
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { ledger, operator } = this.#parts;
    const owed = ledger
      .jobsOfProvider(operator)
      .filter(({ provider }) => provider === operator)
      .flatMap((job) => resultsOf(job).filter(({ isOwed }) => isOwed));
    const asked: LedgerRetrieval[] = [];
    await forEach(
      [
        () => forEach(owed, async ({ result }) => void asked.push(...(await this.#look(result)))),
        // What is known of some results is brought to an end although others could not be looked at.
        async () => {
          asked.sort((a, b) => Number(a.deadline - b.deadline));
          const { value: now } = await agreedOrUsual(this.#parts, "the time", ({ client }) =>
            chainTime(client),
          );
          await this.#ends.tick(asked, { now, after: () => 0n }, signal);
        },
      ],
      (step) => step(),
    );
  }

  /** What holders are asked for of a result; what was published is released. */
  async #look({ resultId }: Pick<CommittedResult, "resultId">): Promise<LedgerRetrieval[]> {
    const isUnasked = await isSurely(this.#parts, "whether nothing is asked of a result", async (chain) => {
      return (await chain.contracts.RetrievalChallenges.read.askedSince([resultId])) === 0n;
    });
    if (isUnasked) return [];
    await this.#release(resultId);
    const { value: dataset } = await agreedOrUsual(this.#parts, "a stored result", ({ contracts }) =>
      contracts.DatasetRegistry.read.datasetOf([resultId]),
    );
    return Array.from({ length: dataset.bundles }, (_, index) => bundleId(resultId, index)).flatMap((id) =>
      this.#parts.retrievals.retrievalsOf(id),
    );
  }

  /** Has a result asked for no more on account of what was published, once the time is over to hold that against its provider. */
  async #release(resultId: Hex): Promise<void> {
    const { value: due } = await agreedOrUsual(
      this.#parts,
      "what was answered about a result",
      async ({ contracts, client }) => {
        const now = await chainTime(client);
        const ids: bigint[] = [];
        for await (const { challengeId, challenger, deadline } of readQuestions(contracts, resultId)) {
          if (challenger === zeroAddress && now > deadline) ids.push(challengeId);
          if (ids.length === mostReleased) break;
        }
        return ids;
      },
    );
    if (due.length === 0) return;
    // An endpoint that is behind gives another list: the queue sends one transaction for a key.
    const key = `release-questions:${resultId}:${keccak256(stringToHex(due.join()))}`;
    await tryCall(this.#parts, key, "RetrievalChallenges", "release", [due]);
  }
}
