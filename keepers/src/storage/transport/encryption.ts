import type { ConnectionEncrypter, MessageStream, StreamMessageEvent } from "@libp2p/interface";
import { noise } from "@libp2p/noise";
import { boundAnswers, boundNoMore } from "./answers.ts";
import { TransportError } from "./errors.ts";
import type { ConnectionRates, FrameRate, OwnRates } from "./frame-rate.ts";
import { Gatherer } from "./gatherer.ts";

/** Pieces that are not counted. */
const longPiece = 512;

/**
 * Takes a stream apart into the records of Noise: two bytes of length, then as many bytes. The library's own gathers the pieces of a
 * record in a list, of which 65,000 hold the thread up for seconds.
 */
export class RecordReader {
  readonly #pieces: FrameRate;
  readonly #record = new Gatherer();
  /** Bytes of the present record, once they are known. */
  #length = -1;
  #high = -1;
  /** Records that have begun. */
  #count = 0;

  constructor(pieces: FrameRate) {
    this.#pieces = pieces;
  }

  /** @throws TransportError where too many short pieces or records come */
  *decode(bytes: StreamMessageEvent["data"]): Generator<Uint8Array> {
    if (bytes instanceof Uint8Array) yield* this.#read(bytes);
    else for (const piece of bytes) yield* this.#read(piece);
  }

  *#read(piece: Uint8Array): Generator<Uint8Array> {
    const before = this.#count;
    let at = 0;
    while (at < piece.length) {
      if (this.#length < 0) {
        const byte = piece[at++]!;
        if (this.#high < 0) {
          this.#high = byte;
          continue;
        }
        this.#length = this.#high * 256 + byte;
        this.#high = -1;
        this.#count++;
        this.#pieces.take();
        if (this.#length === 0) this.#length = -1;
        continue;
      }
      const end = Math.min(piece.length, at + this.#length - this.#record.length);
      const part = piece.subarray(at, end);
      at = end;
      if (this.#record.length === 0 && part.length === this.#length) {
        this.#length = -1;
        yield part;
        continue;
      }
      this.#record.append(part, this.#length);
      if (this.#record.length < this.#length) continue;
      this.#length = -1;
      yield this.#record.take();
    }
    // A record that comes in a piece of its own counts once.
    if (piece.length < longPiece && this.#count === before) this.#pieces.take();
  }
}

/** Noise whose records are gathered without lists, and that knows what each connection may bring. */
export class BoundedNoise {
  readonly #own = new WeakMap<MessageStream, OwnRates>();
  readonly #rates: ConnectionRates;

  constructor(rates: ConnectionRates) {
    this.#rates = rates;
  }

  /** What a connection may bring that was encrypted here. */
  ratesOf(connection: MessageStream): OwnRates {
    const own = this.#own.get(connection);
    if (own === undefined) throw new TransportError("nobody knows whom a connection leads to");
    return own;
  }

  factory(): ReturnType<typeof noise> {
    const create = noise();
    return (components) => {
      const encrypter = create(components);
      for (const name of ["secureInbound", "secureOutbound"] as const) {
        const secure = encrypter[name].bind(encrypter) as ConnectionEncrypter[typeof name];
        const bounded: ConnectionEncrypter[typeof name] = async (connection, options) => {
          const secured = await secure(connection, options);
          const direction = name === "secureInbound" ? "inbound" : "outbound";
          const own = this.#rates.of(secured.remotePeer.toString(), direction);
          boundRecords(secured.connection, own.pieces);
          // What is sent on it from now on is counted there: first which muxer it is.
          boundNoMore(connection);
          boundAnswers(secured.connection);
          this.#own.set(secured.connection, own);
          return secured;
        };
        Object.assign(encrypter, { [name]: bounded });
      }
      return encrypter;
    };
  }
}

function boundRecords(stream: MessageStream, pieces: FrameRate): void {
  const { decoder: own } = stream as { decoder?: { buffer?: { subarray(): Uint8Array } } };
  if (own?.buffer === undefined) throw new TransportError("the records of a connection cannot be bounded");
  const decoder = new RecordReader(pieces);
  // What has come of a record by now is not whole.
  for (const _ of decoder.decode(own.buffer.subarray())) throw new TransportError("a record was left over");
  Object.assign(stream, { decoder });
}
