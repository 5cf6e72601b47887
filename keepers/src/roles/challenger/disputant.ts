import type { TrainingOrder } from "../../core/exact/order.ts";
import type { ClaimedRun } from "../../training/dispute/claimed-run.ts";
import { findMislabelled, type MislabelledSample } from "../../training/dispute/mislabelled-player.ts";
import { noInterval } from "../../training/dispute/moves.ts";
import type { Player } from "../../training/dispute/next-move.ts";
import { claimedPart } from "../../training/dispute/prefix-run.ts";
import { findResumption } from "../../training/trainer/progress.ts";
import { type ChallengeRecord, turnOf } from "../jobs/challenge-record.ts";
import type { ComputeTurns } from "../jobs/compute-turns.ts";
import type { ComputeParts, Duty, FetchParts, JobContext } from "../jobs/duty.ts";
import { FolderFindings } from "../jobs/folder-findings.ts";
import { IntervalRuns } from "../jobs/interval-runs.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { trainJobUpTo } from "../jobs/job-run.ts";
import { checkpointSpacing } from "../jobs/move-time.ts";
import { makeMove } from "../jobs/mover.ts";
import { type OpenRun, OpenRuns } from "../jobs/open-runs.ts";
import { type PlayOptions, Plays, playsOfADuty } from "../jobs/plays.ts";
import { settleIfOver } from "../jobs/settler.ts";
import type { InTurn } from "../jobs/shortest-first.ts";
import type { SideBySideOptions } from "../jobs/side-by-side.ts";

export type DisputantParts = JobContext &
  ComputeParts &
  FetchParts &
  Pick<SideBySideOptions, "patience"> & {
    /** Whether it plays in a job. */
    readonly isMeant: (jobId: bigint) => boolean;
    /** Shared by all duties of a keeper that play disputes. */
    readonly turns: ComputeTurns;
  };

type Challenger = Extract<Player, { role: "challenger" }>;

/**
 * Plays the challenges that it has opened, and its accusations of members, from what is on chain and from its own run. An
 * accusation is about one interval: where the own run does not reach it, or has come to another state before it than the provider
 * has committed to, it is computed from that state.
 */
export class Disputant implements Duty {
  readonly name = "disputing";
  readonly #parts: DisputantParts;
  readonly #runs: OpenRuns;
  readonly #intervals: IntervalRuns;
  readonly #findings: FolderFindings;
  readonly #plays: Plays<ChallengeRecord>;
  /** How many steps of runs are known to be done. */
  readonly #trained = new WeakMap<OpenRun, number>();
  /** The first mislabelled sample of runs. */
  readonly #samples = new WeakMap<OpenRun, Promise<MislabelledSample | undefined>>();

  constructor(parts: DisputantParts) {
    this.#parts = parts;
    this.#runs = new OpenRuns(parts, playsOfADuty);
    this.#intervals = new IntervalRuns(parts);
    this.#findings = new FolderFindings(parts.folder);
    this.#plays = new Plays(parts);
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
    const jobs = new Set([...open.keys(), ...own.map(({ jobId }) => jobId)]);
    await this.#runs.closeAllBut(jobs);
    await this.#intervals.closeAllBut(jobs);
    const play = async (challenge: ChallengeRecord, options: PlayOptions) => {
      // Of a job that has failed elsewhere, the bonds of other challenges are still at stake.
      const job = open.get(challenge.jobId) ?? ledger.job(challenge.jobId);
      if (job !== undefined) await this.#play(job, challenge, signal, options);
    };
    const due = own.filter((challenge) => turnOf(challenge) === "challenger");
    await this.#plays.round(due, play, signal);
  }

  async close(): Promise<void> {
    await this.#plays.settled();
    await this.#runs.closeAllBut(new Set());
    await this.#intervals.closeAllBut(new Set());
  }

  /** @param signal ends what the run computes, whoever uses it */
  async #play(
    job: JobRecord,
    challenge: ChallengeRecord,
    signal: AbortSignal,
    { deadline, signal: over }: PlayOptions,
  ): Promise<void> {
    const { turns, operator } = this.#parts;
    const interval = Number(challenge.interval);
    const isOwn = job.provider === operator;
    if (challenge.game === "MemberGame" && !(await this.#findings.isPlayable(job, interval, isOwn))) {
      return await this.#intervals.use(job, interval, signal, (run) =>
        this.#move(challenge, { run, inTurn: turns.of({ deadline, run, signal: over }) }),
      );
    }
    await this.#runs.use(job, signal, async (opened) => {
      const run = opened.disputed;
      const inTurn = turns.of({ deadline, run, signal: over });
      const sample = await this.#mislabelledOf(opened, challenge, over);
      if (sample === undefined) await this.#train(opened, challenge, { inTurn, signal: over });
      await this.#move(challenge, { run, inTurn }, sample);
    });
  }

  async #move(
    challenge: ChallengeRecord,
    { run, inTurn }: { readonly run: ClaimedRun; readonly inTurn: InTurn },
    sample?: MislabelledSample,
  ): Promise<void> {
    const { log } = this.#parts;
    const { jobId, challengeId, claim, answers, game } = challenge;
    const player: Challenger = {
      role: "challenger",
      own: claimedPart(run, claim),
      answers,
      ...(sample !== undefined && { sample }),
    };
    if (await makeMove(this.#parts, challenge, player, inTurn)) {
      if (game === "DisputeGame") await settleIfOver(this.#parts, challenge);
      return;
    }
    log.error({ jobId, challengeId }, "nothing that was posted in this challenge is wrong");
  }

  /** From one checkpoint to the next: what is due earlier is computed between them. */
  async #train(
    run: OpenRun,
    challenge: ChallengeRecord,
    { inTurn, signal }: { readonly inTurn: InTurn; readonly signal: AbortSignal },
  ): Promise<void> {
    const last = lastStepOf(challenge, run.run.order);
    if ((this.#trained.get(run) ?? 0) >= last) return;
    let done = (await findResumption(run.run))?.checkpoint.step ?? 0;
    if (done < last) {
      const every = await inTurn(() => checkpointSpacing(this.#parts, challenge, run, signal));
      while (done < last) {
        const until = Math.min(last, (Math.floor(done / every) + 1) * every);
        await inTurn(() => trainJobUpTo(this.#parts, run, { until, every, signal }));
        done = until;
      }
    }
    this.#trained.set(run, last);
  }

  /** The mislabelled sample that a challenge of this account is about. */
  async #mislabelledOf(
    open: OpenRun,
    { game, claim, interval }: ChallengeRecord,
    signal: AbortSignal,
  ): Promise<MislabelledSample | undefined> {
    const { order } = open.run;
    const { mislabelled } = open.job;
    if (mislabelled.size === 0 || game !== "DisputeGame") return undefined;
    let found = this.#samples.get(open);
    if (found === undefined) {
      found = findMislabelled({ order, mislabelled }, signal);
      this.#samples.set(open, found);
      found.catch(() => this.#samples.delete(open));
    }
    const sample = await found;
    if (sample === undefined || sample.step >= Number(claim.steps)) return undefined;
    const isThere = interval === noInterval || Math.floor(sample.step / order.interval) === Number(interval);
    return isThere ? sample : undefined;
  }
}

/** How far the own run must reach: to the end of the interval in question, of a search to the last step. */
function lastStepOf({ claim, interval }: ChallengeRecord, order: Pick<TrainingOrder, "interval">): number {
  const steps = Number(claim.steps);
  return interval === noInterval ? steps : Math.min(steps, (Number(interval) + 1) * order.interval);
}
