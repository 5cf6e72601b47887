import { Allowance, AllowancesByNet, type Limits } from "./allowance.ts";
import { TransportError } from "./errors.ts";

/** What may come over one connection. */
export class FrameRate {
  readonly #what: string;
  readonly #own: Allowance;
  readonly #common: Allowance | undefined;

  /**
   * @param what is counted, for the error
   * @param own what a connection may bring; of strangers all that come from one network
   * @param common what all strangers have together
   */
  constructor(what: string, own: Allowance, common?: Allowance) {
    this.#what = what;
    this.#own = own;
    this.#common = common;
  }

  /**
   * Takes what has come.
   * @returns milliseconds that a stranger has to wait before more is taken from it
   * @throws TransportError where others bring too much
   */
  take(count = 1): number {
    const wait = this.#own.take(count);
    if (this.#common !== undefined) return Math.max(wait, this.#common.take(count));
    if (wait > 0) throw new TransportError(`this connection brings too many ${this.#what}`);
    return 0;
  }
}

/** Frames of the muxer, or short pieces: of a registered peer's connection, of a network of strangers, and of all strangers. */
const frames = {
  registered: { burst: 8000, perSecond: 8000 },
  net: { burst: 2000, perSecond: 1000 },
  strangers: { burst: 4000, perSecond: 8000 },
} as const;
/** Streams that are opened: each is negotiated before it has a price. */
const streams = {
  registered: { burst: 2000, perSecond: 500 },
  net: { burst: 200, perSecond: 100 },
  strangers: { burst: 1000, perSecond: 500 },
} as const;

/** What one connection may bring. */
export type OwnRates = Readonly<Record<"frames" | "pieces" | "streams", FrameRate>>;

const allowances = (of: "net" | "strangers") => {
  const [frame, stream]: readonly [Limits, Limits] = [frames[of], streams[of]];
  const three = {
    frames: new Allowance(frame),
    pieces: new Allowance(frame),
    streams: new Allowance(stream),
  };
  return {
    ...three,
    get isFull() {
      return three.frames.isFull && three.pieces.isFull && three.streams.isFull;
    },
  };
};

/**
 * What connections make a node do below all requests: each frame of the muxer, and each piece that bytes come in, takes some 10 µs
 * however short it is. Strangers share what they have, since a name and a connection cost them nothing: no more is read from one
 * than it, its network and all of them may bring. Others' connections end where they bring more than a peer that means to send or
 * fetch something.
 */
export class ConnectionRates {
  readonly #isRegistered: (peer: string) => boolean;
  readonly #nets = new AllowancesByNet(() => allowances("net"));
  readonly #common = allowances("strangers");

  /** @param isRegistered who comes before strangers; nobody is a stranger by default */
  constructor(isRegistered: (peer: string) => boolean = () => true) {
    this.#isRegistered = isRegistered;
  }

  /**
   * @param direction whom this node has dialled it has chosen itself: it is no stranger
   * @param net the network that it comes from, where that says who it is
   */
  of(peer: string, direction: "inbound" | "outbound", net?: string): OwnRates {
    const isStranger = direction === "inbound" && !this.#isRegistered(peer);
    const own = isStranger ? this.#nets.of(net) : undefined;
    const rate = (name: keyof OwnRates, what: string, limits: Limits) =>
      own === undefined
        ? new FrameRate(what, new Allowance(limits))
        : new FrameRate(what, own[name], this.#common[name]);
    return {
      frames: rate("frames", "frames", frames.registered),
      pieces: rate("pieces", "short pieces", frames.registered),
      streams: rate("streams", "streams", streams.registered),
    };
  }
}
