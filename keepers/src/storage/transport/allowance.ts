export type Limits = { readonly burst: number; readonly perSecond: number };

/** So much at once, and so much each second from then on. A debt is no larger than what may be taken at once. */
export class Allowance {
  readonly #limits: Limits;
  readonly #now: () => number;
  #left: number;
  #at: number;

  /** @param now milliseconds of a clock that never goes back */
  constructor(limits: Limits, now: () => number = () => performance.now()) {
    [this.#limits, this.#now] = [limits, now];
    [this.#left, this.#at] = [limits.burst, now()];
  }

  /** What may be taken now; below 0 where some is owed. */
  get left(): number {
    const { burst, perSecond } = this.#limits;
    const at = this.#now();
    this.#left = Math.min(burst, this.#left + (Math.max(0, at - this.#at) / 1000) * perSecond);
    this.#at = at;
    return this.#left;
  }

  /** Whether nothing was taken of late. */
  get isFull(): boolean {
    return this.left >= this.#limits.burst;
  }

  /**
   * Takes some, also where nothing is left: it is owed then.
   * @returns milliseconds until nothing is owed
   */
  take(count = 1): number {
    this.#left = Math.max(-this.#limits.burst, this.left - count);
    return this.#left >= 0 ? 0 : (-this.#left / this.#limits.perSecond) * 1000;
  }
}

/** Networks whose allowances are remembered at most. */
const rememberedNets = 4096;

/** What each network may take, however many connections it makes, and however often it makes them anew. */
export class AllowancesByNet<T extends { readonly isFull: boolean }> {
  readonly #create: () => T;
  readonly #nets = new Map<string, T>();

  constructor(create: () => T) {
    this.#create = create;
  }

  /** @param net undefined where addresses say little about who is there: the allowance is the caller's own then */
  of(net: string | undefined): T {
    if (net === undefined) return this.#create();
    const known = this.#nets.get(net);
    if (known !== undefined) return known;
    if (this.#nets.size >= rememberedNets) this.#forget();
    const fresh = this.#create();
    this.#nets.set(net, fresh);
    return fresh;
  }

  /** Forgets those that would be the same if they were made anew; without any the one that is longest there. */
  #forget(): void {
    for (const [net, each] of this.#nets) if (each.isFull) this.#nets.delete(net);
    if (this.#nets.size < rememberedNets) return;
    for (const net of this.#nets.keys()) {
      this.#nets.delete(net);
      return;
    }
  }
}
