import { bytesToHex, zeroHash } from "viem";
import { type DrawnCommittee, statementTree } from "../../core/attestation/statement.ts";
import type { Duty } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import type { JobRecord } from "../jobs/job-record.ts";
import { chainTime, tryCall } from "../storage-node/context.ts";
import type { Checker } from "./checker.ts";
import { Collector, type CollectorParts } from "./collector.ts";
import type { Committee } from "./committees.ts";
import { leavesOf } from "./desk.ts";

export type MemberParts = CollectorParts & {
  readonly checker: Checker;
  /** Chain seconds after which the next member takes up what the one before it should have done. */
  readonly turnSeconds: number;
};

/** Part of the signing window in which all members are waited for before fewer are enough. */
const gatherShare = 4n;
/** Part of the signing window that is left when a member that nobody collected says that it is there. */
const appearShare = 4n;

/** Sits on committees: checks the intervals that were drawn for it, and sees to it that a root gets signed. */
export class Member implements Duty {
  readonly name = "attesting";
  readonly #parts: MemberParts;
  readonly #collector: Collector;

  constructor(parts: MemberParts) {
    this.#parts = parts;
    this.#collector = new Collector(parts);
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { ledger, all, client } = this.#parts;
    const now = await chainTime(client);
    await forEach(ledger.openJobs(), async (job) => {
      if (job.status !== "Committed" || job.order.conditions.committeeSize === 0) return;
      const committee = await all.read(job.jobId);
      if (committee.phase !== "Signing") return;
      const draw = await all.draw(job, committee.attempt);
      const position = draw && all.position(draw);
      if (draw === undefined || position === undefined) return;
      await this.#sit(job, committee, { draw, position, now, signal });
    });
  }

  async #sit(
    job: JobRecord,
    committee: Committee,
    seat: { draw: DrawnCommittee; position: number; now: bigint; signal: AbortSignal },
  ): Promise<void> {
    const { draw, position, now, signal } = seat;
    const { checker, contracts, all, turnSeconds } = this.#parts;
    const { signingWindow } = await contracts.Committee.read.termsOf([job.jobId]);
    const window = BigInt(signingWindow);
    // A member whose time runs out appears first: whatever else fails, it was there.
    if (now > committee.deadline - window / appearShare) await this.#appear(draw, position);
    const check = await checker.check(job, draw, position, signal);
    if (check?.verdict !== "right") return;
    const drawnAt = committee.deadline - window;
    const turn = all.turn(`attest:${draw.jobId}:${draw.attempt}`, all.operators(draw));
    if (now < drawnAt + BigInt(turn * turnSeconds)) return;
    const isLate = now >= drawnAt + window / gatherShare;
    const least = isLate ? committee.threshold : draw.members.length;
    await this.#collector.collect(draw, position, least, signal);
  }

  /** A member that is there is not slashed for silence, whether what it was to check is right or not. */
  async #appear(draw: DrawnCommittee, position: number): Promise<void> {
    const { contracts, checker, log } = this.#parts;
    const { jobId, attempt } = draw;
    const { appeared } = await contracts.Committee.read.drawOf([jobId, attempt]);
    if (((appeared >> BigInt(position)) & 1n) === 1n) return;
    const digests = checker.found(draw);
    const commitment =
      digests.length === 0
        ? zeroHash
        : bytesToHex(statementTree(draw, leavesOf(draw, [{ position, digests }])).root);
    const key = `appear:${jobId}:${attempt}`;
    const args = [jobId, BigInt(position), commitment] as const;
    if (await tryCall(this.#parts, key, "Committee", "appear", args))
      log.info({ jobId, attempt }, "appeared");
  }
}
