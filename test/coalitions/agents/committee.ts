import type { Hex } from "viem";
import { addKeys, addSignatures, type G1Words } from "../../../keepers/src/core/attestation/bls.ts";
import {
  type DrawnCommittee,
  digestOf,
  intervalsOf,
  maskOf,
  type SignedLeaf,
  signStatement,
  witnessesHash,
} from "../../../keepers/src/core/attestation/statement.ts";
import type { JobRecord } from "../../../keepers/src/roles/jobs/job-record.ts";
import type { ToldRun } from "../../../keepers/src/roles/simulation/told-run.ts";
import { leavesOf } from "../../../keepers/src/roles/validator/desk.ts";
import { type Party, validators } from "../cast.ts";
import type { Plan } from "../conduct.ts";
import { isSameLeaf, runOf } from "../runs.ts";
import type { Scene } from "../scene.ts";
import type { Agent } from "./agent.ts";

/** Phases of `IAttestation`. */
const phases = { seeding: 1, signing: 2, opening: 3, revealing: 4 };
/** Part of the signing window in which all members are waited for, and in which those that nobody collected appear. */
const share = 4;

/** What a member says of its intervals. */
type Word = {
  readonly position: number;
  readonly member: Party;
  readonly digests: readonly Hex[];
  readonly isRight: boolean;
};

/** Draws committees, and has their members check, sign and reveal. */
export class Committee implements Agent {
  readonly #scene: Scene;
  readonly #plan: Plan;
  readonly #signed = new Map<string, readonly SignedLeaf[]>();

  constructor(scene: Scene, plan: Plan) {
    this.#scene = scene;
    this.#plan = plan;
  }

