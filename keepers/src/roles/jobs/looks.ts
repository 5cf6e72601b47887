import { SideBySide, type SideBySideOptions } from "./side-by-side.ts";

export type LooksOptions = SideBySideOptions & {
  /** Milliseconds from one look at an item to the next; they double each time, up to {@link longestPause} of them. */
  readonly pause: number;
};

/** Pauses that an item waits at most. */
export const longestPause = 64;

/**
 * Looks at items side by side, again and again until they are done with. Strangers may hold a look up for as long as it is
 * let, or make it fail: so what was looked at least often comes first, and an item waits longer after each look.
 */
export class Looks<Key> {
  readonly #works: SideBySide<Key>;
  readonly #pause: number;
  /** Items that are not done with: looks that have ended, and when the next may begin, in milliseconds of this process. */
  readonly #past = new Map<Key, { readonly count: number; readonly next: number }>();

  constructor({ pause, ...options }: LooksOptions) {
    this.#pause = pause;
    this.#works = new SideBySide(options);
  }

  /** Looks at an item that have ended without an end. */
  count(key: Key): number {
    return this.#past.get(key)?.count ?? 0;
  }

  /**
   * Begins looks as there is room, each item's once, and waits for what is under way as long as patience goes.
   *
   * @param due what is to be looked at now, first what is most urgent; asked again when there is room
   * @param look says whether an item is done with
   * @throws the first failure since the last round
   */
  async round<Item>(
    due: () => ReadonlyMap<Key, Item>,
    look: (item: Item) => Promise<boolean>,
  ): Promise<void> {
    const begun = new Set<Key>();
    do {
      const items = due();
      for (const key of this.#past.keys()) if (!items.has(key)) this.#past.delete(key);
      const ready = [...items]
        .filter(([key]) => !begun.has(key) && (this.#past.get(key)?.next ?? 0) <= performance.now())
        .sort(([a], [b]) => this.count(a) - this.count(b));
      for (const [key, item] of ready) {
        this.#works.begin(key, () => {
          begun.add(key);
          return this.#look(key, () => look(item));
        });
      }
    } while ((await this.#works.look()) > 0);
  }

  /** Waits until nothing is under way, however long that takes. */
  settled(): Promise<void> {
    return this.#works.settled();
  }

  async #look(key: Key, look: () => Promise<boolean>): Promise<void> {
    const count = this.count(key) + 1;
    let isDone = false;
    try {
      isDone = await look();
    } finally {
      const pause = this.#pause * Math.min(2 ** (count - 1), longestPause);
      if (isDone) this.#past.delete(key);
      else this.#past.set(key, { count, next: performance.now() + pause });
    }
  }
}
