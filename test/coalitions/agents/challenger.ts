import { type Hex, isAddressEqual } from "viem";
import { stateFileBytes } from "../../../keepers/src/core/exact/result-files.ts";
import { claimIdOf } from "../../../keepers/src/core/market/instalments.ts";
import { type ChallengeRecord, turnOf } from "../../../keepers/src/roles/jobs/challenge-record.ts";
import type { CommittedResult, JobRecord } from "../../../keepers/src/roles/jobs/job-record.ts";
import { makeMove } from "../../../keepers/src/roles/jobs/mover.ts";
import { settleIfOver } from "../../../keepers/src/roles/jobs/settler.ts";
import { findStoredFraud, sendFraud } from "../../../keepers/src/roles/jobs/stored-fraud.ts";
import type { ToldRun } from "../../../keepers/src/roles/simulation/told-run.ts";
import { openingMove } from "../../../keepers/src/training/dispute/find-interval.ts";
import { claimedPart } from "../../../keepers/src/training/dispute/prefix-run.ts";
import type { Party } from "../cast.ts";
import { streamOf } from "../datasets.ts";
import { runOf } from "../runs.ts";
import type { Scene } from "../scene.ts";
import { nothing } from "../world.ts";
import type { Agent } from "./agent.ts";

/** A commitment of a job, the last one or a checkpoint's. */
type Claim = CommittedResult & { readonly checkpoint: number; readonly steps?: number };

/** What a job's provider has committed to and is not paid for. */
function claimsOf({ status, result, checkpoints }: JobRecord): Claim[] {
  const posted = checkpoints
    .filter(({ paid }) => paid === undefined)
    .map(({ number, ...each }) => ({ ...each, checkpoint: number }));
  const isCommitted = status === "Committed" || status === "Attested";
  return isCommitted ? [...posted, { ...result!, checkpoint: 0 }] : posted;
}

/** Computes every committed job again, and challenges and plays by the code of keepers. */
export class Challenger implements Agent {
  readonly #scene: Scene;
  readonly #name: Party = "challenger";
  /** Claims whose stored results were shown to be others. */
  readonly #shown = new Set<bigint>();
  /** Turns of disputes whose deadlines are known. */
  readonly #timed = new Set<string>();

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  async act(): Promise<boolean> {
    let isDone = false;
    for (const job of this.#scene.jobs.openJobs()) {
      for (const claim of claimsOf(job)) isDone = (await this.#inspect(job, claim)) || isDone;
    }
    return (await this.#play()) || isDone;
  }

  async #inspect(job: JobRecord, { checkpoint, steps, ...result }: Claim): Promise<boolean> {
    const { jobId } = job;
    const { jobs, world, claimed, begun } = this.#scene;
    const address = world.address(this.#name);
    const isOwn = (each: ChallengeRecord) =>
      each.checkpoint === checkpoint && isAddressEqual(each.challenger, address);
    if (jobs.challengesOf(jobId).some(isOwn)) return false;
    const told = claimed.get(result.traceRoot) ?? begun.get(result.traceRoot);
    if (told === undefined) return false;
    const whole = runOf(job.order.problem.datasetId, this.#name);
    const own = claimedPart(whole, { steps: BigInt(steps ?? whole.order.steps) });
    const [stateRoot] = await own.stateRoots([own.order.steps]);
    const isRight = result.stateRoot === stateRoot;
    const claimId = claimIdOf({ jobId, checkpoint });
    if (isRight && (await this.#showMisstored(claimId, result.resultId, whole, own.order.steps))) return true;
    const published = await claimedPart(told, { steps: BigInt(own.order.steps) }).leaves();
    const leaves = result.leavesDigest === nothing ? undefined : published;
    // As keepers do: leaves that are withheld are no reason to challenge a result that is right.
    if (leaves === undefined && isRight) return false;
    const move = await openingMove(own, result, leaves);
    if (move === undefined) return false;
    const { dispute } = await world.contracts.JobRegistry.read.parametersOf([jobId]);
    const bond = dispute.challengerBond;
    const key = `challenge ${claimId}`;
    if (move.kind === "challengeTrace") {
      return await this.#scene.try(key, this.#name, "DisputeGame", "challengeTrace", [claimId], bond);
    }
    const args = [claimId, BigInt(move.interval), move.before, move.next] as const;
    return await this.#scene.try(key, this.#name, "DisputeGame", "challenge", args, bond);
  }

  /** Whether something else is stored than was committed to, and the contracts have been shown it. */
  async #showMisstored(claimId: bigint, resultId: Hex, own: ToldRun, steps: number): Promise<boolean> {
    const state = own.state(steps);
    const stored = streamOf(this.#scene.datasets.get(resultId)!, stateFileBytes(own.program));
    const fraud = findStoredFraud(claimId, own.program, state, stored);
    // Everything that is stored in this world is served whole.
    if (fraud === undefined || "length" in fraud || this.#shown.has(claimId)) return false;
    const context = this.#scene.context(this.#name);
    if (!(await sendFraud(context, `misstored ${claimId}`, fraud))) return false;
    this.#shown.add(claimId);
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
      const { challenger, answers, jobId, claim } = challenge;
      await this.#wakeFor(challenge);
      if (!isAddressEqual(challenger, context.operator) || !jobs.isBound(challenge)) continue;
      if (turnOf(challenge) !== "challenger") continue;
      const own = claimedPart(runOf(jobs.job(jobId)!.order.problem.datasetId, this.#name), claim);
      if (await makeMove(context, challenge, { role: "challenger", own, answers })) {
        await settleIfOver(context, challenge);
      }
    }
    return this.#scene.actions.slice(before).some(({ sent }) => sent.isRight);
  }
}
