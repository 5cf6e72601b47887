import { bytesToHex, zeroHash } from "viem";
import { type DrawnCommittee, statementTree } from "../../core/attestation/statement.ts";
import type { Duty } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import { agreedOrUsual, isSurely } from "../storage-node/agreement.ts";
import { chainTime, type Reading, tryCall } from "../storage-node/context.ts";
import type { CheckBook } from "./check-book.ts";
import { Collector, type CollectorParts } from "./collector.ts";
import type { Seat } from "./committees.ts";
import { leavesOf } from "./desk.ts";
import { stageOf } from "./gathering.ts";

export type MemberParts = CollectorParts & {
  readonly book: CheckBook;
  /** Chain seconds after which the next member takes up what the one before it should have done. */
  readonly turnSeconds: number;
};

/** Part of the signing window that is left when a member that nobody collected says that it is there. */
const appearShare = 4n;

/** Sits on committees: sees to it that a root over what was found right gets signed, and that its presence is known. */
export class Member implements Duty {
  readonly name = "attesting";
  readonly #parts: MemberParts;
  readonly #collector: Collector;

  constructor(parts: MemberParts) {
    this.#parts = parts;
    this.#collector = new Collector(parts);
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { all, gathering } = this.#parts;
    const look = (chain: Reading) => chainTime(chain.client);
    const { value: now } = await agreedOrUsual(this.#parts, "the time", look);
    const seats = await all.seats();
    gathering.keepOnly(seats.map(({ draw }) => draw));
    // Before anybody is asked: members that let this one wait would else keep it from being there elsewhere.
    const failures: unknown[] = [];
    const tried = async (work: (seat: Seat) => Promise<void>) => {
      await forEach(seats, work).catch((error: unknown) => failures.push(error));
    };
    await tried((seat) => this.#showUp(seat, now));
    await tried((seat) => this.#sit(seat, now, signal));
    if (failures.length > 0) throw failures[0];
  }

  async #showUp({ job, committee, draw, position }: Seat, now: bigint): Promise<void> {
    const { terms, isSure } = await this.#parts.all.terms(job);
    // One that appears too early has paid for gas, and one that appears too late is slashed.
    const isLate = now > committee.deadline - BigInt(terms.signingWindow) / appearShare;
    if (isLate || !isSure) await this.#appear(draw, position);
  }

  async #sit({ job, committee, draw, position }: Seat, now: bigint, signal: AbortSignal): Promise<void> {
    const { book, all, turnSeconds } = this.#parts;
    if (book.check(draw)?.verdict !== "right") return;
    const { signingWindow } = (await all.terms(job)).terms;
    const window = BigInt(signingWindow);
    const drawnAt = committee.deadline - window;
    const turn = all.turn(`attest:${draw.jobId}:${draw.attempt}`, all.operators(draw));
    if (now < drawnAt + BigInt(turn * turnSeconds)) return;
    // In turn again: who comes first should not have to share the work with all others at that second.
    const stage = stageOf(now - BigInt(turn * turnSeconds), committee.deadline, window);
    await this.#collector.collect(draw, position, { stage, least: committee.threshold }, signal);
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
