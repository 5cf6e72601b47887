import type { Hex } from "viem";
import { traceLength } from "../../core/exact/commitment.ts";
import { claimIdOf } from "../../core/market/instalments.ts";
import type { Hints } from "../../training/dispute/challenger-player.ts";
import { noInterval, stageOf } from "../../training/dispute/moves.ts";
import type { OwnRun } from "../../training/dispute/own-run.ts";
import { claimedPart } from "../../training/dispute/prefix-run.ts";
import { type ChallengeRecord, turnOf } from "../jobs/challenge-record.ts";
import type { ComputeParts, Duty, JobContext } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import { commitmentOf, type JobRecord } from "../jobs/job-record.ts";
import { trainJob } from "../jobs/job-run.ts";
import { makeMove } from "../jobs/mover.ts";
import { type OpenRun, OpenRuns } from "../jobs/open-runs.ts";
import { chainTime, tryCall } from "../storage-node/context.ts";

/** Plays the challenges that it has opened, from what is on chain and from its own run. */
export class Disputant implements Duty {
  readonly name = "disputing";
  readonly #parts: JobContext & ComputeParts;
  readonly #runs: OpenRuns;
  /** How many steps of runs are known to be done. */
  readonly #trained = new WeakMap<OpenRun, number>();

  constructor(parts: JobContext & ComputeParts) {
    this.#parts = parts;
    this.#runs = new OpenRuns(parts);
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { ledger, operator } = this.#parts;
    const open = new Map(ledger.openJobs().map((job) => [job.jobId, job]));
    const own = ledger
      .openChallenges()
      .filter((challenge) => challenge.challenger === operator && ledger.isBound(challenge));
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
    const until = Number(challenge.claim.steps);
    if ((this.#trained.get(run) ?? 0) < until) {
      await trainJob(this.#parts, run, { until, signal });
      this.#trained.set(run, until);
    }
    const own = claimedPart(run.disputed, challenge.claim);
    const player = {
      role: "challenger" as const,
      own,
      answers: challenge.answers,
      hints: this.#hints(job, challenge, own),
    };
    if (await makeMove(this.#parts, challenge, player)) return;
    const { jobId, challengeId } = challenge;
    if (challenge.interval === noInterval) await this.#askOn(job, challenge, own);
    else log.error({ jobId, challengeId }, "nothing that was posted in this challenge is wrong");
  }

  /** What the commitment and other challenges of it have brought to light. */
  #hints(job: JobRecord, { checkpoint }: ChallengeRecord, { order }: OwnRun): Hints {
    const { ledger } = this.#parts;
    const result = commitmentOf(job, checkpoint)!;
    const leaves = new Map<number, Hex>([[traceLength(order.steps, order.interval) - 1, result.stateRoot]]);
    for (const challenge of ledger.challengesOf(job.jobId)) {
      if (challenge.checkpoint !== checkpoint) continue;
      for (const [leaf, root] of leavesOf(challenge)) leaves.set(leaf, root);
    }
    return { leaves };
  }

  /** The interval that came to light is none to win with: it says where to look next. */
  async #askOn(job: JobRecord, { checkpoint }: ChallengeRecord, { order }: OwnRun): Promise<void> {
    const { ledger, operator, client, contracts } = this.#parts;
    const { jobId } = job;
    if ((await chainTime(client)) > commitmentOf(job, checkpoint)!.challengeUntil) return;
    const own = ledger
      .challengesOf(jobId)
      .filter((each) => each.challenger === operator && each.interval === noInterval)
      .filter((each) => each.checkpoint === checkpoint);
    const isAsking = own.some(({ round }) => round !== undefined && stageOf(round).startsWith("Trace"));
    // Each challenge halves what is left to look at.
    const most = Math.ceil(Math.log2(traceLength(order.steps, order.interval))) + 1;
    if (isAsking || own.length >= most) return;
    const { dispute } = await contracts.JobRegistry.read.parametersOf([jobId]);
    const claimId = claimIdOf({ jobId, checkpoint });
    const key = `challenge-trace:${claimId}:${own.length}`;
    await tryCall(this.#parts, key, "DisputeGame", "challengeTrace", [claimId], dispute.challengerBond);
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
