type Entry<T> = {
  readonly opened: Promise<T>;
  /** Works that use it now. */
  users: number;
};

/**
 * Things that are expensive to have open, by a key: those that were used last stay so, others are closed and opened again.
 * How many there are to open is for others to say, such as whoever challenges; what this machine has is not. Nothing is closed
 * while it is used.
 */
export class FewOpen<K, T> {
  readonly #most: number;
  readonly #close: (opened: T) => Promise<void>;
  /** The one that was used longest ago comes first. */
  readonly #open = new Map<K, Entry<T>>();

  /** @param most that are open at a time, as long as no more are used at once */
  constructor(most: number, close: (opened: T) => Promise<void>) {
    this.#most = most;
    this.#close = close;
  }

  /**
   * Works with what is open under a key, or is opened now. What could not be opened is tried again by the next call.
   *
   * @throws what opening it throws, and what the work does
   */
  async use<R>(key: K, open: () => Promise<T>, work: (opened: T) => Promise<R>): Promise<R> {
    const entry = this.#enter(key, open);
    entry.users++;
    try {
      return await work(await entry.opened);
    } finally {
      entry.users--;
    }
  }

  #enter(key: K, open: () => Promise<T>): Entry<T> {
    const known = this.#open.get(key);
    this.#open.delete(key);
    const entry = known ?? { opened: this.#closeOldest().then(open), users: 0 };
    this.#open.set(key, entry);
    if (known === undefined) {
      entry.opened.catch(() => {
        if (this.#open.get(key) === entry) this.#open.delete(key);
      });
    }
    return entry;
  }

  /** Closes what is not needed any more; what is used then stays until the next call. */
  async closeUnless(isNeeded: (key: K) => boolean): Promise<void> {
    await this.#closeAll(this.#idle().filter((key) => !isNeeded(key)));
  }

  #closeOldest(): Promise<void> {
    return this.#closeAll(this.#idle().slice(0, Math.max(0, this.#open.size + 1 - this.#most)));
  }

  #idle(): K[] {
    return [...this.#open].flatMap(([key, { users }]) => (users === 0 ? [key] : []));
  }

  async #closeAll(keys: readonly K[]): Promise<void> {
    const entries = keys.map((key) => this.#open.get(key)!);
    // Before anything is waited for: nobody is to be given what is about to be closed.
    for (const key of keys) this.#open.delete(key);
    for (const { opened } of entries) {
      const closing = await opened.catch(() => undefined);
      if (closing !== undefined) await this.#close(closing);
    }
  }
}
