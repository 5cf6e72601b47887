export type GuaranteeParameters = {
  /** Who is meant, by peer: it, or what it stands for, as an account of which there may be many peers; undefined where it is nobody. */
  readonly of: (peer: string) => string | undefined;
  /** What each may ask for at once whatever others do, and how much of that comes back each second. */
  readonly burst: number;
  readonly perSecond: number;
  /** How many may have that at the same time; more of them share what these would have. */
  readonly holders: number;
  /** What one begins with; `burst` by default. Nothing where it costs nothing to be a new one. */
  readonly first?: number;
};

/**
 * What each of those with something at stake may ask of a thread whatever all others ask: 20 ms at once, and 2 ms a second. A whole
 * committee has less than a third of {@link shareOfThread} in that way, and any number of them no more.
 */
export const guaranteedToEach = { burst: 200, perSecond: 20, holders: 64 };

/** That for each peer of a class that costs something to be in. */
export function guaranteedTo(isMeant: (peer: string) => boolean): GuaranteeParameters {
  return { ...guaranteedToEach, of: (peer) => (isMeant(peer) ? peer : undefined) };
}

/** Milliseconds between two looks for those that are as good as new. */
const forgetEvery = 1_000;

type Holder = {
  readonly peer: string;
  /** May be a debt: of what costs more than may be asked for at once. */
  left: number;
  /** What everybody had been given when that was so. */
  given: number;
};

/**
 * Allowances of those who must not be kept out by others of their own class. Their sum is bounded however many there are: what comes
 * back to each is less where there are more than it was made for, and nobody gains by going and coming back.
 */
export class Guarantees {
  readonly #parameters: Required<GuaranteeParameters>;
  readonly #now: () => number;
  readonly #holders = new Map<string, Holder>();
  /** What each has been given since the start. */
  #given = 0;
  #at: number;
  #forgotten: number;

  constructor(parameters: GuaranteeParameters, now: () => number) {
    this.#parameters = { first: parameters.burst, ...parameters };
    this.#now = now;
    this.#at = now();
    this.#forgotten = this.#at;
  }

  /** Those that have asked, and would not begin anew with as much. */
  get size(): number {
    return this.#holders.size;
  }

  /** Takes the cost of a request where a peer is meant and has as much left. A larger one than may be asked for at once leaves a debt. */
  take(peer: string, cost: number): boolean {
    const { of, burst, first } = this.#parameters;
    const name = of(peer);
    if (name === undefined) return false;
    // Before there is one more to share with.
    this.#giveAll();
    const holder = this.#holders.get(name) ?? { peer, left: first, given: this.#given };
    this.#holders.set(name, holder);
    this.#give(holder);
    if (holder.left < Math.min(cost, burst)) return false;
    holder.left -= cost;
    return true;
  }

  #giveAll(): void {
    const { perSecond, holders } = this.#parameters;
    const at = this.#now();
    const share = perSecond * Math.min(1, holders / Math.max(1, this.#holders.size));
    this.#given += (Math.max(0, at - this.#at) / 1000) * share;
    this.#at = at;
    if (at < this.#forgotten + forgetEvery) return;
    this.#forgotten = at;
    for (const [name, holder] of this.#holders) {
      this.#give(holder);
      if (this.#isAsNew(name, holder)) this.#holders.delete(name);
    }
  }

  #give(holder: Holder): void {
    holder.left = Math.min(this.#parameters.burst, holder.left + this.#given - holder.given);
    holder.given = this.#given;
  }

  /** Where newcomers begin with less than others have, only who is meant no more loses nothing by being forgotten. */
  #isAsNew(name: string, { peer, left }: Holder): boolean {
    const { of, burst, first } = this.#parameters;
    return first < burst ? left >= first && of(peer) !== name : left >= burst;
  }
}
