import { join } from "node:path";
import { type DrawnCommittee, digestOf } from "../../core/attestation/statement.ts";
import type { Duty } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { agreedOrUsual } from "../storage-node/agreement.ts";
import { chainTime, type Reading, tryCall } from "../storage-node/context.ts";
import { isRedrawDue, redraw } from "../storage-node/redraw.ts";
import type { CheckBook } from "./check-book.ts";
import type { CommitteeLedger } from "./committee-ledger.ts";
import {
  type Committee,
  type Committees,
  type CommitteesParts,
  type Phase,
  positionsIn,
} from "./committees.ts";
import { forgetStates, jobsIn } from "./kept-intervals.ts";
import type { Prosecutor } from "./prosecutor.ts";

export type StewardParts = CommitteesParts & {
  readonly all: Committees;
  readonly committees: CommitteeLedger;
  readonly book: CheckBook;
  readonly prosecutor: Prosecutor;
  /** Folder of everything that belongs to jobs. */
  readonly folder: string;
  readonly turnSeconds: number;
};

/** Phases in which nothing more is signed. */
const ended: readonly Phase[] = ["Attested", "Silent", "Closed"];

/**
 * Work on committees that anybody may do: draws, reveals, timeouts, what is due when a job is over, and the release of places
 * whose holders have left or were slashed to nothing.
 */
export class Steward implements Duty {
  readonly name = "stewarding";
  readonly #parts: StewardParts;
  /** When work of which no event says since when it is due was first seen to be, in this process. */
  readonly #seenAt = new Map<string, bigint>();

  /** Draws on duty when states were forgotten last: there is nothing new to forget as long as these are the same. */
  #forgottenFor: string | undefined;

  constructor(parts: StewardParts) {
    this.#parts = parts;
  }

