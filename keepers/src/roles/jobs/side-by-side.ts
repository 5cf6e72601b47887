import { setTimeout as delay } from "node:timers/promises";

export type SideBySideOptions = {
  /** Items that may be worked on at once; any number by default. */
  readonly most?: number;
  /** How long a look waits for what is under way, in milliseconds; 2,000 by default. */
  readonly patience?: number;
};

/**
 * Works on several items at a time, each for as long as it takes: one that is held up holds up none of the others. A duty
 * begins work in one call, and finds in a later one what has become of it.
 */
export class SideBySide<Key> {
  readonly #most: number;
  readonly #patience: number;
  readonly #underWay = new Map<Key, Promise<void>>();
  /** What failed since the last look. */
  #failures: unknown[] = [];
  #ended = 0;

  constructor({ most = Number.POSITIVE_INFINITY, patience = 2000 }: SideBySideOptions = {}) {
    this.#most = most;
    this.#patience = patience;
  }

  /** How many items can be begun now. */
  get room(): number {
    return this.#most - this.#underWay.size;
  }

  /** Whether an item is under way. */
  has(key: Key): boolean {
    return this.#underWay.has(key);
  }

  /** Begins an item, unless it is under way already or there is no room for it now. */
  begin(key: Key, work: () => Promise<unknown>): void {
    if (this.#underWay.has(key) || this.#underWay.size >= this.#most) return;
    const done = work()
      .catch((error: unknown) => void this.#failures.push(error))
      .then(() => {
        this.#underWay.delete(key);
        this.#ended++;
      });
    this.#underWay.set(key, done);
  }

  /**
   * Waits until nothing is under way, or patience ends.
   *
   * @returns how many items have ended since the last look
   * @throws the first failure since then
   */
  async look(): Promise<number> {
    const waited = new AbortController();
    // Work keeps a process alive, waiting for it does not.
    const enough = delay(this.#patience, undefined, { signal: waited.signal, ref: false }).catch(
      () => undefined,
    );
    await Promise.race([this.settled(), enough]);
    waited.abort();
    const [ended, failures] = [this.#ended, this.#failures];
    [this.#ended, this.#failures] = [0, []];
    if (failures.length > 0) throw failures[0];
    return ended;
  }

  /** Waits until nothing is under way, however long that takes. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay.values());
  }
}
