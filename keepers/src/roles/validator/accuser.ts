import type { Hex } from "viem";
import { type DrawnCommittee, digestOf, intervalsOf } from "../../core/attestation/statement.ts";
import type { Duty } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { chainTime, tryCall } from "../storage-node/context.ts";
import { type Committees, type CommitteesParts, positionsIn } from "./committees.ts";
import { type SignedLeavesParts, signedLeaves } from "./signed-leaves.ts";

/** What a keeper's own run says of an interval whose first leaf it bears out: keccak256 of its witnesses when the second is right, too. */
export type Finding = { readonly isRight: true; readonly witnessHash: Hex } | { readonly isRight: false };

export type AccuserParts = CommitteesParts &
  SignedLeavesParts & {
    readonly all: Committees;
    /** What this keeper has found in an interval; undefined of one that it has not computed. */
    readonly find: (job: JobRecord, draw: DrawnCommittee, interval: number) => Promise<Finding | undefined>;
    /** Chain seconds after which the next member of a committee accuses what the one before it should have; none by default. */
    readonly turnSeconds?: number;
  };

/**
 * Accuses members of committees that have signed what this keeper knows to be wrong: whatever became of the provider. Of a
 * member that is accused by somebody else already it waits: half of the time is left when that comes to nothing.
 */
export class Accuser implements Duty {
  readonly name = "accusing";
  readonly #parts: AccuserParts;

  constructor(parts: AccuserParts) {
    this.#parts = parts;
  }

  async tick(): Promise<void> {
    const { committees, ledger, all, client } = this.#parts;
    const now = await chainTime(client);
    await forEach(committees.undismissed(), async ({ jobId, attempt }) => {
      if (committees.signersOf(jobId, attempt) === 0n) return;
      const job = ledger.job(jobId);
      const draw = job && (await all.draw(job, attempt));
      if (job !== undefined && draw !== undefined) await this.#look(job, draw, now);
    });
  }

  async #look(job: JobRecord, draw: DrawnCommittee, now: bigint): Promise<void> {
    const { contracts, turnSeconds = 0, all } = this.#parts;
    const { jobId, attempt } = draw;
    const { liars, signers, signedAt, revealedAt } = await contracts.Committee.read.drawOf([jobId, attempt]);
    const { accusableFor } = await contracts.Committee.read.termsOf([jobId]);
    const since = BigInt(Math.max(signedAt, revealedAt));
    const until = since + BigInt(accusableFor);
    if (now > until || now < since + BigInt(turnSeconds * this.#turn(draw, all))) return;
    for (const position of positionsIn(signers & ~liars)) {
      if (this.#isWaiting(draw, position, now > until - BigInt(accusableFor) / 2n)) continue;
      const number = await this.#wrongNumber(job, draw, position);
      if (number !== undefined) await this.#accuse(draw, position, number);
    }
  }

  /** Members take turns; others have no reason to wait for them. */
  #turn(draw: DrawnCommittee, all: Committees): number {
    if (all.position(draw) === undefined) return 0;
    return all.turn(`accuse:${draw.jobId}:${draw.attempt}`, all.operators(draw));
  }

  /** Whether a member is oneself, was accused by this keeper, or is by somebody else and there is time. */
  #isWaiting(draw: DrawnCommittee, position: number, isUrgent: boolean): boolean {
    const { ledger, operator, all } = this.#parts;
    if (all.operators(draw)[position] === operator) return true;
    const accused = ledger
      .accusationsOf(draw.jobId)
      .filter((each) => each.attempt === draw.attempt && each.position === position);
    if (accused.some(({ challenger }) => challenger === operator)) return true;
    return !isUrgent && accused.some(({ outcome, isSettled }) => outcome !== "lost" && !isSettled);
  }

  /** The first interval of a member of which it has signed what is not so. */
  async #wrongNumber(job: JobRecord, draw: DrawnCommittee, position: number): Promise<number | undefined> {
    const leaves = signedLeaves(this.#parts, draw);
    for (const [number, interval] of intervalsOf(draw, position).entries()) {
      const found = await this.#parts.find(job, draw, interval);
      if (found === undefined) continue;
      if (!found.isRight) return number;
      const said = leaves?.find((leaf) => leaf.position === position && leaf.interval === interval)?.digest;
      const own = digestOf(draw, draw.jobId, draw.members[position]!, interval, found.witnessHash);
      if (said !== undefined && said !== own) return number;
    }
    return undefined;
  }

  async #accuse({ jobId, attempt }: DrawnCommittee, position: number, number: number): Promise<void> {
    const { contracts, log } = this.#parts;
    const { dispute } = await contracts.JobRegistry.read.parametersOf([jobId]);
    const key = `accuse:${jobId}:${attempt}:${position}`;
    const args = [jobId, attempt, BigInt(position), BigInt(number)] as const;
    if (await tryCall(this.#parts, key, "MemberGame", "accuse", args, dispute.challengerBond)) {
      log.warn({ jobId, attempt, position, number }, "accused a member that has signed what is wrong");
    } else {
      log.warn(
        { jobId, attempt, position },
        "the game does not take the accusation of a member: is there coin for the bond?",
      );
    }
  }
}
