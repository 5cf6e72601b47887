import type { Stream } from "@libp2p/interface";
import { decodeHeader, decodePrefix, type MessageHeader, prefixBytes } from "./codec.ts";
import { MalformedMessageError, TransportError } from "./errors.ts";
import { listenTo } from "./listen.ts";
import { PieceCount } from "./piece-count.ts";
import { ReadQueue } from "./read-queue.ts";

/** Above this many bytes that are kept unread the peer's window is left to close; below a quarter it is opened again. */
const highWater = 1 << 18;
/** More than any window a peer may have been granted: pausing must never overflow. */
const readBufferLimit = 32 << 20;
/** Bytes that may wait for the peer's window while more is made. */
const unsentBytes = 1 << 16;
/** Bytes in a millisecond that a body must at least come in, averaged over the whole of it. */
export const slowestRate = 16;

/** Where unread bytes are counted, and what they cost. */
export type Meter = {
  /** @returns false when there is no room for them */
  take(bytes: number): boolean;
  give(bytes: number): void;
  /**
   * Charges the peer for pieces beyond those that so many bytes usually come in.
   * @returns false when it takes more than its share
   */
  charge(pieces: number): boolean;
};

/** Pieces that are charged for together. */
const chargedAtOnce = 16;

/** A stream of the muxer, whose window can be left to close while what still comes is handed on and counted. */
type WindowedStream = Stream & { sendPause?(): void; sendResume?(): void };

