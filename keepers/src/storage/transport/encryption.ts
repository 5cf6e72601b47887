import type {
  ConnectionEncrypter,
  MessageStream,
  MultiaddrConnection,
  StreamMessageEvent,
} from "@libp2p/interface";
import { noise } from "@libp2p/noise";
import { boundAnswers, boundNoMore } from "./answers.ts";
import { TransportError } from "./errors.ts";
import type { ConnectionRates, FrameRate, OwnRates } from "./frame-rate.ts";
import { netOf } from "./gater.ts";
import { Gatherer } from "./gatherer.ts";
import { Brake, Turns, type TurnsParameters } from "./turns.ts";

/** Pieces that are not counted. */
const longPiece = 512;
/** Records that are not counted: their bytes take longer than they do. */
const longRecord = 4096;

export type RecordReaderParameters = {
  /** Short pieces and records. */
  readonly pieces: FrameRate;
  /** Is handed records that are whole. */
  readonly receive: (record: Uint8Array) => void;
} & Pick<TurnsParameters, "brake" | "onError">;

/**
 * Takes a stream apart into the records of Noise: two bytes of length, then as many bytes. The library's own gathers the pieces of a
 * record in a list, of which 65,000 hold the thread up for seconds.
 */
export class RecordReader {
  readonly #pieces: FrameRate;
  readonly #receive: (record: Uint8Array) => void;
  readonly #turns: Turns;
  readonly #record = new Gatherer();
  /** Bytes of the present record, once they are known. */
  #length = -1;
  #high = -1;
  /** Whether a record has begun in the present piece. */
  #hasBegun = false;

  constructor({ pieces, receive, brake, onError }: RecordReaderParameters) {
    this.#pieces = pieces;
    this.#receive = receive;
    this.#turns = new Turns({
      step: (piece, at) => this.#step(piece, at),
      onPiece: ({ length }) => {
        // A record that comes in a piece of its own counts once.
        if (length < longPiece && !this.#hasBegun) this.#count();
        this.#hasBegun = false;
      },
      onError,
      brake,
    });
  }

  /** @throws TransportError where too many short pieces or records come */
  add(bytes: StreamMessageEvent["data"]): void {
    this.#turns.add(bytes);
  }

  #count(): void {
    this.#turns.count(this.#pieces.take());
  }

  #step(piece: Uint8Array, at: number): number {
    if (this.#length < 0) {
      const byte = piece[at]!;
      if (this.#high < 0) {
        this.#high = byte;
        return at + 1;
      }
      this.#length = this.#high * 256 + byte;
      this.#high = -1;
      this.#hasBegun = true;
      if (this.#length < longRecord) this.#count();
      if (this.#length === 0) this.#length = -1;
      return at + 1;
    }
    const end = Math.min(piece.length, at + this.#length - this.#record.length);
    const part = piece.subarray(at, end);
    if (this.#record.length === 0 && part.length === this.#length) {
      this.#length = -1;
      this.#receive(part);
      return end;
    }
    this.#record.append(part, this.#length);
    if (this.#record.length < this.#length) return end;
    this.#length = -1;
    this.#receive(this.#record.take());
    return end;
  }
}

/** What a connection may bring, and what keeps it from being read meanwhile. */
export type Bounds = OwnRates & { readonly brake: Brake };

/** Noise whose records are gathered without lists, and that knows what each connection may bring. */
export class BoundedNoise {
  readonly #own = new WeakMap<MessageStream, Bounds>();
  readonly #rates: ConnectionRates;

  constructor(rates: ConnectionRates) {
    this.#rates = rates;
  }

  /** What a connection may bring that was encrypted here. */
  boundsOf(connection: MessageStream): Bounds {
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
          // It is what the transport has accepted or dialled, which knows where that leads.
          const { remoteAddr } = connection as MultiaddrConnection;
          const own = {
            ...this.#rates.of(secured.remotePeer.toString(), direction, netOf(remoteAddr)),
            brake: new Brake(connection),
          };
          boundRecords(secured.connection, own);
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

/** The parts of an encrypted stream of the library that take records apart. */
type Decrypting = MessageStream & {
  decoder?: { buffer?: { subarray(): Uint8Array } };
  decrypt(record: Uint8Array): StreamMessageEvent["data"];
  onData(bytes: StreamMessageEvent["data"]): void;
};

function boundRecords(stream: MessageStream, { pieces, brake }: Bounds): void {
  const decrypting = stream as Decrypting;
  const left = decrypting.decoder?.buffer;
  if (left === undefined) throw new TransportError("the records of a connection cannot be bounded");
  const reader = new RecordReader({
    pieces,
    brake,
    receive: (record) => decrypting.onData(decrypting.decrypt(record)),
    onError: (error) => stream.abort(error),
  });
  reader.add(left.subarray());
  // The library hands on what is decoded before it returns; here that may be later.
  const decode = (bytes: StreamMessageEvent["data"]): readonly Uint8Array[] => {
    reader.add(bytes);
    return [];
  };
  Object.assign(stream, { decoder: { decode } });
}
