import { Allowance, type Limits } from "./allowance.ts";
import { type GuaranteeParameters, Guarantees } from "./guarantees.ts";

export type PeerLimitsParameters = {
  /** Requests a peer may make at once after a pause, counted in the methods' costs. */
  burst?: number;
  /** How much of that comes back each second. */
  perSecond?: number;
  /** The same for all peers together, where anybody may ask; without end by default. */
  inAll?: Limits;
  /**
   * Who is no stranger. Strangers together have half of what all peers may ask for, whatever others do, and those the rest; nobody is
   * a stranger by default.
   */
  isRegistered?: (peer: string) => boolean;
  /** What some have of that whatever others of their own class do; none by default. Where one does not suffice the next is asked. */
  guarantees?: readonly GuaranteeParameters[];
  /** Requests of one peer under way at the same time, over all its connections. */
  concurrent?: number;
  /** Faults after which a peer is shut out. One is forgiven for each minute without. */
  faults?: number;
  /** For how long, in milliseconds. */
  shutOut?: number;
  /** Milliseconds of a clock that never goes back; a parameter so that tests need not wait. */
  now?: () => number;
};

type Peer = {
  allowance: number;
  seen: number;
  faults: number;
  faulted: number;
  active: number;
  outUntil: number;
};

/**
 * What all peers together may ask of a thread that has duties, too: half a second at once, then 40 % of it, of which strangers have
 * their half whatever the others ask. Identities cost nothing, so that what each of them may ask for bounds nothing.
 */
export const shareOfThread = { burst: 5000, perSecond: 4000 };

/** Part of what all peers together may ask for, wait with and keep in memory that is left to strangers. */
export const shareOfStrangers = 1 / 2;

const forgiveEvery = 60_000;
/** Peers remembered at most, beside those with a request under way; the ones longest unseen are forgotten first. */
const rememberedPeers = 10_000;

/** What each peer may still ask for, and how often it broke the protocol. */
export class PeerLimits {
  readonly #limits: Required<PeerLimitsParameters>;
  readonly #peers = new Map<string, Peer>();
  /** What all peers together may still ask for, and what strangers may. */
  readonly #inAll: Allowance;
  readonly #ofStrangers: Allowance;
  readonly #guarantees: readonly Guarantees[];

  constructor(parameters: PeerLimitsParameters = {}) {
    this.#limits = {
      burst: 4000,
      perSecond: 1000,
      inAll: { burst: Number.POSITIVE_INFINITY, perSecond: 0 },
      concurrent: 64,
      isRegistered: () => true,
      guarantees: [],
      faults: 5,
      shutOut: 10 * 60_000,
      now: () => performance.now(),
      ...parameters,
    };
    const { inAll, guarantees, now } = this.#limits;
    const ofStrangers = {
      burst: inAll.burst * shareOfStrangers,
      perSecond: inAll.perSecond * shareOfStrangers,
    };
    this.#inAll = new Allowance(inAll, now);
    this.#ofStrangers = new Allowance(ofStrangers, now);
    this.#guarantees = guarantees.map((each) => new Guarantees(each, now));
  }

  /** Peers that are remembered now. */
  get remembered(): number {
    return this.#peers.size;
  }

  /** Asks leave for one request. `end` must be called when it is done. */
  begin(id: string, cost: number): "ok" | "rate-limited" | "busy" {
    const peer = this.#peer(id);
    if (peer.active >= this.#limits.concurrent) return "busy";
    if (peer.allowance < cost) return "rate-limited";
    const isStranger = !this.#limits.isRegistered(id);
    if (!(isStranger ? this.#ofStrangers.left >= cost : this.#hasLeft(id, cost))) return "busy";
    // What strangers and guarantees take is a debt where others have used all up: these then get less, and the sum stays what it is.
    this.#inAll.take(cost);
    if (isStranger) this.#ofStrangers.take(cost);
    peer.allowance -= cost;
    peer.active++;
    return "ok";
  }

  #hasLeft(id: string, cost: number): boolean {
    return this.#inAll.left >= cost || this.#guarantees.some((each) => each.take(id, cost));
  }

  /**
   * Counts what a request turns out to cost beyond its price, in the same unit.
   * @returns false when the peer is in debt by more than it may ask for at once: it is to be heard no further
   */
  charge(id: string, cost: number): boolean {
    const peer = this.#peer(id);
    if (this.#limits.isRegistered(id)) this.#inAll.take(cost);
    else {
      // Nobody is asked before it costs something: what strangers cost beyond their part must not be taken from the others'.
      this.#inAll.take(Math.min(cost, Math.max(0, this.#ofStrangers.left)));
      this.#ofStrangers.take(cost);
    }
    peer.allowance -= cost;
    return peer.allowance >= -this.#limits.burst;
  }

  end(id: string): void {
    const peer = this.#peers.get(id);
    if (peer !== undefined) peer.active--;
  }

  /** Notes a broken message. Returns whether the peer is now shut out. */
  fault(id: string): boolean {
    const peer = this.#peer(id);
    const now = this.#limits.now();
    const forgiven = Math.max(0, Math.floor((now - peer.faulted) / forgiveEvery));
    peer.faults = Math.max(0, peer.faults - forgiven) + 1;
    peer.faulted = now;
    if (peer.faults < this.#limits.faults) return false;
    peer.outUntil = now + this.#limits.shutOut;
    peer.faults = 0;
    return true;
  }

  isShutOut(id: string): boolean {
    return this.#peer(id).outUntil > this.#limits.now();
  }

  #peer(id: string): Peer {
    const now = this.#limits.now();
    const known = this.#peers.get(id);
    const peer = known ?? {
      allowance: this.#limits.burst,
      seen: now,
      faults: 0,
      faulted: now,
      active: 0,
      outUntil: 0,
    };
    const passed = Math.max(0, now - peer.seen);
    peer.allowance = Math.min(this.#limits.burst, peer.allowance + (passed / 1000) * this.#limits.perSecond);
    peer.seen = now;
    // Set again, so that the map's order is that of the last visit.
    this.#peers.delete(id);
    this.#peers.set(id, peer);
    if (known === undefined && this.#peers.size > rememberedPeers) this.#forgetOne();
    return peer;
  }

  /** Those shut out, too: whoever makes identities without end must not fill the memory with them. */
  #forgetOne(): void {
    for (const [id, peer] of this.#peers) {
      if (peer.active > 0) continue;
      this.#peers.delete(id);
      return;
    }
  }
}
