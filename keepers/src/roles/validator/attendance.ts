import { bytesToHex, zeroHash } from "viem";
import { type DrawnCommittee, statementTree } from "../../core/attestation/statement.ts";
import type { Duty } from "../jobs/duty.ts";
import { SideBySide, type SideBySideOptions } from "../jobs/side-by-side.ts";
import { agreedOrUsual, isSurely } from "../storage-node/agreement.ts";
import { chainTime, type Reading, tryCall } from "../storage-node/context.ts";
import { type CheckBook, nameOf } from "./check-book.ts";
import type { Committees, CommitteesParts, Seat } from "./committees.ts";
import { leavesOf } from "./desk.ts";

export type AttendanceParts = CommitteesParts &
  Pick<SideBySideOptions, "patience"> & {
    readonly all: Committees;
    readonly book: CheckBook;
  };

/** Part of the signing window that is left when a member that nobody collected says that it is there. */
const appearShare = 4n;

/**
 * Says in time that this member is there, in each of its committees. It asks no other member for anything: those that let who
 * collects signatures wait would else have it slashed for silence. And where one call is held up, the others go on.
 */
export class Attendance implements Duty {
  readonly name = "appearing";
  readonly #parts: AttendanceParts;
  readonly #calls: SideBySide<string>;

  constructor(parts: AttendanceParts) {
    this.#parts = parts;
    this.#calls = new SideBySide({ patience: parts.patience });
  }

  async tick(): Promise<void> {
    const look = (chain: Reading) => chainTime(chain.client);
    const { value: now } = await agreedOrUsual(this.#parts, "the time", look);
    for (const seat of await this.#parts.all.seats())
      this.#calls.begin(nameOf(seat.draw), () => this.#showUp(seat, now));
    await this.#calls.look();
  }

  close(): Promise<void> {
    return this.#calls.settled();
  }

  async #showUp({ job, committee, draw, position }: Seat, now: bigint): Promise<void> {
    const { terms, isSure } = await this.#parts.all.terms(job);
    // One that appears too early has paid for gas, and one that appears too late is slashed.
    const isLate = now > committee.deadline - BigInt(terms.signingWindow) / appearShare;
    if (isLate || !isSure) await this.#appear(draw, position);
  }

  /** A member that is there is not slashed for silence, whether what it was to check is right or not. */
  async #appear(draw: DrawnCommittee, position: number): Promise<void> {
    const { book, log } = this.#parts;
    const { jobId, attempt } = draw;
    const isKnown = await isSurely(this.#parts, "whether this member has appeared", async ({ contracts }) => {
      const { appeared } = await contracts.Committee.read.drawOf([jobId, attempt]);
      return ((appeared >> BigInt(position)) & 1n) === 1n;
    });
    if (isKnown) return;
    const digests = book.check(draw)?.digests ?? [];
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
