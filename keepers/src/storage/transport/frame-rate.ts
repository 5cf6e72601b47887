import { TransportError } from "./errors.ts";

/** Frames and short pieces that a connection may bring at once, and each second from then on. */
const [burst, perSecond] = [32_000, 8_000];

/**
 * What one connection makes a node do below all requests: each frame of the muxer, and each piece that bytes come in, takes some 10 µs
 * however short it is. More than a peer sends that means to send or fetch something end the connection.
 */
export class FrameRate {
  readonly #burst: number;
  readonly #perSecond: number;
  readonly #what: string;
  #left: number;
  #at = performance.now();

  /** @param what is counted, for the error */
  constructor(
    what: string,
    limits: { readonly burst: number; readonly perSecond: number } = { burst, perSecond },
  ) {
    this.#what = what;
    this.#burst = limits.burst;
    this.#perSecond = limits.perSecond;
    this.#left = limits.burst;
  }

  /** @throws TransportError for one too many */
  take(): void {
    this.#left--;
    if (this.#left >= 0) return;
    const now = performance.now();
    const earned = Math.floor(((now - this.#at) / 1000) * this.#perSecond);
    this.#left = Math.min(this.#burst, this.#left + earned);
    this.#at = now;
    if (this.#left < 0) throw new TransportError(`this connection brings too many ${this.#what}`);
  }
}
