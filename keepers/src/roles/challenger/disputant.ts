import type { TrainingOrder } from "../../core/exact/order.ts";
import { findMislabelled, type MislabelledSample } from "../../training/dispute/mislabelled-player.ts";
import { noInterval } from "../../training/dispute/moves.ts";
import { claimedPart } from "../../training/dispute/prefix-run.ts";
import { type ChallengeRecord, turnOf } from "../jobs/challenge-record.ts";
import type { ComputeParts, Duty, JobContext } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { trainJobUpTo } from "../jobs/job-run.ts";
import { makeMove } from "../jobs/mover.ts";
import { type OpenRun, OpenRuns, runsOfADuty } from "../jobs/open-runs.ts";
import { settleIfOver } from "../jobs/settler.ts";

export type DisputantParts = JobContext &
  ComputeParts & {
    /** Whether it plays in a job. */
    readonly isMeant: (jobId: bigint) => boolean;
  };

/** Plays the challenges that it has opened, and its accusations of members, from what is on chain and from its own run. */
export class Disputant implements Duty {
  readonly name = "disputing";
  readonly #parts: DisputantParts;
  readonly #runs: OpenRuns;
  /** How many steps of runs are known to be done. */
  readonly #trained = new WeakMap<OpenRun, number>();
  /** The first mislabelled sample of runs. */
  readonly #samples = new WeakMap<OpenRun, Promise<MislabelledSample | undefined>>();

  constructor(parts: DisputantParts) {
    this.#parts = parts;
    this.#runs = new OpenRuns(parts, runsOfADuty);
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { ledger, operator, isMeant } = this.#parts;
    const open = new Map(ledger.openJobs().map((job) => [job.jobId, job]));
    const own: ChallengeRecord[] = ledger
      .openChallenges()
      .filter(({ challenger, jobId }) => challenger === operator && isMeant(jobId))
      .filter((challenge) => ledger.isBound(challenge));
    const accused = ledger
      .openAccusations()
      .filter(({ challenger, jobId }) => challenger === operator && isMeant(jobId));
    own.push(...accused);
    await this.#runs.closeAllBut(new Set([...open.keys(), ...own.map(({ jobId }) => jobId)]));
    await forEach(own, async (challenge) => {
      // Of a job that has failed elsewhere, the bonds of other challenges are still at stake.
      const job = open.get(challenge.jobId) ?? ledger.job(challenge.jobId);
      if (job === undefined) return;
      if (turnOf(challenge) === "challenger") await this.#play(job, challenge, signal);
    });
  }

  close(): Promise<void> {
    return this.#runs.closeAllBut(new Set());
  }

  async #play(job: JobRecord, challenge: ChallengeRecord, signal: AbortSignal): Promise<void> {
    const { log } = this.#parts;
    const run = await this.#runs.get(job, signal);
    const sample = await this.#mislabelledOf(run, challenge, signal);
    const until = lastStepOf(challenge, run.run.order);
    if (sample === undefined && (this.#trained.get(run) ?? 0) < until) {
      await trainJobUpTo(this.#parts, run, { until, signal });
      this.#trained.set(run, until);
    }
    const player = {
      role: "challenger" as const,
      own: claimedPart(run.disputed, challenge.claim),
      answers: challenge.answers,
      ...(sample !== undefined && { sample }),
    };
    if (await makeMove(this.#parts, challenge, player)) {
      if (challenge.game === "DisputeGame") await settleIfOver(this.#parts, challenge);
      return;
    }
    const { jobId, challengeId } = challenge;
    log.error({ jobId, challengeId }, "nothing that was posted in this challenge is wrong");
  }

  /** The mislabelled sample that a challenge of this account is about. */
  async #mislabelledOf(
    open: OpenRun,
    { game, claim, interval }: ChallengeRecord,
    signal: AbortSignal,
  ): Promise<MislabelledSample | undefined> {
    const { job, run } = open;
    if (!job.hasMislabelled || game !== "DisputeGame") return undefined;
    let found = this.#samples.get(open);
    if (found === undefined) {
      found = findMislabelled({ ...run, source: job.source }, signal);
      this.#samples.set(open, found);
      found.catch(() => this.#samples.delete(open));
    }
    const sample = await found;
    if (sample === undefined || sample.step >= Number(claim.steps)) return undefined;
    const isThere =
      interval === noInterval || Math.floor(sample.step / run.order.interval) === Number(interval);
    return isThere ? sample : undefined;
  }
}

/** How far the own run must reach: to the end of the interval in question, of a search to the last step. */
function lastStepOf({ claim, interval }: ChallengeRecord, order: Pick<TrainingOrder, "interval">): number {
  const steps = Number(claim.steps);
  return interval === noInterval ? steps : Math.min(steps, (Number(interval) + 1) * order.interval);
}
