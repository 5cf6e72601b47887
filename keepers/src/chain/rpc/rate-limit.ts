import type { Clock } from "../clock.ts";

/** A token bucket: lets `perSecond` requests through per second, in the order in which they came, after a burst of one second. */
export class RateLimit {
  readonly #perSecond: number;
  readonly #clock: Clock;
  /** When the bucket would be full again; ahead of now by one interval per request that is spent. */
  #fullAt = 0;

  constructor(perSecond: number, clock: Clock) {
    this.#perSecond = perSecond;
    this.#clock = clock;
  }

  async wait(signal?: AbortSignal): Promise<void> {
    const now = this.#clock.now();
    const interval = 1000 / this.#perSecond;
    this.#fullAt = Math.max(this.#fullAt, now) + interval;
    const delay = this.#fullAt - now - Math.max(1000, interval);
    if (delay > 0) await this.#clock.sleep(delay, signal);
  }
}
