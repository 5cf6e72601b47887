import type { Address, Hex } from "viem";
import type { LedgerVacancy } from "./ledger.ts";

/** A vacancy that this operator would take, as the chain described it when it was last looked at. */
export type Candidate = {
  readonly vacancy: LedgerVacancy;
  /** Whose dataset it is of. */
  readonly owner: Address;
  /** Bounty and fees of all epochs to come, token base units: whoever wants to be first has to pay it in. */
  readonly worth: bigint;
  readonly segment: number;
  readonly bytes: number;
  /** Stake that it locks, base units. */
  readonly stake: bigint;
  /** First epoch under whose seed it can be proven. */
  readonly provableFrom: number;
  /** This operator's place among those that may take it. */
  readonly turn: bigint;
};

type Entry = { candidate: Candidate; looks: number; next: number };
type Owner = { looks: number; readonly entries: Entry[] };

export type RepairListOptions = {
  /** Vacancies that are kept. */
  readonly most: number;
  /** Milliseconds before a look that has failed is repeated; they double each time, up to {@link longestPause} of them. */
  readonly pause: number;
};

/** Pauses that a vacancy waits at most. */
const longestPause = 64;

/**
 * The vacancies that an operator would take, in the order in which it looks at them: owners in turn, so that nobody's datasets keep
 * it from those of others, and of each owner what was looked at least often and is worth most. Between owners whose turn it
 * is worth decides as well: who has many accounts pays for the first place of each.
 */
export class RepairList {
  readonly #options: RepairListOptions;
  /** Of each owner, what is worth most first. */
  readonly #owners = new Map<Address, Owner>();
  readonly #entries = new Map<Hex, Entry>();

  constructor(options: RepairListOptions) {
    this.#options = options;
  }

  candidates(): Candidate[] {
    return [...this.#entries.values()].map(({ candidate }) => candidate);
  }

  /**
   * Takes a vacancy in, or what is new of it. When there are too many, who has most of them loses the one that is worth least.
   * @returns the id of the bundle that had to make room
   */
  set(candidate: Candidate): Hex | undefined {
    const { bundleId } = candidate.vacancy;
    const before = this.#entries.get(bundleId);
    const owner = this.#owners.get(candidate.owner) ?? { looks: this.#fewest(), entries: [] };
    this.delete(bundleId);
    this.#owners.set(candidate.owner, owner);
    const entry: Entry = { looks: 0, next: 0, ...before, candidate };
    owner.entries.splice(placeOf(owner.entries, candidate.worth), 0, entry);
    this.#entries.set(bundleId, entry);
    return this.#entries.size > this.#options.most ? this.#makeRoom() : undefined;
  }

  delete(bundleId: Hex): void {
    const entry = this.#entries.get(bundleId);
    if (entry === undefined) return;
    this.#entries.delete(bundleId);
    const owner = this.#owners.get(entry.candidate.owner)!;
    owner.entries.splice(owner.entries.indexOf(entry), 1);
    if (owner.entries.length === 0) this.#owners.delete(entry.candidate.owner);
  }

  /** What to look at next, of what can be looked at; counts as a look at something of its owner. */
  next(isReady: (candidate: Candidate) => boolean): Candidate | undefined {
    const now = performance.now();
    let best: { owner: Owner; entry: Entry } | undefined;
    for (const owner of this.#owners.values()) {
      if (best !== undefined && owner.looks > best.owner.looks) continue;
      const entry = firstOf(owner.entries, (one) => one.next <= now && isReady(one.candidate));
      if (entry === undefined) continue;
      const isBetter =
        best === undefined ||
        owner.looks < best.owner.looks ||
        entry.candidate.worth > best.entry.candidate.worth;
      if (isBetter) best = { owner, entry };
    }
    if (best === undefined) return undefined;
    best.owner.looks++;
    return best.entry.candidate;
  }

  /** Whether a vacancy is here and waits for nothing after a look that has failed. */
  isRested(bundleId: Hex): boolean {
    return (this.#entries.get(bundleId)?.next ?? Number.POSITIVE_INFINITY) <= performance.now();
  }

  /** A look has ended without an end: the next comes later, after what was looked at less often. */
  failed(bundleId: Hex): void {
    const entry = this.#entries.get(bundleId);
    if (entry === undefined) return;
    entry.next = performance.now() + this.#options.pause * Math.min(2 ** entry.looks, longestPause);
    entry.looks++;
  }

  /** Who comes in has no more of a claim than those who were looked at least. */
  #fewest(): number {
    let fewest: number | undefined;
    for (const { looks } of this.#owners.values()) if (looks < (fewest ?? looks + 1)) fewest = looks;
    return fewest ?? 0;
  }

  #makeRoom(): Hex {
    let most: Owner | undefined;
    for (const owner of this.#owners.values()) {
      if (owner.entries.length > (most?.entries.length ?? 0)) most = owner;
    }
    const { bundleId } = most!.entries.at(-1)!.candidate.vacancy;
    this.delete(bundleId);
    return bundleId;
  }
}

/** Where something of this worth belongs among what is sorted by it, behind its equals. */
function placeOf(entries: readonly Entry[], worth: bigint): number {
  let [from, to] = [0, entries.length];
  while (from < to) {
    const middle = (from + to) >>> 1;
    if (entries[middle]!.candidate.worth >= worth) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** Of what is ready, what was looked at least often, the first of these. */
function firstOf(entries: readonly Entry[], isReady: (entry: Entry) => boolean): Entry | undefined {
  let best: Entry | undefined;
  for (const entry of entries) {
    if (best !== undefined && entry.looks >= best.looks) continue;
    if (isReady(entry)) best = entry;
    if (best?.looks === 0) break;
  }
  return best;
}
