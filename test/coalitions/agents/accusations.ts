import { bytesToHex, isAddressEqual } from "viem";
import type { DrawnCommittee } from "../../../keepers/src/core/attestation/statement.ts";
import { statementTree, witnessesHash } from "../../../keepers/src/core/attestation/statement.ts";
import { type AccusationRecord, turnOf } from "../../../keepers/src/roles/jobs/challenge-record.ts";
import type { JobRecord } from "../../../keepers/src/roles/jobs/job-record.ts";
import { makeMove } from "../../../keepers/src/roles/jobs/mover.ts";
import type { ToldRun } from "../../../keepers/src/roles/simulation/told-run.ts";
import { Accuser, type Finding } from "../../../keepers/src/roles/validator/accuser.ts";
import { Committees } from "../../../keepers/src/roles/validator/committees.ts";
import type { ClaimedRun } from "../../../keepers/src/training/dispute/claimed-run.ts";
import type { Party } from "../cast.ts";
import type { Plan } from "../conduct.ts";
import { isSameLeaf, runOf } from "../runs.ts";
import type { Scene } from "../scene.ts";
import { nothing } from "../world.ts";
import type { Agent } from "./agent.ts";

/** Members of committees that signed what is wrong are accused by the code of keepers; whoever is accused answers by it. */
export class Accusations implements Agent {
  readonly #scene: Scene;
  readonly #plan: Plan;
  readonly #accuser: Accuser;
  readonly #all: Committees;
  readonly #name: Party = "challenger";

  constructor(scene: Scene, plan: Plan) {
    this.#scene = scene;
    this.#plan = plan;
    const parts = { ...scene.context(this.#name), committees: scene.committeeLedger };
    this.#all = new Committees(parts);
    const find = (job: JobRecord, _: DrawnCommittee, interval: number) => this.#find(job, interval);
    this.#accuser = new Accuser({ ...parts, all: this.#all, find });
  }

  async act(): Promise<boolean> {
    const before = this.#scene.actions.length;
    if (this.#scene.committeeLedger.undismissed().length > 0) await this.#accuser.tick();
    for (const accusation of this.#scene.jobs.openAccusations()) {
      if (accusation.outcome !== undefined) continue;
      const { MemberGame } = this.#scene.world.contracts;
      const deadline = await MemberGame.read.deadlineOf([accusation.challengeId]);
      this.#scene.wakeAt(Number(deadline) + 1);
      const turn = turnOf(accusation);
      if (turn === "provider") await this.#answer(accusation);
      if (turn === "challenger") await this.#goOn(accusation);
    }
    return this.#scene.actions.slice(before).some(({ sent }) => sent.isRight);
  }

  /** What the challenger's own run says of an interval of a trace whose leaves are there. */
  async #find(job: JobRecord, interval: number): Promise<Finding | undefined> {
    const { traceRoot, leavesDigest } = job.result!;
    const claimed = this.#scene.claimed.get(traceRoot);
    const own = runOf(job.order.problem.datasetId, this.#name);
    if (claimed === undefined || leavesDigest === nothing || !isSameLeaf(own, claimed, interval))
      return undefined;
    if (!isSameLeaf(own, claimed, interval + 1)) return { isRight: false };
    return { isRight: true, witnessHash: witnessesHash(await own.witnesses(interval)) };
  }

  async #goOn(accusation: AccusationRecord): Promise<void> {
    const context = this.#scene.context(this.#name);
    if (!isAddressEqual(accusation.challenger, context.operator)) return;
    const { order } = this.#scene.jobs.job(accusation.jobId)!;
    const own = runOf(order.problem.datasetId, this.#name);
    await makeMove(context, accusation, { role: "challenger", own, answers: accusation.answers });
  }

  /** A member answers with what it has computed; one that only echoes, with what it was told. */
  async #answer(accusation: AccusationRecord): Promise<void> {
    const { jobId, attempt, position, interval, claim } = accusation;
    const job = this.#scene.jobs.job(jobId)!;
    const member = this.#scene.partyAt(claim.provider)!;
    const draw = (await this.#all.draw(job, attempt))!;
    const leaves = this.#scene.committees.leavesOf(draw)!;
    const index = leaves.findIndex(
      (leaf) => leaf.position === position && leaf.interval === Number(interval),
    );
    const signed = statementTree(draw, leaves)
      .proof(index)
      .map((sibling) => bytesToHex(sibling));
    const told = this.#scene.claimed.get(job.result!.traceRoot)!;
    const { echoes = false } = this.#plan.members[member] ?? {};
    const run = echoes ? told : memberRun(runOf(job.order.problem.datasetId, this.#name), told);
    await makeMove(this.#scene.context(member), accusation, { role: "provider", run, signed });
  }
}

/** A run of one's own, under the leaves of a provider's trace. */
function memberRun(own: ToldRun, told: ToldRun): ClaimedRun {
  return {
    program: own.program,
    order: own.order,
    stateRoots: (steps) => own.stateRoots(steps),
    slots: (steps) => own.slots(steps),
    witnesses: (interval) => own.witnesses(interval),
    step: (step) => own.step(step),
    object: (place) => own.object(place),
    leaves: () => told.leaves(),
    salt: (interval) => told.salt(interval),
  };
}
