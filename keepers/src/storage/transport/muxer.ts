import type { MessageStream, StreamMessageEvent } from "@libp2p/interface";
import { type YamuxMuxerInit, yamux } from "@libp2p/yamux";
import { boundAnswers, boundNoMore } from "./answers.ts";
import type { Bounds } from "./encryption.ts";
import { TransportError } from "./errors.ts";
import type { FrameRate, OwnRates } from "./frame-rate.ts";
import { Gatherer, withoutRest } from "./gatherer.ts";
import { listenTo } from "./listen.ts";
import { Turns, type TurnsParameters } from "./turns.ts";

/** A frame: version, type, flags, stream and length (yamux, specification). */
const headerBytes = 12;
const types = { data: 0 } as const;
const flags = { syn: 1, ack: 2, fin: 4, rst: 8 } as const;
/** Bytes in which an unfinished frame of data is handed on. */
const partBytes = 1 << 14;
/** Pieces that are not counted. */
const longPiece = 512;
/** Frames of a stream's data that are not counted: their bytes take longer than they do. */
const longFrame = 4096;

/** Frames that are taken while nothing is read that is sent: an answer takes some 300 bytes until then. */
const mostUnread = 1024;

type Bytes = StreamMessageEvent["data"];
type Receive = (bytes: Bytes) => void;

export type FrameGuardParameters = {
  /** Bytes of a frame of data. */
  readonly mostBytes: number;
  /** Of frames, and of streams that are opened. */
  readonly rates: Pick<OwnRates, "frames" | "streams">;
  /** Is handed frames that are whole. */
  readonly receive: Receive;
  readonly hasStream: (id: number) => boolean;
  /** Whether what was sent has to be read before more is. */
  readonly isFull: () => boolean;
} & Pick<TurnsParameters, "brake" | "onError">;

/**
 * Takes what a connection brings apart into frames before the muxer sees it. The muxer gathers a frame of any length until it is
 * whole, 4 GiB as well, in a list of all its pieces; here a frame of data is handed on in parts, and one that is longer than a
 * stream's window ends the connection. Frames, short pieces and streams that come too often do, too, or a stranger has to wait.
 */
export class FrameGuard {
  readonly #mostBytes: number;
  readonly #hasStream: (id: number) => boolean;
  readonly #isFull: () => boolean;
  /** Frames that were counted since something that was sent was read last. */
  #unread = 0;
  readonly #receive: Receive;
  readonly #frames: FrameRate;
  readonly #streams: FrameRate;
  readonly #turns: Turns;
  readonly #header = new Uint8Array(headerBytes);
  readonly #view = new DataView(this.#header.buffer);
  #headerLength = 0;
  /** Whether a frame has begun in the present piece. */
  #hasBegun = false;
  /** Bytes of the present frame that are still to come. */
  #left = 0;
  #isFirst = true;
  readonly #part = new Gatherer();

  constructor(parameters: FrameGuardParameters) {
    const { mostBytes, rates, receive, hasStream, isFull, brake, onError } = parameters;
    this.#mostBytes = mostBytes;
    this.#isFull = isFull;
    this.#hasStream = hasStream;
    this.#frames = rates.frames;
    this.#streams = rates.streams;
    this.#receive = receive;
    this.#turns = new Turns({
      step: (piece, at) => (this.#left > 0 ? this.#body(piece, at) : this.#head(piece, at)),
      onPiece: ({ length }) => {
        // A frame that comes in a piece of its own counts once.
        if (length < longPiece && !this.#hasBegun) this.#turns.count(this.#frames.take());
        this.#hasBegun = false;
      },
      onError,
      brake,
    });
  }

  /** @throws TransportError where a frame is too long, or too many come */
  add(bytes: Bytes): void {
    this.#turns.add(bytes);
  }

  /** Something that was sent was read. */
  drained(): void {
    this.#unread = 0;
  }

  /** Counts frames, most of which are answered. @throws TransportError where the peer reads no answers */
  #count(frames: number): void {
    this.#turns.count(this.#frames.take(frames));
    this.#unread++;
    if (this.#unread > mostUnread && this.#isFull()) throw new TransportError("what is answered is not read");
  }

