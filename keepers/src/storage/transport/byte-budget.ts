import type { Libp2p } from "@libp2p/interface";
import { RefusalError } from "./errors.ts";
import { shareOfStrangers } from "./peer-limits.ts";

export type ByteBudgetParameters = {
  /** Bytes that all peers together may make this process keep in memory. */
  total?: number;
  /** Bytes of them that one peer may, over all its connections; a quarter by default. */
  perPeer?: number;
  /** Who comes before strangers, which may fill half; nobody is a stranger by default. */
  isRegistered?: (peer: string) => boolean;
};

/** Bytes that peers may fill in memory unless a keeper says otherwise: what has arrived and is not used yet, bodies, answers. */
export const defaultMemory = 256 * 2 ** 20;

/**
 * What strangers make one process keep in memory, counted in one place: a bound on each queue alone is none on their sum.
 */
export class ByteBudget {
  readonly total: number;
  readonly perPeer: number;
  readonly #isRegistered: (peer: string) => boolean;
  readonly #held = new Map<string, { bytes: number; readonly isStranger: boolean }>();
  #used = 0;
  #usedByStrangers = 0;
  #refused = 0;

  constructor({
    total = defaultMemory,
    perPeer = total / 4,
    isRegistered = () => true,
  }: ByteBudgetParameters = {}) {
    this.#isRegistered = isRegistered;
    this.total = total;
    this.perPeer = perPeer;
  }

  /** Bytes that are held now. */
  get used(): number {
    return this.#used;
  }

  /** Peers that hold any. */
  get peers(): number {
    return this.#held.size;
  }

  /** How often nothing more could be taken since the start. */
  get refused(): number {
    return this.#refused;
  }

  isRegistered(peer: string): boolean {
    return this.#isRegistered(peer);
  }

  /** Takes bytes for a peer. @returns false, and takes nothing, when that is more than the peer or all of them may hold */
  take(peer: string, bytes: number): boolean {
    // What a peer was counted as it stays until it has given all back.
    const held = this.#held.get(peer) ?? { bytes: 0, isStranger: !this.#isRegistered(peer) };
    const ofStrangers = held.isStranger ? this.#usedByStrangers + bytes : 0;
    if (
      held.bytes + bytes > this.perPeer ||
      this.#used + bytes > this.total ||
      ofStrangers > this.total * shareOfStrangers
    ) {
      this.#refused++;
      return false;
    }
    if (bytes > 0) this.#held.set(peer, { ...held, bytes: held.bytes + bytes });
    this.#count(held.isStranger, bytes);
    return true;
  }

  /** Gives back what was taken. */
  give(peer: string, bytes: number): void {
    const held = this.#held.get(peer);
    if (held === undefined) return;
    const left = held.bytes - bytes;
    if (left > 0) this.#held.set(peer, { ...held, bytes: left });
    else this.#held.delete(peer);
    this.#count(held.isStranger, -bytes);
  }

  #count(isStranger: boolean, bytes: number): void {
    this.#used += bytes;
    if (isStranger) this.#usedByStrangers += bytes;
  }
}

/** What one request holds of a budget until it has been answered. */
export class Holding {
  readonly #budget: ByteBudget;
  readonly #peer: string;
  #bytes = 0;

  constructor(budget: ByteBudget, peer: string) {
    this.#budget = budget;
    this.#peer = peer;
  }

  /** Takes more. @throws RefusalError "busy" when there is none */
  take(bytes: number): void {
    if (!this.#budget.take(this.#peer, bytes)) {
      throw new RefusalError("busy", "too much of what peers have asked for is in memory");
    }
    this.#bytes += bytes;
  }

  release(): void {
    this.#budget.give(this.#peer, this.#bytes);
    this.#bytes = 0;
  }
}

const budgets = new WeakMap<Libp2p, ByteBudget>();

/** Sets what peers of a node may fill. */
export function setBudget(host: Libp2p, parameters: ByteBudgetParameters): void {
  budgets.set(host, new ByteBudget(parameters));
}

/** The budget of a node, which all protocols on it share. */
export function budgetOf(host: Libp2p): ByteBudget {
  const known = budgets.get(host);
  if (known !== undefined) return known;
  const budget = new ByteBudget();
  budgets.set(host, budget);
  return budget;
}
