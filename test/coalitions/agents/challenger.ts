import { isAddressEqual } from "viem";
import { stateFileBytes } from "../../../keepers/src/core/exact/result-files.ts";
import { type ChallengeRecord, turnOf } from "../../../keepers/src/roles/jobs/challenge-record.ts";
import type { JobRecord } from "../../../keepers/src/roles/jobs/job-record.ts";
import { makeMove } from "../../../keepers/src/roles/jobs/mover.ts";
import { settleIfOver } from "../../../keepers/src/roles/jobs/settler.ts";
import { findStoredFraud, sendFraud } from "../../../keepers/src/roles/jobs/stored-fraud.ts";
import type { ToldRun } from "../../../keepers/src/roles/simulation/told-run.ts";
import { openingMove } from "../../../keepers/src/training/dispute/find-interval.ts";
import type { Party } from "../cast.ts";
import { streamOf } from "../datasets.ts";
import { runOf } from "../runs.ts";
import type { Scene } from "../scene.ts";
import { nothing } from "../world.ts";
import type { Agent } from "./agent.ts";

/** Computes every committed job again, and challenges and plays by the code of keepers. */
export class Challenger implements Agent {
  readonly #scene: Scene;
  readonly #name: Party = "challenger";
  /** Jobs whose stored results were shown to be others. */
  readonly #shown = new Set<bigint>();
  /** Turns of disputes whose deadlines are known. */
  readonly #timed = new Set<string>();

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  async act(): Promise<boolean> {
    let isDone = false;
    for (const job of this.#scene.jobs.openJobs()) {
      if (job.status === "Committed" || job.status === "Attested")
        isDone = (await this.#inspect(job)) || isDone;
    }
    return (await this.#play()) || isDone;
  }

  async #inspect(job: JobRecord): Promise<boolean> {
    const { jobId, result } = job;
    const { jobs, world } = this.#scene;
    const address = world.address(this.#name);
    if (jobs.challengesOf(jobId).some(({ challenger }) => isAddressEqual(challenger, address))) return false;
    const claimed = this.#scene.claimed.get(result!.traceRoot);
    if (claimed === undefined) return false;
    const own = runOf(job.order.problem.datasetId, this.#name);
    const isRight = result!.stateRoot === own.publishedLeaves.at(-1)!.stateRoot;
    if (isRight && (await this.#showMisstored(job, own))) return true;
    const leaves = result!.leavesDigest === nothing ? undefined : claimed.publishedLeaves;
    // As keepers do: leaves that are withheld are no reason to challenge a result that is right.
    if (leaves === undefined && isRight) return false;
    const move = await openingMove(own, claimed, leaves);
    if (move === undefined) return false;
    const { dispute } = await world.contracts.JobRegistry.read.parametersOf([jobId]);
    const bond = dispute.challengerBond;
    const key = `challenge ${jobId}`;
    if (move.kind === "challengeTrace") {
      return await this.#scene.try(key, this.#name, "DisputeGame", "challengeTrace", [jobId], bond);
    }
    const args = [jobId, BigInt(move.interval), move.before, move.next] as const;
    return await this.#scene.try(key, this.#name, "DisputeGame", "challenge", args, bond);
  }

  /** Whether something else is stored than was committed to, and the contracts have been shown it. */
  async #showMisstored({ jobId, result }: JobRecord, own: ToldRun): Promise<boolean> {
    const state = own.state(own.order.steps);
    const stored = streamOf(this.#scene.datasets.get(result!.resultId)!, stateFileBytes(own.program));
    const fraud = findStoredFraud(jobId, own.program, state, stored);
    if (fraud === undefined || this.#shown.has(jobId)) return false;
    const context = this.#scene.context(this.#name);
    if (!(await sendFraud(context, `misstored ${jobId}`, fraud))) return false;
    this.#shown.add(jobId);
    return true;
  }

  /** No event says when a turn ends: somebody has to be there then, whoever's it is. */
  async #wakeFor({ challengeId, moves }: ChallengeRecord): Promise<void> {
    const turn = `${challengeId}/${moves}`;
    if (this.#timed.has(turn)) return;
    this.#timed.add(turn);
    const deadline = await this.#scene.world.contracts.DisputeGame.read.deadlineOf([challengeId]);
    this.#scene.wakeAt(Number(deadline) + 1);
  }

  async #play(): Promise<boolean> {
    const { jobs } = this.#scene;
    const context = this.#scene.context(this.#name);
    const before = this.#scene.actions.length;
    for (const challenge of jobs.openChallenges()) {
      const { challenger, answers, jobId } = challenge;
      await this.#wakeFor(challenge);
      if (!isAddressEqual(challenger, context.operator) || !jobs.isBound(challenge)) continue;
      if (turnOf(challenge) !== "challenger") continue;
      const own = runOf(jobs.job(jobId)!.order.problem.datasetId, this.#name);
      if (await makeMove(context, challenge, { role: "challenger", own, answers })) {
        await settleIfOver(context, challenge);
      }
    }
    return this.#scene.actions.slice(before).some(({ sent }) => sent.isRight);
  }
}