  async act(): Promise<boolean> {
    let isDone = false;
    for (const job of this.#scene.jobs.openJobs()) {
      if (job.order.conditions.committeeSize === 0 || job.status !== "Committed") continue;
      isDone = (await this.#moveOn(job)) || isDone;
    }
    return isDone;
  }

  async #moveOn(job: JobRecord): Promise<boolean> {
    const { contracts } = this.#scene.world;
    const { jobId } = job;
    const { phase, attempt, deadline, graceEnds, threshold } = await contracts.Committee.read.jobOf([jobId]);
    if (phase === phases.seeding) return await this.#draw(jobId, attempt);
    const isTimed = phase === phases.signing || phase === phases.opening || phase === phases.revealing;
    if (!isTimed) return false;
    const name = `${jobId}/${attempt}/${phase}`;
    if (graceEnds !== 0 && this.#scene.now > graceEnds) {
      return await this.#scene.try(`execute ${name}`, "bystander", "Committee", "executeTimeout", [jobId]);
    }
    if (phase === phases.signing && (await this.#sign(job, attempt, threshold, deadline))) return true;
    if (phase === phases.revealing && (await this.#reveal(job, attempt))) return true;
    if (graceEnds !== 0 || this.#scene.now <= deadline) return false;
    return await this.#scene.try(`late ${name}`, "bystander", "Committee", "callTimeout", [jobId]);
  }

  async #draw(jobId: bigint, attempt: number): Promise<boolean> {
    const { Committee, RandomnessBeacon } = this.#scene.world.contracts;
    const { requestId, drawUntil } = await Committee.read.drawOf([jobId, BigInt(attempt)]);
    const call = this.#scene.now > drawUntil ? "renew" : "draw";
    const [, readyAt] = await RandomnessBeacon.read.seedOf([requestId]);
    if (call === "draw" && readyAt === 0n) return false;
    return await this.#scene.try(`${call} ${jobId}/${requestId}`, "bystander", "Committee", call, [jobId]);
  }

  /** The draw of an attempt, from its event. */
  async drawn(job: JobRecord, attempt: number): Promise<DrawnCommittee> {
    const { world, events } = this.#scene;
    const event = events.findLast(({ eventName, args }) => {
      const { jobId, attempt: number } = args as { jobId: bigint; attempt: bigint };
      return eventName === "CommitteeDrawn" && jobId === job.jobId && number === BigInt(attempt);
    })!;
    const { seed, members } = event.args as { seed: Hex; members: readonly bigint[] };
    const place = {
      chainId: BigInt(world.deployment.chainId),
      contract: world.deployment.addresses.Committee!,
    };
    const own = runOf(job.order.problem.datasetId, "challenger");
    return {
      ...{ ...place, jobId: job.jobId, attempt: BigInt(attempt), seed, members },
      ...{ traceRoot: job.result!.traceRoot, intervals: own.job.intervals, checks: this.#scene.checks },
    };
  }

  /** What each member that has something to say says. */
  async #words(job: JobRecord, draw: DrawnCommittee): Promise<Word[]> {
    const claimed = this.#scene.claimed.get(draw.traceRoot)!;
    const words: Word[] = [];
    for (const [position, id] of draw.members.entries()) {
      const member = validators[Number(id) - 1]!;
      const { echoes, isSilent } = this.#plan.members[member] ?? {};
      if (isSilent === true) continue;
      const own = runOf(job.order.problem.datasetId, "challenger");
      const intervals = intervalsOf(draw, position);
      const isRight = intervals.every((interval) => isBorneOut(own, claimed, interval));
      if (echoes !== true && !isRight) continue;
      const run = echoes === true ? claimed : own;
      const digests: Hex[] = [];
      for (const interval of intervals) {
        const hash = witnessesHash(await run.witnesses(interval));
        digests.push(digestOf(draw, draw.jobId, id, interval, hash));
      }
      words.push({ position, member, digests, isRight });
    }
    return words;
  }

  async #sign(job: JobRecord, attempt: number, threshold: number, deadline: number): Promise<boolean> {
    const { world, now } = this.#scene;
    const { jobId } = job;
    const draw = await this.drawn(job, attempt);
    const { signingWindow } = await world.contracts.Committee.read.termsOf([jobId]);
    const words = await this.#words(job, draw);
    const [gathered, appears] = [
      deadline - signingWindow + signingWindow / share,
      deadline - signingWindow / share,
    ];
    for (const time of [gathered, appears]) this.#scene.wakeAt(time);
    const isEnough = words.length >= (now >= gathered ? threshold : draw.members.length);
    if (isEnough && (await this.#attest(draw, words))) return true;
    if (now < appears) return false;
    let isDone = false;
    for (const [position, id] of draw.members.entries()) {
      const member = validators[Number(id) - 1]!;
      if (this.#plan.members[member]?.isSilent === true) continue;
      const key = `appear ${jobId}/${attempt}`;
      const args = [jobId, BigInt(position), `0x${"00".repeat(32)}`] as const;
      isDone = (await this.#scene.try(key, member, "Committee", "appear", args)) || isDone;
    }
    return isDone;
  }

  async #attest(draw: DrawnCommittee, words: readonly Word[]): Promise<boolean> {
    const leaves = leavesOf(draw, words);
    const signed: { root: Hex; signature: G1Words }[] = [];
    for (const { member, position, digests } of words) {
      const { secret } = this.#scene.world.voters.get(member)!;
      signed.push(signStatement(secret, draw, position, digests, leaves));
    }
    const members = maskOf(words.map(({ position }) => position));
    const { root } = signed[0]!;
    const signature = addSignatures(signed.map((each) => each.signature));
    const key = addKeys(words.map(({ member }) => this.#scene.world.voters.get(member)!.key)).g2;
    const statement = { members, root, signers: members, signature, key };
    const [{ member }] = words as [Word];
    const name = `attest ${draw.jobId}/${draw.attempt}`;
    if (!(await this.#scene.try(name, member, "Committee", "attest", [draw.jobId, statement]))) return false;
    this.#signed.set(`${draw.jobId}/${draw.attempt}`, leaves);
    for (const { position, isRight } of words) {
      if (!isRight) this.#scene.truth.callLiar(draw.jobId, draw.attempt, position);
    }
    return true;
  }

  /** Leaves of the root that was signed in the attempt that is on, while the provider is to open what is behind them. */
  async signed(
    jobId: bigint,
  ): Promise<{ readonly attempt: number; readonly intervals: number[] } | undefined> {
    const { phase, attempt } = await this.#scene.world.contracts.Committee.read.jobOf([jobId]);
    const leaves = this.#signed.get(`${jobId}/${attempt}`);
    if (phase !== phases.opening || leaves === undefined) return undefined;
    return { attempt, intervals: leaves.map(({ interval }) => interval) };
  }

  /** Leaves of the root that was signed in an attempt. */
  leavesOf({ jobId, attempt }: DrawnCommittee): readonly SignedLeaf[] | undefined {
    return this.#signed.get(`${jobId}/${attempt}`);
  }

  async #reveal(job: JobRecord, attempt: number): Promise<boolean> {
    const { jobId } = job;
    const leaves = this.#signed.get(`${jobId}/${attempt}`)!;
    const draw = await this.drawn(job, attempt);
    const claimed = this.#scene.claimed.get(draw.traceRoot)!;
    const hashes: Hex[] = [];
    const differences: { leaf: bigint; digest: Hex }[] = [];
    for (const [i, { interval, position, digest }] of leaves.entries()) {
      const hash = witnessesHash(await claimed.witnesses(interval));
      hashes.push(hash);
      if (digestOf(draw, jobId, draw.members[position]!, interval, hash) !== digest) {
        differences.push({ leaf: BigInt(i), digest });
      }
    }
    const member = validators[Number(draw.members[leaves[0]!.position]!) - 1]!;
    const key = `reveal ${jobId}/${attempt}`;
    return await this.#scene.try(key, member, "Committee", "reveal", [jobId, hashes, differences]);
  }
}

/** Whether an interval of somebody's trace is what it should be: from the right state to the right one. */
function isBorneOut(own: ToldRun, claimed: ToldRun, interval: number): boolean {
  return [interval, interval + 1].every((leaf) => isSameLeaf(own, claimed, leaf));
}
