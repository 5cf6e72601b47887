/**
 * Things that are expensive to have open, by a key: those that were used last stay so, others are closed and opened again.
 * How many there are to open is for others to say, such as whoever challenges; what this machine has is not. Not to be used
 * for two things at once: the one may close the other.
 */
export class FewOpen<K, T> {
  readonly #most: number;
  readonly #close: (opened: T) => Promise<void>;
  /** The one that was used longest ago comes first. */
  readonly #open = new Map<K, Promise<T>>();

  /** @param most that are open at a time */
  constructor(most: number, close: (opened: T) => Promise<void>) {
    this.#most = most;
    this.#close = close;
  }

  /** What is open under a key, or is opened now. What could not be opened is tried again. */
  get(key: K, open: () => Promise<T>): Promise<T> {
    const known = this.#open.get(key);
    this.#open.delete(key);
    const opened = known ?? this.#closeOldest().then(open);
    this.#open.set(key, opened);
    if (known === undefined) {
      opened.catch(() => {
        if (this.#open.get(key) === opened) this.#open.delete(key);
      });
    }
    return opened;
  }

  /** Closes what is not needed any more. */
  async closeUnless(isNeeded: (key: K) => boolean): Promise<void> {
    for (const key of [...this.#open.keys()]) {
      if (!isNeeded(key)) await this.#closeOne(key);
    }
  }

  async #closeOldest(): Promise<void> {
    const oldest = [...this.#open.keys()].slice(0, Math.max(0, this.#open.size + 1 - this.#most));
    for (const key of oldest) await this.#closeOne(key);
  }

  async #closeOne(key: K): Promise<void> {
    const opened = this.#open.get(key);
    this.#open.delete(key);
    const closing = await opened?.catch(() => undefined);
    if (closing !== undefined) await this.#close(closing);
  }
}