  /** @returns where what comes after it begins */
  #head(piece: Uint8Array, at: number): number {
    const end = Math.min(piece.length, at + headerBytes - this.#headerLength);
    this.#header.set(piece.subarray(at, end), this.#headerLength);
    this.#headerLength += end - at;
    if (this.#headerLength < headerBytes) return end;
    this.#headerLength = 0;
    this.#hasBegun = true;
    const length = this.#header[1] === types.data ? this.#view.getUint32(8) : 0;
    // What comes for no stream has no window, so that nobody has to read it before more of it comes.
    const isAwaited = length >= longFrame && this.#hasStream(this.#view.getUint32(4));
    if (!isAwaited) this.#count(Math.max(1, Math.floor(length / partBytes)));
    // A ping has no stream.
    const opensStream = this.#view.getUint32(4) !== 0 && (this.#view.getUint16(2) & flags.syn) !== 0;
    if (opensStream) this.#turns.count(this.#streams.take());
    if (length > this.#mostBytes) {
      throw new TransportError(`a frame of ${length} bytes; a stream's window has ${this.#mostBytes}`);
    }
    if (length === 0) this.#receive(this.#header.slice());
    this.#left = length;
    this.#isFirst = true;
    return end;
  }

  #body(piece: Uint8Array, at: number): number {
    const end = Math.min(piece.length, at + this.#left);
    const bytes = piece.subarray(at, end);
    this.#left -= bytes.length;
    const isWhole = this.#part.length === 0 && (bytes.length >= partBytes || this.#left === 0);
    if (isWhole) {
      this.#handOn(bytes);
      return end;
    }
    this.#part.append(bytes, this.#part.length + bytes.length + this.#left);
    if (this.#part.length >= partBytes || this.#left === 0) this.#handOn(this.#part.take());
    return end;
  }

  /** Hands on a part of the present frame as one of its own: it opens the stream if it is the first, and closes it if the last. */
  #handOn(bytes: Uint8Array): void {
    const header = this.#header.slice();
    const view = new DataView(header.buffer);
    const opening = this.#isFirst ? flags.syn | flags.ack : 0;
    const closing = this.#left === 0 ? flags.fin | flags.rst : 0;
    view.setUint16(2, view.getUint16(2) & (opening | closing));
    view.setUint32(8, bytes.length);
    this.#isFirst = false;
    this.#receive(header);
    // The library keeps what nobody reads yet, and would keep the whole record that a short part came in.
    this.#receive(withoutRest(bytes));
  }
}

/**
 * Yamux whose frames are bounded before it gathers them.
 *
 * @param boundsOf what an encrypted connection may bring
 */
export function boundedYamux(
  init: YamuxMuxerInit & { readonly streamOptions: { readonly maxStreamWindowSize: number } },
  boundsOf: (connection: MessageStream) => Bounds,
): ReturnType<typeof yamux> {
  const create = yamux(init);
  return () => {
    const factory = create();
    const createStreamMuxer = factory.createStreamMuxer.bind(factory);
    factory.createStreamMuxer = (connection) => {
      boundNoMore(connection);
      const muxer = createStreamMuxer(connection);
      const receive = muxer.onData.bind(muxer);
      const { brake, ...rates } = boundsOf(connection);
      const guard = new FrameGuard({
        ...{ mostBytes: init.streamOptions.maxStreamWindowSize, rates, receive, brake },
        hasStream: (id) => muxer.streams.some(({ streamId }) => streamId === id),
        isFull: () => connection.writableNeedsDrain,
        onError: (error) => {
          muxer.abort(error);
          connection.abort(error);
        },
      });
      muxer.onData = (bytes: Bytes) => guard.add(bytes);
      listenTo(connection, "drain", () => guard.drained());
      const open = muxer.onRemoteStream.bind(muxer);
      muxer.onRemoteStream = (stream) => {
        boundAnswers(stream, () => stream.protocol !== "");
        open(stream);
      };
      return muxer;
    };
    return factory;
  };
}
