import { RefusalError } from "./errors.ts";
import { shareOfStrangers } from "./peer-limits.ts";

export type GateParameters = {
  /** Pieces of work at the same time. */
  readonly atOnce: number;
  /** Pieces that may wait for one of those to end. */
  readonly waiting: number;
  /** Pieces of one peer, waiting or under way. */
  readonly perPeer: number;
  /** Whose pieces come before those of strangers, of which half as many may wait; nobody is a stranger by default. */
  readonly isRegistered?: (peer: string) => boolean;
};

/** Lets costly work of peers through, a few pieces at a time; what is too much to wait is refused at once. */
export class Gate {
  readonly #parameters: GateParameters;
  readonly #queue: (() => void)[] = [];
  readonly #ofStrangers: (() => void)[] = [];
  readonly #of = new Map<string, number>();
  #active = 0;
  #refused = 0;

  constructor(parameters: GateParameters) {
    this.#parameters = parameters;
  }

  /** Pieces that wait. */
  get waiting(): number {
    return this.#queue.length + this.#ofStrangers.length;
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
    const { atOnce, waiting, perPeer, isRegistered = () => true } = this.#parameters;
    signal?.throwIfAborted();
    const own = this.#of.get(peer) ?? 0;
    const queue = isRegistered(peer) ? this.#queue : this.#ofStrangers;
    const isFull =
      this.waiting >= waiting || (queue === this.#ofStrangers && queue.length >= waiting * shareOfStrangers);
    if (own >= perPeer || (this.#active >= atOnce && isFull)) {
      this.#refused++;
      throw new RefusalError("busy", "too much of this is waiting already");
    }
    this.#of.set(peer, own + 1);
    try {
      await this.#enter(queue, signal);
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

  async #enter(queue: (() => void)[], signal: AbortSignal | undefined): Promise<void> {
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
        queue.splice(queue.indexOf(enter), 1);
        reject(signal?.reason);
      };
      queue.push(enter);
      signal?.addEventListener("abort", leave, { once: true });
    });
  }

  #leave(): void {
    const next = this.#queue.shift() ?? this.#ofStrangers.shift();
    if (next === undefined) this.#active--;
    else next();
  }
}
