import type { Clock } from "../clock.ts";
import { RpcBusyError } from "./errors.ts";

/** Who causes a request: a duty of this keeper, or a stranger that asks it for something. */
export type Lane = "duties" | "strangers";

/** Requests of strangers that may wait for one endpoint: what comes beyond is refused at once, and may be tried again. */
export const mostStrangersWaiting = 64;
/** Requests of duties that go before one of a stranger, while both wait: a fifth of an endpoint is left to strangers. */
const dutiesPerStranger = 4;

/**
 * A token bucket: lets `perSecond` requests through per second, after a burst of one second. Those of duties go first, each lane
 * in the order in which its requests came. Strangers have a share beside them, and a short queue.
 */
export class RateLimit {
  readonly #perSecond: number;
  readonly #clock: Clock;
  /** When the bucket would be full again; ahead of now by one interval per request that is spent. */
  #fullAt = 0;
  readonly #waiting: Readonly<Record<Lane, (() => void)[]>> = { duties: [], strangers: [] };
  /** Requests of duties that went since the last one of a stranger. */
  #dutiesInRow = 0;
  #isServing = false;

  constructor(perSecond: number, clock: Clock) {
    this.#perSecond = perSecond;
    this.#clock = clock;
  }

  /**
   * Resolves when a request may go out.
   * @throws RpcBusyError when too many requests of strangers wait already
   */
  async wait(lane: Lane = "duties"): Promise<void> {
    if (!this.#isServing && this.#delay() <= 0) return this.#spend(lane);
    const queue = this.#waiting[lane];
    if (lane === "strangers" && queue.length >= mostStrangersWaiting) throw new RpcBusyError();
    await new Promise<void>((resolve) => {
      queue.push(resolve);
      if (!this.#isServing) void this.#serve();
    });
  }

  /** Lets those that wait through, one after the other, until none is left. */
  async #serve(): Promise<void> {
    this.#isServing = true;
    for (;;) {
      for (let delay = this.#delay(); delay > 0; delay = this.#delay()) await this.#clock.sleep(delay);
      // Whose turn it is, is decided as late as can be: a duty that came meanwhile goes first.
      const lane = this.#next();
      if (lane === undefined) break;
      this.#spend(lane);
      this.#waiting[lane].shift()!();
    }
    this.#isServing = false;
  }

  #next(): Lane | undefined {
    const { duties, strangers } = this.#waiting;
    const isStrangersTurn = duties.length === 0 || this.#dutiesInRow >= dutiesPerStranger;
    if (strangers.length > 0 && isStrangersTurn) return "strangers";
    return duties.length > 0 ? "duties" : undefined;
  }

  #spend(lane: Lane): void {
    this.#fullAt = Math.max(this.#fullAt, this.#clock.now()) + 1000 / this.#perSecond;
    this.#dutiesInRow = lane === "duties" ? this.#dutiesInRow + 1 : 0;
  }

  /** Milliseconds before the next request may go out; none or less when it may at once. */
  #delay(): number {
    const now = this.#clock.now();
    const interval = 1000 / this.#perSecond;
    return Math.max(this.#fullAt, now) + interval - now - Math.max(1000, interval);
  }
}
