import type { MessageStream, StreamMessageEvent } from "@libp2p/interface";
import { listenTo } from "./listen.ts";

type Bytes = StreamMessageEvent["data"];

/** Parts that are taken in one turn of the event loop: each takes some 10 µs. */
const partsOfTurn = 256;
/** Milliseconds that are waited at a time: timers cost something themselves, and nobody is to wait for ever. */
const [leastWait, mostWait] = [10, 1000];

/** A connection as the library makes it. */
type Held = MessageStream & { readonly readStatus?: string };

/** Keeps a connection from being read while somebody that takes apart what it brings is not done. */
export class Brake {
  readonly #connection: Held;
  #holders = 0;
  #isResuming = false;

  constructor(connection: Held) {
    this.#connection = connection;
  }

  get isOpen(): boolean {
    const { status, readStatus } = this.#connection;
    const isRead = readStatus === "readable" || readStatus === "paused";
    return isRead && (status === "open" || status === "closing");
  }

  hold(): void {
    this.#holders++;
    if (this.#holders === 1 && !this.#isResuming && this.isOpen) this.#connection.pause();
  }

  release(): void {
    this.#holders--;
    if (this.#holders > 0 || this.#isResuming || !this.isOpen) return;
    // It hands on what it has kept before it reads on, so that whoever holds it meanwhile would do so in vain.
    this.#isResuming = true;
    this.#connection.resume();
    this.#isResuming = false;
    if (this.#holders > 0 && this.isOpen) this.#connection.pause();
  }

  /** Does something when nothing more will come. */
  onClosed(then: () => void): void {
    listenTo(this.#connection, "close", then);
  }
}

export type TurnsParameters = {
  /** Takes one part of a piece. @returns where the next one begins */
  readonly step: (piece: Uint8Array, at: number) => number;
  /** Told of each piece whose last part was taken. */
  readonly onPiece: (piece: Uint8Array) => void;
  /** Told what `step` throws in a later turn. */
  readonly onError: (error: Error) => void;
  readonly brake: Brake;
};

/**
 * Takes what a connection brings apart, a few hundred parts in a turn of the event loop, and no more while the peer has to wait.
 * Nothing is read from the connection meanwhile, so that no more than one read is kept.
 */
export class Turns {
  readonly #parameters: TurnsParameters;
  readonly #pieces: Uint8Array[] = [];
  /** What of the first piece was taken. */
  #at = 0;
  /** Parts that were taken in this turn. */
  #parts = 0;
  /** When the next part may be taken, of a clock that never goes back. */
  #from = 0;
  #isHeld = false;

  constructor(parameters: TurnsParameters) {
    this.#parameters = parameters;
    parameters.brake.onClosed(() => this.#pieces.splice(0));
  }

  add(bytes: Bytes): void {
    if (bytes instanceof Uint8Array) this.#pieces.push(bytes);
    else this.#pieces.push(...bytes);
    if (!this.#isHeld) this.#go();
  }

  /** One more part was taken. @param wait milliseconds until the next one may be */
  count(wait: number): void {
    if (this.#parts++ === 0) {
      setImmediate(() => {
        this.#parts = 0;
      });
    }
    if (wait > 0) this.#from = performance.now() + Math.min(mostWait, Math.max(leastWait, wait));
  }

  #go(): void {
    const { step, onPiece } = this.#parameters;
    for (let piece = this.#pieces[0]; piece !== undefined; piece = this.#pieces[0]) {
      while (this.#at < piece.length) {
        if (this.#wait() > 0 || this.#parts >= partsOfTurn) {
          this.#hold();
          return;
        }
        this.#at = step(piece, this.#at);
      }
      onPiece(piece);
      this.#at = 0;
      this.#pieces.shift();
    }
  }

  #wait(): number {
    if (this.#from === 0) return 0;
    const wait = this.#from - performance.now();
    if (wait <= 0) this.#from = 0;
    return wait;
  }

  #hold(): void {
    if (!this.#isHeld) this.#parameters.brake.hold();
    this.#isHeld = true;
    const wait = this.#wait();
    if (wait > 0) setTimeout(() => this.#goOn(), wait).unref();
    else setImmediate(() => this.#goOn());
  }

  #goOn(): void {
    const { brake, onError } = this.#parameters;
    if (!brake.isOpen) return;
    try {
      this.#go();
    } catch (error) {
      onError(error as Error);
      return;
    }
    if (this.#pieces.length > 0) return;
    this.#isHeld = false;
    brake.release();
  }
}
