import { bytesToHex } from "viem";
import { statementTree } from "../../core/attestation/statement.ts";
import { initialState } from "../../core/exact/random/initialize.ts";
import { MemberRun } from "../../training/dispute/member-run.ts";
import type { StateAt } from "../../training/dispute/replayer.ts";
import { type AccusationRecord, turnOf } from "../jobs/challenge-record.ts";
import type { ComputeParts, Duty, FetchParts } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import { FewOpen } from "../jobs/few-open.ts";
import { limited } from "../jobs/in-time.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { type JobRun, openJobRun } from "../jobs/job-run.ts";
import { makeMove } from "../jobs/mover.ts";
import { fetchResult, keptLeaves, publishedState } from "../jobs/result.ts";
import type { CheckBook } from "./check-book.ts";
import type { Committees, CommitteesParts } from "./committees.ts";
import { keptState } from "./kept-intervals.ts";
import { signedLeaves } from "./signed-leaves.ts";

export type AnswererParts = CommitteesParts &
  ComputeParts &
  FetchParts & { readonly all: Committees; readonly book: CheckBook };

/** Jobs whose data is kept at hand, and intervals of each: anyone may accuse of as many as there are, as often as it pays. */
const most = { jobs: 2, runs: 2 };

/** A job whose data is at hand, and what has been computed of it, by interval. */
type Opened = { readonly job: JobRun; readonly runs: FewOpen<number, MemberRun> };

/** Answers accusations of what this validator has signed: from its own run, the leaves of the trace, and its statement. */
export class Answerer implements Duty {
  readonly name = "answering";
  readonly #parts: AnswererParts;
  /** Jobs with accusations that are open: each has many moves. */
  readonly #jobs = new FewOpen<bigint, Opened>(most.jobs, async ({ job, runs }) => {
    await runs.closeUnless(() => false);
    await job.job.close();
  });

  constructor(parts: AnswererParts) {
    this.#parts = parts;
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { ledger, operator } = this.#parts;
    const own = ledger
      .openAccusations()
      .filter(({ claim, outcome }) => claim.provider === operator && outcome === undefined);
    const accused = new Set(own.map(({ jobId }) => jobId));
    await this.#jobs.closeUnless((jobId) => accused.has(jobId));
    await forEach(own, async (accusation) => {
      const job = ledger.job(accusation.jobId);
      if (job === undefined || turnOf(accusation) !== "provider") return;
      await this.#answer(job, accusation, signal);
    });
  }

  close(): Promise<void> {
    return this.#jobs.closeUnless(() => false);
  }

  async #answer(job: JobRecord, accusation: AccusationRecord, signal: AbortSignal): Promise<void> {
    const { all, log } = this.#parts;
    const { jobId, attempt, position, challengeId, interval } = accusation;
    const draw = await all.draw(job, attempt);
    const leaves = draw && signedLeaves(this.#parts, draw);
    const index = leaves?.findIndex(
      (leaf) => leaf.position === position && leaf.interval === Number(interval),
    );
    if (draw === undefined || leaves === undefined || index === undefined || index === -1) {
      log.error(
        { jobId, challengeId },
        "the statement that was signed is gone: this accusation cannot be answered",
      );
      return;
    }
    const signed = statementTree(draw, leaves)
      .proof(index)
      .map((sibling) => bytesToHex(sibling));
    const run = await this.#run(job, Number(interval), signal);
    if (await makeMove(this.#parts, accusation, { role: "provider", run, signed })) return;
    log.error({ jobId, challengeId }, "nothing that was computed answers this accusation");
  }

  /** One run answers every accusation of an interval, and one copy of the data every run of a job. */
  async #run(record: JobRecord, interval: number, signal: AbortSignal): Promise<MemberRun> {
    const { job, runs } = await this.#jobs.get(record.jobId, () => this.#open(record, signal));
    return await runs.get(interval, () => this.#openRun(record, { job, interval }, signal));
  }

  async #open(record: JobRecord, signal: AbortSignal): Promise<Opened> {
    const limit = { seconds: this.#parts.fetchTime, signal };
    const job = await limited((stop) => openJobRun(this.#parts, record, stop), limit);
    return { job, runs: new FewOpen(most.runs, (run) => run.close()) };
  }

  async #openRun(
    { jobId, result: posted }: JobRecord,
    { job, interval }: { readonly job: JobRun; readonly interval: number },
    signal: AbortSignal,
  ): Promise<MemberRun> {
    const { executor, storage, fetchTime, log } = this.#parts;
    const limit = { seconds: fetchTime, signal };
    const result = posted!;
    const { folder } = job;
    const { program, order } = job.run;
    const { source, options } = job.job;
    const leaves =
      (await keptLeaves({ order, result, folder })) ??
      (await limited((stop) => fetchResult({ storage, program, order, result, folder, signal: stop }), limit))
        .leaves;
    if (leaves === undefined) throw new Error(`the leaves of job ${jobId} are not where they were stored`);
    const kept = await keptState(folder, interval, program);
    const onWrong = (leaf: number) =>
      log.warn({ jobId, leaf }, "a stored checkpoint is not what it should be");
    const nearest = async (step: number): Promise<StateAt> => {
      const start = interval * order.interval;
      if (kept !== undefined && start <= step) return { step: start, state: kept };
      const stored = await publishedState({ program, order, folder, leaves, onWrong }, step);
      return stored ?? { step: 0, state: initialState(program, order.seed) };
    };
    return new MemberRun({ program, order, source, executor, options, nearest, leaves, signal });
  }
}
