import type { Hex } from "viem";
import { traceLength } from "../../core/exact/commitment.ts";
import type { Hints } from "../../training/dispute/challenger-player.ts";
import { noInterval, stageOf } from "../../training/dispute/moves.ts";
import { type ChallengeRecord, turnOf } from "../jobs/challenge-record.ts";
import type { ComputeParts, Duty, JobContext } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { trainJob } from "../jobs/job-run.ts";
import { makeMove } from "../jobs/mover.ts";
import { type OpenRun, OpenRuns } from "../jobs/open-runs.ts";
import { chainTime, tryCall } from "../storage-node/context.ts";

export type DisputantParts = JobContext &
  ComputeParts & {
    /** Whether it plays in a job. */
    readonly isMeant: (jobId: bigint) => boolean;
  };

/** Plays the challenges that it has opened, from what is on chain and from its own run. */
export class Disputant implements Duty {
  readonly name = "disputing";
  readonly #parts: DisputantParts;
  readonly #runs: OpenRuns;
  /** Runs that are known to have come to their end. */
  readonly #trained = new WeakSet<OpenRun>();

  constructor(parts: DisputantParts) {
    this.#parts = parts;
    this.#runs = new OpenRuns(parts);
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { ledger, operator, isMeant } = this.#parts;
    const open = new Map(ledger.openJobs().map((job) => [job.jobId, job]));
    await this.#runs.closeAllBut(new Set(open.keys()));
    await forEach(ledger.openChallenges(), async (challenge) => {
      const job = open.get(challenge.jobId);
      if (job === undefined || challenge.challenger !== operator || !isMeant(job.jobId)) return;
      if (turnOf(challenge) === "challenger") await this.#play(job, challenge, signal);
    });
  }

  close(): Promise<void> {
    return this.#runs.closeAllBut(new Set());
  }

  async #play(job: JobRecord, challenge: ChallengeRecord, signal: AbortSignal): Promise<void> {
    const { log } = this.#parts;
    const run = await this.#runs.get(job, signal);
    if (!this.#trained.has(run)) {
      await trainJob(this.#parts, run, { signal });
      this.#trained.add(run);
    }
    const player = {
      role: "challenger" as const,
      own: run.disputed,
      answers: challenge.answers,
      hints: this.#hints(job, run),
    };
    if (await makeMove(this.#parts, challenge, player)) return;
    const { jobId, challengeId } = challenge;
    if (challenge.interval === noInterval) await this.#askOn(job, run);
    else log.error({ jobId, challengeId }, "nothing that was posted in this challenge is wrong");
  }

  /** What the commitment and other challenges of the job have brought to light. */
  #hints(job: JobRecord, { job: { order } }: OpenRun): Hints {
    const { ledger } = this.#parts;
    const result = job.result!;
    const leaves = new Map<number, Hex>([[traceLength(order.steps, order.interval) - 1, result.stateRoot]]);
    for (const challenge of ledger.challengesOf(job.jobId)) {
      for (const [leaf, root] of leavesOf(challenge)) leaves.set(leaf, root);
    }
    return { leaves };
  }

  /** The interval that came to light is none to win with: it says where to look next. */
  async #askOn(job: JobRecord, { job: { order } }: OpenRun): Promise<void> {
    const { ledger, operator, client, contracts } = this.#parts;
    const { jobId, result } = job;
    if ((await chainTime(client)) > result!.challengeUntil) return;
    const own = ledger
      .challengesOf(jobId)
      .filter(({ challenger, interval }) => challenger === operator && interval === noInterval);
    const isAsking = own.some(({ round }) => round !== undefined && stageOf(round).startsWith("Trace"));
    // Each challenge halves what is left to look at.
    const most = Math.ceil(Math.log2(traceLength(order.steps, order.interval))) + 1;
    if (isAsking || own.length >= most) return;
    const { dispute } = await contracts.JobRegistry.read.parametersOf([jobId]);
    const key = `challenge-trace:${jobId}:${own.length}`;
    await tryCall(this.#parts, key, "DisputeGame", "challengeTrace", [jobId], dispute.challengerBond);
  }
}

/** State roots of the two leaves around the interval of a challenge, where they are known. */
function leavesOf({ round, answers }: ChallengeRecord): [number, Hex][] {
  const rounds = [...answers.map((answer) => answer.round), ...(round === undefined ? [] : [round])];
  const opened = rounds.find((each) => stageOf(each) === "States");
  if (opened === undefined) return [];
  const { interval, position } = opened;
  return [
    [Number(interval), position.stateBefore],
    [Number(interval) + 1, position.stateAfter],
  ];
}
