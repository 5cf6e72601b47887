import type { Duty } from "../jobs/duty.ts";
import { forEach } from "../jobs/each.ts";
import { SideBySide, type SideBySideOptions } from "../jobs/side-by-side.ts";
import { agreedOrUsual } from "../storage-node/agreement.ts";
import { chainTime, type Reading } from "../storage-node/context.ts";
import { type CheckBook, nameOf } from "./check-book.ts";
import { Collector, type CollectorParts } from "./collector.ts";
import type { Seat } from "./committees.ts";
import { type Stage, stageOf } from "./gathering.ts";

export type MemberParts = CollectorParts &
  Pick<SideBySideOptions, "patience"> & {
    readonly book: CheckBook;
    /** Chain seconds after which the next member takes up what the one before it should have done. */
    readonly turnSeconds: number;
  };

/**
 * Committees whose members are asked side by side. Members that stall hold one of these places for a collector's longest look,
 * and then its committee goes to the end of the queue.
 */
const mostSittings = 16;

/**
 * Sits on committees: sees to it that a root over what was found right gets signed. Members may let it wait for as long as it
 * is patient: so one committee waits for no other, and no look at the chain waits for any of them.
 */
export class Member implements Duty {
  readonly name = "attesting";
  readonly #parts: MemberParts;
  readonly #collector: Collector;
  readonly #sittings: SideBySide<string>;
  /** Committees that were sat on, the one whose turn was longest ago first. */
  readonly #past = new Set<string>();

  constructor(parts: MemberParts) {
    this.#parts = parts;
    this.#collector = new Collector(parts);
    this.#sittings = new SideBySide({ most: mostSittings, patience: parts.patience });
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { all, gathering } = this.#parts;
    const look = (chain: Reading) => chainTime(chain.client);
    const { value: now } = await agreedOrUsual(this.#parts, "the time", look);
    const seats = await all.seats();
    gathering.keepOnly(seats.map(({ draw }) => draw));
    const due = new Map<string, () => Promise<unknown>>();
    const failures: unknown[] = [];
    await forEach(seats, async (seat) => {
      const stage = await this.#stageOf(seat, now);
      if (stage !== undefined) due.set(nameOf(seat.draw), () => this.#sit(seat, stage, signal));
    }).catch((error: unknown) => failures.push(error));
    this.#begin(due);
    await this.#sittings.look();
    if (failures.length > 0) throw failures[0];
  }

  /** The signal of the last look has ended what is under way. */
  close(): Promise<void> {
    return this.#sittings.settled();
  }

  /** Begins as much as there is room for, first what was not begun yet, then what was longest ago. */
  #begin(due: ReadonlyMap<string, () => Promise<unknown>>): void {
    for (const name of this.#past) if (!due.has(name)) this.#past.delete(name);
    const fresh = [...due.keys()].filter((name) => !this.#past.has(name));
    for (const name of [...fresh, ...this.#past]) {
      if (this.#sittings.room === 0) return;
      if (this.#sittings.has(name)) continue;
      this.#past.delete(name);
      this.#past.add(name);
      this.#sittings.begin(name, due.get(name)!);
    }
  }

  /** What the members of a committee hold out for now; undefined while this one has nothing to ask of them. */
  async #stageOf({ job, committee, draw }: Seat, now: bigint): Promise<Stage | undefined> {
    const { book, all, turnSeconds } = this.#parts;
    if (book.check(draw)?.verdict !== "right") return undefined;
    const { signingWindow } = (await all.terms(job)).terms;
    const window = BigInt(signingWindow);
    const drawnAt = committee.deadline - window;
    const turn = all.turn(`attest:${draw.jobId}:${draw.attempt}`, all.operators(draw));
    if (now < drawnAt + BigInt(turn * turnSeconds)) return undefined;
    // In turn again: who comes first should not have to share the work with all others at that second.
    return stageOf(now - BigInt(turn * turnSeconds), committee.deadline, window);
  }

  async #sit({ committee, draw, position }: Seat, stage: Stage, signal: AbortSignal): Promise<void> {
    await this.#collector.collect(draw, position, { stage, least: committee.threshold }, signal);
  }
}
