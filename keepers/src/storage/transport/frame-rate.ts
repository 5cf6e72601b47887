import { TransportError } from "./errors.ts";

type Limits = { readonly burst: number; readonly perSecond: number };

/** So much at once, and so much each second from then on. */
class Allowance {
  readonly #limits: Limits;
  #left: number;
  #at = performance.now();

  constructor(limits: Limits) {
    this.#limits = limits;
    this.#left = limits.burst;
  }

  /** Takes one, and says whether it was there. */
  take(): boolean {
    if (this.#left < 1) this.#earn();
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }

  #earn(): void {
    const now = performance.now();
    const earned = ((now - this.#at) / 1000) * this.#limits.perSecond;
    this.#left = Math.min(this.#limits.burst, this.#left + earned);
    this.#at = now;
  }
}

/** What may come over one connection. */
export class FrameRate {
  readonly #what: string;
  readonly #own: Allowance;
  readonly #common: Allowance | undefined;

  /**
   * @param what is counted, for the error
   * @param common what connections share, each beyond what is its own
   */
  constructor(what: string, own: Limits, common?: Allowance) {
    this.#what = what;
    this.#own = new Allowance(own);
    this.#common = common;
  }

  /** @throws TransportError for one too many */
  take(): void {
    if (this.#own.take() || this.#common?.take() === true) return;
    throw new TransportError(`this connection brings too many ${this.#what}`);
  }
}

/** Frames of the muxer, or short pieces: of a registered peer's connection, of a stranger's, and of all strangers' beyond that. */
const frames = {
  registered: { burst: 8000, perSecond: 8000 },
  stranger: { burst: 2000, perSecond: 200 },
  strangers: { burst: 8000, perSecond: 8000 },
} as const;
/** Streams that are opened: each is negotiated before it has a price. */
const streams = {
  registered: { burst: 2000, perSecond: 500 },
  stranger: { burst: 200, perSecond: 20 },
  strangers: { burst: 2000, perSecond: 500 },
} as const;

/** What one connection may bring. */
export type OwnRates = Readonly<Record<"frames" | "pieces" | "streams", FrameRate>>;

/**
 * What connections make a node do below all requests: each frame of the muxer, and each piece that bytes come in, takes some 10 µs
 * however short it is. More than a peer sends that means to send or fetch something end the connection. Strangers share what they
 * have, since a name costs them nothing.
 */
export class ConnectionRates {
  readonly #isRegistered: (peer: string) => boolean;
  readonly #common = {
    frames: new Allowance(frames.strangers),
    pieces: new Allowance(frames.strangers),
    streams: new Allowance(streams.strangers),
  };

  /** @param isRegistered who comes before strangers; nobody is a stranger by default */
  constructor(isRegistered: (peer: string) => boolean = () => true) {
    this.#isRegistered = isRegistered;
  }

  /** @param direction whom this node has dialled it has chosen itself: it is no stranger */
  of(peer: string, direction: "inbound" | "outbound"): OwnRates {
    const isStranger = direction === "inbound" && !this.#isRegistered(peer);
    const who = isStranger ? "stranger" : "registered";
    const common = isStranger ? this.#common : undefined;
    return {
      frames: new FrameRate("frames", frames[who], common?.frames),
      pieces: new FrameRate("short pieces", frames[who], common?.pieces),
      streams: new FrameRate("streams", streams[who], common?.streams),
    };
  }
}
