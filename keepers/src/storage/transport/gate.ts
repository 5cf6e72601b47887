import { RefusalError } from "./errors.ts";

export type GateParameters = {
  /** Pieces of work at the same time. */
  readonly atOnce: number;
  /** Pieces that may wait for one of those to end. */
  readonly waiting: number;
  /** Pieces of one peer, waiting or under way. */
  readonly perPeer: number;
};

/** Lets costly work of peers through, a few pieces at a time; what is too much to wait is refused at once. */
export class Gate {
  readonly #parameters: GateParameters;
  readonly #queue: (() => void)[] = [];
  readonly #of = new Map<string, number>();
  #active = 0;
  #refused = 0;

  constructor(parameters: GateParameters) {
    this.#parameters = parameters;
  }

  /** Pieces that wait. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** Pieces that were refused since the start. */
  get refused(): number {
    return this.#refused;
  }

  /**
   * Runs work when it is its turn.
   * @param signal takes it out of the queue; the work itself is told by whoever starts it
   * @throws RefusalError "busy" when too much waits; the signal's reason; whatever the work throws
   */
  async run<T>(peer: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const { atOnce, waiting, perPeer } = this.#parameters;
    signal?.throwIfAborted();
    const own = this.#of.get(peer) ?? 0;
    if (own >= perPeer || (this.#active >= atOnce && this.#queue.length >= waiting)) {
      this.#refused++;
      throw new RefusalError("busy", "too much of this is waiting already");
    }
    this.#of.set(peer, own + 1);
    try {
      await this.#enter(signal);
      try {
        return await work();
      } finally {
        this.#leave();
      }
    } finally {
      const left = this.#of.get(peer)! - 1;
      if (left > 0) this.#of.set(peer, left);
      else this.#of.delete(peer);
    }
  }

  async #enter(signal: AbortSignal | undefined): Promise<void> {
    if (this.#active < this.#parameters.atOnce) {
      this.#active++;
      return;
    }
    // The place is handed over by the work that ends, so the count stays.
    await new Promise<void>((resolve, reject) => {
      const enter = (): void => {
        signal?.removeEventListener("abort", leave);
        resolve();
      };
      const leave = (): void => {
        this.#queue.splice(this.#queue.indexOf(enter), 1);
        reject(signal?.reason);
      };
      this.#queue.push(enter);
      signal?.addEventListener("abort", leave, { once: true });
    });
  }

  #leave(): void {
    const next = this.#queue.shift();
    if (next === undefined) this.#active--;
    else next();
  }
}