  async tick(): Promise<void> {
    const { ledger, committees } = this.#parts;
    const look = (chain: Reading) => chainTime(chain.client);
    const { value: now } = await agreedOrUsual(this.#parts, "the time", look);
    await forEach(ledger.openJobs(), async (job) => {
      if (job.result === undefined || job.order.conditions.committeeSize === 0) return;
      await this.#moveOn(job, now);
    });
    await forEach(committees.undismissed(), ({ jobId, attempt }) => this.#close(jobId, attempt, now));
    await forEach(committees.outgoing(), (id) => this.#release(id, now));
    await this.#forgetStates();
  }

  /**
   * Forgets the states of jobs whose draws are all dismissed, whoever did it, and whenever. Only the events end the duty to
   * answer accusations: an endpoint, or a clock, that says so may be wrong.
   */
  async #forgetStates(): Promise<void> {
    const { committees, folder } = this.#parts;
    const onDuty = committees.undismissed();
    const draws = onDuty.map(({ jobId, attempt }) => `${jobId}:${attempt}`).join();
    if (draws === this.#forgottenFor) return;
    const bound = new Set(onDuty.map(({ jobId }) => jobId));
    await forEach(await jobsIn(folder), async (jobId) => {
      // Draws of one job keep the same states: whoever sits in several of them may have to answer for the others yet.
      if (bound.has(jobId) || committees.drawsOf(jobId).length === 0) return;
      await forgetStates(join(folder, String(jobId)));
    });
    this.#forgottenFor = draws;
  }

  /** Places are few: who holds one without stake gives it up, also when it does not see to that itself. */
  async #release(id: bigint, now: bigint): Promise<void> {
    const { exitAt } = await this.#parts.contracts.ValidatorSet.read.validatorOf([id]);
    const name = `release:${id}`;
    // One that was raised meanwhile is not outgoing any more; duties may bind it for longer, and move its exit.
    if (exitAt === 0 || now <= exitAt || !this.#isTurn(name, BigInt(exitAt), now)) return;
    await tryCall(this.#parts, `${name}:${exitAt}`, "ValidatorSet", "release", [id]);
  }

  async #moveOn(job: JobRecord, now: bigint): Promise<void> {
    const { jobId } = job;
    const standing = await this.#parts.all.standing(job);
    if (standing === undefined) return;
    const { committee, isSure } = standing;
    const { phase, deadline, graceEnds } = committee;
    if (!isSure) {
      // The events do not show when all was opened: the chain refuses what comes too early.
      if (phase === "Opening") await this.#reveal(job, committee.attempt, now);
      return;
    }
    if (phase === "Seeding") await this.#seed(jobId, committee, now);
    if (phase === "Revealing") await this.#reveal(job, committee.attempt, now, deadline);
    if (phase !== "Signing" && phase !== "Opening" && phase !== "Revealing") return;
    const name = `${jobId}:${committee.attempt}:${phase}`;
    if (graceEnds !== 0n) {
      if (now <= graceEnds || !this.#isTurn(`execute:${name}`, graceEnds, now)) return;
      const key = `execute-committee:${name}:${graceEnds}`;
      await tryCall(this.#parts, key, "Committee", "executeTimeout", [jobId]);
    } else if (now > deadline && this.#isTurn(`call:${name}`, deadline, now)) {
      await tryCall(this.#parts, `call-committee:${name}:${deadline}`, "Committee", "callTimeout", [jobId]);
    }
  }

  /** Draws when the seed is there; has it drawn anew, or asks for another, when it is late. */
  async #seed(jobId: bigint, { attempt }: Committee, now: bigint): Promise<void> {
    const { contracts } = this.#parts;
    const { requestId, drawUntil } = await contracts.Committee.read.drawOf([jobId, attempt]);
    const name = `${jobId}:${requestId}`;
    if (now > drawUntil) {
      // Where the beacon refused there is no request: its time is over from the beginning, for each attempt anew.
      const renewal = `renew:${name}:${attempt}`;
      if (!this.#isTurn(renewal, BigInt(drawUntil), now)) return;
      await tryCall(this.#parts, renewal, "Committee", "renew", [jobId]);
      return;
    }
    const [, readyAt] = await contracts.RandomnessBeacon.read.seedOf([requestId]);
    if (readyAt === 0n) {
      if (await isRedrawDue(this.#parts, requestId)) await redraw(this.#parts, requestId);
    } else if (this.#isTurn(`draw:${name}`, readyAt, now)) {
      await tryCall(this.#parts, `draw:${name}`, "Committee", "draw", [jobId]);
    }
  }

  /**
   * Reveals the digests behind the signed root: whoever signed it holds them.
   * @param deadline of the reveal, as far as it is known
   */
  async #reveal(job: JobRecord, attempt: bigint, now: bigint, deadline?: bigint): Promise<void> {
    const { committees, book, all } = this.#parts;
    const { jobId } = job;
    const draw = await all.draw(job, attempt);
    // From its event: one endpoint that named another root would have a member keep what it signed to itself.
    const root = committees.signedRoot(jobId, attempt);
    const leaves = draw && root && book.leaves(draw, root);
    const hashes = committees.openedHashes(jobId, attempt);
    if (draw === undefined || leaves === undefined || hashes.length !== leaves.length) return;
    const name = `reveal:${jobId}:${attempt}`;
    const { terms } = await all.terms(job);
    const since = deadline === undefined ? this.#seen(name, now) : deadline - BigInt(terms.revealWindow);
    if (!this.#isTurn(name, since, now, draw)) return;
    const differences = leaves.flatMap(({ position, interval, digest }, i) => {
      const expected = digestOf(draw, jobId, draw.members[position]!, interval, hashes[i]!);
      return digest === expected ? [] : [{ leaf: BigInt(i), digest }];
    });
    await tryCall(this.#parts, name, "Committee", "reveal", [jobId, hashes, differences]);
  }

  /** What is due to the members of a draw: slashes, then the end of their duties once nothing can be accused any more. */
  async #close(jobId: bigint, attempt: bigint, now: bigint): Promise<void> {
    const { contracts, ledger } = this.#parts;
    const { silent, signers, signedAt, revealedAt, accusations } = await contracts.Committee.read.drawOf([
      jobId,
      attempt,
    ]);
    for (const position of positionsIn(silent)) {
      const name = `slashSilent:${jobId}:${attempt}:${position}`;
      await tryCall(this.#parts, name, "Committee", "slashSilent", [jobId, attempt, BigInt(position)]);
    }
    const job = ledger.job(jobId);
    // Whatever becomes of the job, and before the members are let go.
    if (job !== undefined) await this.#parts.prosecutor.prosecute(job, attempt);
    const committee = await this.#parts.all.read(jobId);
    const isOver = attempt < committee.attempt || ended.includes(committee.phase);
    if (!isOver || accusations !== 0) return;
    const { accusableFor } = await contracts.Committee.read.termsOf([jobId]);
    if (signers !== 0n && now <= BigInt(Math.max(signedAt, revealedAt)) + BigInt(accusableFor)) return;
    const name = `dismiss:${jobId}:${attempt}`;
    const since = this.#seen(name, now);
    if (!this.#isTurn(name, since, now)) return;
    await tryCall(this.#parts, name, "Committee", "dismiss", [jobId, attempt]);
  }

  #seen(work: string, now: bigint): bigint {
    const since = this.#seenAt.get(work) ?? now;
    this.#seenAt.set(work, since);
    return since;
  }

  /** Whether those who come before this validator have had their time. */
  #isTurn(work: string, since: bigint, now: bigint, draw?: DrawnCommittee): boolean {
    const { all, turnSeconds } = this.#parts;
    const turn = all.turn(work, draw && all.operators(draw));
    return now >= since + BigInt(turn * turnSeconds);
  }
}
