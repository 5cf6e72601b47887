import type { Hex } from "viem";
import type { DrawnCommittee } from "../../core/attestation/statement.ts";
import { nameOf } from "./check-book.ts";
import type { MemberDigests } from "./exchange.ts";

/** What the members of a committee hold out for, by the time that its signing window has come to. */
export type Stage =
  /** All members sign. */
  | "all"
  /** Whoever is there signs, but for those that refuse what all members are to sign. */
  | "present"
  /** As many sign as the job asks for, whoever they are. */
  | "enough";

/** Part of the signing window in which all members are waited for before fewer are enough. */
const gatherShare = 4n;
/** Part of the signing window after which a member signs whoever is left out: several that refuse hold it up no longer. */
const insistShare = 2n;

/**
 * The stage that a draw is in.
 * @param window seconds of the signing window, which ends at `deadline`
 */
export function stageOf(now: bigint, deadline: bigint, window: bigint): Stage {
  const drawnAt = deadline - window;
  if (now >= drawnAt + window / insistShare) return "enough";
  return now >= drawnAt + window / gatherShare ? "present" : "all";
}

/**
 * Milliseconds for which a member that gave a bad signature of a root, or none in time, is not asked for another: looking for
 * it takes pairings, and waiting for it time.
 */
const distrustedFor = 60_000;
/**
 * Milliseconds for which a member that did not answer when all were to sign may be left out. It is asked again before they are
 * over: one that goes on like this is away all along, and one that a flood or a restart kept from answering is not for long.
 */
const awayFor = 2 * distrustedFor;

/** What this keeper has of the other members of a draw. It only grows, so that few statements come of it. */
export class Gathered {
  readonly #digests = new Map<number, MemberDigests>();
  /** Members that have said that they do not sign what all were to sign: there is no reason for that which holds. */
  readonly refused = new Set<number>();
  /** Members that were busy, or not reached, when all were to sign, and until when that counts, by `performance.now()`. */
  readonly #away = new Map<number, number>();
  /** Members that did not sign when enough would have been enough. */
  readonly leftOut = new Set<number>();
  /** What came of asking members whether they are there, and until when that counts, by `performance.now()`. */
  readonly looks = new Map<number, { readonly until: number; readonly isThere: Promise<boolean> }>();

  /** Until when a member is not asked to sign a root again, by root and position, and `performance.now()`. */
  readonly #unsound = new Map<string, number>();

  has(position: number): boolean {
    return this.#digests.has(position);
  }

  /** Keeps what a member said first: who says something else later has said two things. */
  keep(member: MemberDigests): void {
    if (!this.has(member.position)) this.#digests.set(member.position, member);
  }

  /** Notes that a member did not answer when all were to sign. */
  miss(position: number): void {
    this.#away.set(position, performance.now() + awayFor);
  }

  /** Notes that a member has signed something. */
  meet(position: number): void {
    this.#away.delete(position);
  }

  /** Whether a member may be left out before just enough sign. */
  isExcused(position: number): boolean {
    return this.refused.has(position) || (this.#away.get(position) ?? 0) > performance.now();
  }

  /** Remembers for a while that a member gave no signature of a root, or something else. */
  distrust(root: Hex, position: number): void {
    const now = performance.now();
    for (const [name, until] of this.#unsound) if (until <= now) this.#unsound.delete(name);
    this.#unsound.set(`${root}:${position}`, now + distrustedFor);
  }

  isDistrusted(root: Hex, position: number): boolean {
    return (this.#unsound.get(`${root}:${position}`) ?? 0) > performance.now();
  }

  /** By position. */
  members(): MemberDigests[] {
    return [...this.#digests.values()].toSorted((a, b) => a.position - b.position);
  }
}

/** Draws whose members this keeper has asked, as long as the process runs. */
export class Gathering {
  readonly #draws = new Map<string, Gathered>();

  of(draw: DrawnCommittee): Gathered {
    const name = nameOf(draw);
    const known = this.#draws.get(name) ?? new Gathered();
    this.#draws.set(name, known);
    return known;
  }

  /** Forgets all other draws. */
  keepOnly(draws: readonly DrawnCommittee[]): void {
    const names = new Set(draws.map(nameOf));
    for (const name of this.#draws.keys()) if (!names.has(name)) this.#draws.delete(name);
  }
}