/** Exact reads and writes on a libp2p stream, with back-pressure both ways and a limit on silence. */
export class StreamIO {
  readonly #stream: WindowedStream;
  readonly #meter: Meter | undefined;
  readonly #gone = new AbortController();
  readonly #queue = new ReadQueue();
  readonly #pieces = new PieceCount();
  #excess = 0;
  /** What the meter has counted. */
  #metered = 0;
  #paused = false;
  #ended = false;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  /** @param meter counts what has come and is not read yet; without room there the stream is given up */
  constructor(stream: Stream, meter?: Meter) {
    this.#stream = stream;
    this.#meter = meter;
    stream.maxReadBufferLength = readBufferLimit;
    listenTo(stream, "message", ({ data }) => {
      if (!this.#gone.signal.aborted) this.#receive(data instanceof Uint8Array ? data : data.subarray());
    });
    listenTo(stream, "remoteCloseWrite", () => this.#end());
    listenTo(stream, "close", ({ error }) => this.#close(error ?? undefined));
    if (stream.status !== "open") this.#close();
  }

  /** What the peer broke the protocol with, where that is why the stream was given up. */
  get fault(): MalformedMessageError | undefined {
    return this.#error instanceof MalformedMessageError ? this.#error : undefined;
  }

  /** Fires when the stream is over for good: the peer reset it, or its connection broke. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  get isOpen(): boolean {
    return this.#stream.status === "open" && !this.#ended;
  }

  /**
   * The next header.
   * @param patience how long to wait for its first byte, in milliseconds; the rest must follow within `silence`
   * @returns undefined when the peer closed the stream between messages
   * @throws MalformedMessageError, TransportError
   */
  async readHeader(
    patience: number,
    silence: number,
    signal?: AbortSignal,
  ): Promise<MessageHeader | undefined> {
    this.#pieces.reset();
    if (!(await this.#wait(patience, signal))) return undefined;
    const until = performance.now() + silence;
    const length = decodePrefix(await this.#readExactly(prefixBytes, until, signal));
    return decodeHeader(await this.#readExactly(length, until, signal));
  }

  /** A body of `length` bytes, piece by piece as it arrives. @throws TransportError when it is cut off or too slow */
  async *readBody(length: number, silence: number, signal?: AbortSignal): AsyncIterable<Uint8Array> {
    const until = performance.now() + silence + length / slowestRate;
    for (let left = length; left > 0; ) {
      const chunk = await this.#take(left, Math.min(silence, until - performance.now()), signal);
      left -= chunk.length;
      yield chunk;
    }
  }

  /** Sends bytes, and where the peer's window is full waits until nearly all of them have gone. @throws TransportError */
  async write(bytes: Uint8Array, silence: number, signal?: AbortSignal): Promise<void> {
    try {
      if (this.#stream.send(bytes)) return;
      await this.#sent(bytes.length, silence, signal);
    } catch (cause) {
      signal?.throwIfAborted();
      throw new TransportError("the peer does not take any more bytes", { cause });
    }
  }

  /**
   * Waits until little is left to be sent, as long as something goes. The library waits for the first room in a window and, after
   * that, never again: it would keep all that a peer asks for and does not read, and nobody would have counted it.
   */
  async #sent(length: number, silence: number, signal: AbortSignal | undefined): Promise<void> {
    // What is left of a long piece holds on to all of it.
    const most = length > unsentBytes ? 0 : unsentBytes;
    if (this.#stream.writeBufferLength <= most) return;
    signal?.throwIfAborted();
    const until = performance.now() + silence + length / slowestRate;
    await new Promise<void>((resolve, reject) => {
      const stream = this.#stream;
      const end = (): void => {
        clearTimeout(timer);
        for (const stop of listening) stop();
        for (const each of [this.gone, signal]) each?.removeEventListener("abort", onAbort);
      };
      const fail = (reason: unknown): void => {
        end();
        reject(reason);
      };
      const onAbort = (): void => fail(signal?.aborted === true ? signal.reason : this.gone.reason);
      const onSilence = (): void => fail(new TransportError("the peer reads nothing, or too slowly"));
      const timer = setTimeout(onSilence, silence);
      const look = (): void => {
        if (stream.writeBufferLength > most) {
          if (performance.now() > until) onSilence();
          else timer.refresh();
          return;
        }
        end();
        resolve();
      };
      // What there is room for goes in a microtask of its own.
      const onRoom = (): void => queueMicrotask(look);
      const listening = [listenTo(stream, "drain", onRoom), listenTo(stream, "idle", look)];
      for (const each of [this.gone, signal]) each?.addEventListener("abort", onAbort);
      if (this.gone.aborted) onAbort();
    });
    // What a stream still had goes with it, which is no sending.
    if (this.#stream.status === "aborted" || this.#stream.status === "reset") {
      throw new TransportError("the stream is over");
    }
  }

  /** Says that nothing more will be sent, and reads nothing more. */
  async close(): Promise<void> {
    await this.#stream.close({ signal: AbortSignal.timeout(1000) }).catch(() => this.abort());
    this.#drop();
  }

  /** Gives the stream up at once; the peer sees a reset. */
  abort(reason: Error = new TransportError("the stream was given up")): void {
    this.#stream.abort(reason);
    this.#close(reason);
    this.#drop();
  }

  async #readExactly(length: number, until: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    let filled = 0;
    while (filled < length) {
      const chunk = await this.#take(length - filled, until - performance.now(), signal);
      bytes.set(chunk, filled);
      filled += chunk.length;
    }
    return bytes;
  }

  #end(error?: Error): void {
    this.#ended = true;
    this.#error ??= error;
    this.#wake?.();
  }

  #close(error?: Error): void {
    this.#end(error);
    this.#gone.abort(new TransportError("the peer went away", { cause: error }));
  }

  /** What came before the end can be read until the stream is given up. */
  #drop(): void {
    this.#queue.clear();
    this.#measure();
  }

  #receive(piece: Uint8Array): void {
    if (this.#pieces.add(piece.length) === "tiny") {
      this.abort(new MalformedMessageError("its bytes come in too short pieces"));
      return;
    }
    this.#excess += this.#pieces.takeExcess();
    if (this.#excess >= chargedAtOnce) {
      const isPaid = this.#meter?.charge(this.#excess) ?? true;
      this.#excess = 0;
      if (!isPaid) {
        this.abort(new TransportError("this peer takes too much of the thread"));
        return;
      }
    }
    this.#queue.push(piece);
    if (!this.#measure()) {
      this.abort(new TransportError("too many bytes of peers wait to be read"));
      return;
    }
    if (this.#queue.held > highWater && !this.#paused) {
      this.#paused = true;
      this.#pause();
    }
    this.#wake?.();
  }

  /** Tells the meter what is kept now. @returns false when there is no room for it */
  #measure(): boolean {
    const more = this.#queue.held - this.#metered;
    if (more > 0 && this.#meter?.take(more) === false) return false;
    if (more < 0) this.#meter?.give(-more);
    this.#metered += more;
    return true;
  }

  /**
   * Lets the peer's window close. A stream that is paused as a whole would keep what comes until then in a list of its own, of
   * which nothing is counted.
   */
  #pause(): void {
    if (this.#stream.sendPause === undefined) this.#stream.pause();
    else this.#stream.sendPause();
  }

  #resume(): void {
    if (this.#stream.sendPause === undefined) {
      if (this.#stream.readStatus === "paused") this.#stream.resume();
    } else if (this.#stream.status === "open") this.#stream.sendResume?.();
  }

  async #take(most: number, patience: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
    if (!(await this.#wait(patience, signal))) throw new TransportError("the message was cut off");
    const chunk = this.#queue.take(most);
    this.#measure();
    if (this.#paused && this.#queue.held < highWater / 4) {
      this.#paused = false;
      this.#resume();
    }
    return chunk;
  }

  /** @returns true when bytes can be read, false when none will come any more */
  async #wait(patience: number, signal: AbortSignal | undefined): Promise<boolean> {
    signal?.throwIfAborted();
    while (this.#queue.isEmpty) {
      if (this.#error instanceof MalformedMessageError) throw this.#error;
      if (this.#error !== undefined) {
        throw new TransportError("the connection broke", { cause: this.#error });
      }
      if (this.#ended) return false;
      let timer: ReturnType<typeof setTimeout> | undefined;
      let onAbort: (() => void) | undefined;
      try {
        await new Promise<void>((resolve, reject) => {
          this.#wake = resolve;
          timer = setTimeout(
            () => reject(new TransportError("the peer was silent or slow for too long")),
            Math.max(0, patience),
          );
          onAbort = () => reject(signal?.reason);
          signal?.addEventListener("abort", onAbort, { once: true });
        });
      } finally {
        this.#wake = undefined;
        clearTimeout(timer);
        if (onAbort !== undefined) signal?.removeEventListener("abort", onAbort);
      }
    }
    return true;
  }
}
