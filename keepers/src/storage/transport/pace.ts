import { setTimeout as sleep } from "node:timers/promises";

/** Milliseconds that the thread is left alone at most: work that waited for a disk has not used it. */
const mostRest = 1000;

/**
 * Bounds what work of peers takes of the thread that duties need, too: pieces of work are done one after the other, and after
 * each the thread is left alone for as long as the share asks for.
 */
export class Pace {
  readonly #share: number;
  #turn: Promise<unknown> = Promise.resolve();
  /** Milliseconds of a clock that never goes back. */
  #restsUntil = 0;

  /** @param share of the time, above 0 and at most 1, that the work may take */
  constructor(share: number) {
    this.#share = share;
  }

  /**
   * Does a piece of work when it is its turn.
   * @throws the signal's reason where it ends before; whatever the work throws
   */
  run<T>(signal: AbortSignal | undefined, work: () => T | Promise<T>): Promise<T> {
    const result = this.#turn.then(() => this.#do(signal, work));
    this.#turn = result.catch(() => undefined);
    return result;
  }

  async #do<T>(signal: AbortSignal | undefined, work: () => T | Promise<T>): Promise<T> {
    const rest = Math.min(mostRest, this.#restsUntil - performance.now());
    if (rest > 0) await sleep(rest, undefined, { signal });
    signal?.throwIfAborted();
    const begun = performance.now();
    try {
      return await work();
    } finally {
      const now = performance.now();
      this.#restsUntil = now + (now - begun) * (1 / this.#share - 1);
    }
  }
}
