import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import { findCause, RpcBusyError } from "../../chain/rpc/errors.ts";
import { type ByteBudget, budgetOf, Holding } from "./byte-budget.ts";
import { encodeHeader } from "./codec.ts";
import { MalformedMessageError, RefusalError, TransportError } from "./errors.ts";
import { PeerLimits, type PeerLimitsParameters, shareOfStrangers } from "./peer-limits.ts";
import {
  checked,
  defaultIdle,
  defaultSilence,
  type Method,
  type Methods,
  type Protocol,
  type RequestOf,
  type ResponseOf,
  requestHeader,
} from "./rpc.ts";
import { StreamIO } from "./stream-io.ts";

/** What a handler is told beside the request. */
export type RequestContext = {
  /** The peer that asks, proven by the connection's handshake. */
  peer: string;
  /** Fires when the peer goes away or the server stops. */
  signal: AbortSignal;
  /**
   * Counts bytes that the handler keeps in memory for this request, until it is answered.
   * @throws RefusalError "busy" when peers hold too many already
   */
  hold(bytes: number): void;
  /** The request's body; it may be left unread. */
  body: AsyncIterable<Uint8Array>;
  bodyLength: number;
};

/** A handler's answer. A body that turns out longer or shorter than `length` resets the stream. */
export type Answer<R> = {
  result: R;
  body?: { length: number; bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array> };
};

export type Handlers<M extends Methods> = {
  [Name in keyof M]: (
    request: RequestOf<M[Name]>,
    context: RequestContext,
  ) => Promise<Answer<ResponseOf<M[Name]>>>;
};

export type ServerOptions = PeerLimitsParameters & {
  /** How long a peer may be silent inside a message, in milliseconds. */
  silence?: number;
  /** How long a stream may stay without a request, in milliseconds. */
  idle?: number;
  /** Streams a peer may have open, over all its connections. */
  streamsPerPeer?: number;
  /** Streams of all peers. */
  streams?: number;
  /** Hears of failures of handlers, which peers only see as "internal". */
  onError?: (error: unknown, peer: string, method: string) => void;
};

const defaultStreamsPerPeer = 64;
const defaultStreams = 4096;
/** What an open stream takes beside the bytes that lie in it: buffers of the muxer, timers, closures. */
const streamBytes = 16 * 1024;
/** What a piece of a body takes of the thread beyond the usual ones, in tenths of a millisecond. */
const pieceCost = 0.2;

/** What a server has to do with at the moment, and what it has turned away since the start. */
export type ServerStats = {
  readonly streams: number;
  /** Requests under way. */
  readonly requests: number;
  readonly refused: Readonly<Record<"streams" | "requests" | "malformed", number>>;
};

/** Answers a protocol's requests on a libp2p node. */
export class RpcServer<M extends Methods> {
  readonly #host: Libp2p;
  readonly #protocol: Protocol<M>;
  readonly #handlers: Handlers<M>;
  readonly #options: ServerOptions;
  readonly #limits: PeerLimits;
  readonly #stopping = new AbortController();
  readonly #streams = new Set<Promise<void>>();
  readonly #streamsOf = new Map<string, number>();
  #streamsOfStrangers = 0;
  readonly #budget: ByteBudget;
  readonly #refused = { streams: 0, requests: 0, malformed: 0 };
  #requests = 0;

  private constructor(host: Libp2p, protocol: Protocol<M>, handlers: Handlers<M>, options: ServerOptions) {
    this.#host = host;
    this.#protocol = protocol;
    this.#handlers = handlers;
    this.#options = options;
    this.#limits = new PeerLimits(options);
    this.#budget = budgetOf(host);
  }

  static async start<M extends Methods>(
    host: Libp2p,
    protocol: Protocol<M>,
    handlers: Handlers<M>,
    options: ServerOptions = {},
  ): Promise<RpcServer<M>> {
    const server = new RpcServer(host, protocol, handlers, options);
    await host.handle(protocol.id, (stream, connection) => server.#accept(stream, connection), {
      maxInboundStreams: options.streamsPerPeer ?? defaultStreamsPerPeer,
    });
    return server;
  }

  get stats(): ServerStats {
    return { streams: this.#streams.size, requests: this.#requests, refused: { ...this.#refused } };
  }

  /** Takes no more requests and gives up those under way. */
  async stop(): Promise<void> {
    await this.#host.unhandle(this.#protocol.id);
    this.#stopping.abort(new TransportError("the keeper is shutting down"));
    await Promise.all(this.#streams);
  }

  #accept(stream: Stream, connection: Connection): void {
    const peer = connection.remotePeer.toString();
    if (this.#limits.isShutOut(peer)) {
      connection.abort(new TransportError("this peer is shut out"));
      return;
    }
    const isStranger = this.#options.isRegistered?.(peer) === false;
    if (!this.#admits(peer, isStranger)) {
      this.#refused.streams++;
      stream.abort(new TransportError("this peer has too many streams"));
      return;
    }
    const io = new StreamIO(stream, {
      take: (bytes) => this.#budget.take(peer, bytes),
      give: (bytes) => this.#budget.give(peer, bytes),
      charge: (pieces) => this.#limits.charge(peer, pieces * pieceCost),
    });
    const serving = this.#serve(io, peer)
      .catch((thrown: unknown) => {
        io.abort(thrown instanceof Error ? thrown : new TransportError(String(thrown)));
        // A handler that was not reading only heard that the peer is gone.
        const error = io.fault ?? thrown;
        if (!(error instanceof MalformedMessageError)) return;
        this.#refused.malformed++;
        if (!this.#limits.fault(peer)) return;
        for (const open of this.#host.getConnections(connection.remotePeer)) open.abort(error);
      })
      .finally(() => {
        this.#streams.delete(serving);
        this.#leave(peer, isStranger);
      });
    this.#streams.add(serving);
  }

  /** By peer, not by connection: a peer may open as many connections as it likes. */
  #admits(peer: string, isStranger: boolean): boolean {
    const { streams = defaultStreams, streamsPerPeer = defaultStreamsPerPeer } = this.#options;
    const open = this.#streamsOf.get(peer) ?? 0;
    if (open >= streamsPerPeer || this.#streams.size >= streams) return false;
    if (isStranger && this.#streamsOfStrangers >= streams * shareOfStrangers) return false;
    if (!this.#budget.take(peer, streamBytes)) return false;
    this.#streamsOf.set(peer, open + 1);
    if (isStranger) this.#streamsOfStrangers++;
    return true;
  }

  #leave(peer: string, isStranger: boolean): void {
    if (isStranger) this.#streamsOfStrangers--;
    this.#budget.give(peer, streamBytes);
    const open = this.#streamsOf.get(peer)! - 1;
    if (open > 0) this.#streamsOf.set(peer, open);
    else this.#streamsOf.delete(peer);
  }

  /** Answers the requests of one stream, one after the other. */
  async #serve(io: StreamIO, peer: string): Promise<void> {
    const { silence = defaultSilence, idle = defaultIdle } = this.#options;
    const signal = AbortSignal.any([this.#stopping.signal, io.gone]);
    for (;;) {
      const raw = await io.readHeader(idle, silence, signal);
      if (raw === undefined) return io.close();
      const header = checked(requestHeader, raw, "request");
      const method = Object.hasOwn(this.#protocol.methods, header.method)
        ? this.#protocol.methods[header.method]
        : undefined;
      if (method === undefined)
        throw new MalformedMessageError(`there is no method ${JSON.stringify(header.method)}`);
      if (header.body > method.requestBody) {
        throw new MalformedMessageError(
          `${header.method} takes a body of at most ${method.requestBody} bytes`,
        );
      }
      const request = checked(method.request, header.params, header.method);
      const body = io.readBody(header.body, silence, signal)[Symbol.asyncIterator]();
      const verdict = this.#limits.begin(peer, costOf(method, request, header.body));
      if (verdict !== "ok") {
        this.#refused.requests++;
        await this.#refuse(io, new RefusalError(verdict, "this peer asks for too much at once"));
      } else {
        const holding = new Holding(this.#budget, peer);
        this.#requests++;
        try {
          await this.#answer(io, header.method, method, request, {
            peer,
            signal,
            hold: (bytes) => holding.take(bytes),
            bodyLength: header.body,
            body: once(body),
          });
        } finally {
          this.#requests--;
          holding.release();
          this.#limits.end(peer);
        }
      }
      // What the handler did not read must pass before the next request can be seen.
      while (!(await body.next()).done);
    }
  }

  async #answer(
    io: StreamIO,
    name: string,
    method: Method,
    request: unknown,
    context: RequestContext,
  ): Promise<void> {
    const silence = this.#options.silence ?? defaultSilence;
    let answer: Answer<unknown>;
    let pieces: AsyncIterator<Uint8Array> | Iterator<Uint8Array> | undefined;
    let piece: IteratorResult<Uint8Array> | undefined;
    try {
      answer = await this.#handlers[name as keyof M](request as RequestOf<M[keyof M]>, context);
      const bytes = answer.body?.bytes;
      pieces =
        bytes === undefined
          ? undefined
          : Symbol.asyncIterator in bytes
            ? bytes[Symbol.asyncIterator]()
            : bytes[Symbol.iterator]();
      // The first piece before the header: what fails at once can still be said in words.
      piece = await pieces?.next();
    } catch (error) {
      if (error instanceof MalformedMessageError || error instanceof TransportError) throw error;
      const refusal = refusalOf(error);
      if (refusal === undefined) this.#options.onError?.(error, context.peer, name);
      await this.#refuse(io, refusal ?? new RefusalError("internal", "the keeper failed"));
      return;
    }
    const length = answer.body?.length ?? 0;
    if (length > method.responseBody) throw new TransportError(`${name} answered with too long a body`);
    try {
      await io.write(
        encodeHeader({ ok: true, result: answer.result ?? {}, body: length }),
        silence,
        context.signal,
      );
      let left = length;
      while (piece !== undefined && piece.done !== true) {
        left -= piece.value.length;
        if (left < 0) break;
        await io.write(piece.value, silence, context.signal);
        piece = await pieces?.next();
      }
      if (left !== 0) throw new TransportError(`${name} announced another length than it has`);
    } catch (error) {
      if (!(error instanceof TransportError)) this.#options.onError?.(error, context.peer, name);
      // Too late for words: the reset tells the peer that the body is not complete.
      throw error instanceof MalformedMessageError
        ? new TransportError(error.message, { cause: error })
        : error;
    } finally {
      await pieces?.return?.();
    }
  }

  async #refuse(io: StreamIO, { code, message }: RefusalError): Promise<void> {
    const header = encodeHeader({ ok: false, code, message: message.slice(0, 1024), body: 0 });
    await io.write(header, this.#options.silence ?? defaultSilence, this.#stopping.signal);
  }
}

/** What a handler's failure is to the peer that asked; undefined when it is none of its business. */
function refusalOf(error: unknown): RefusalError | undefined {
  if (error instanceof RefusalError) return error;
  const busy = findCause(error, RpcBusyError);
  return busy && new RefusalError("busy", busy.message, { cause: error });
}

/** `request` has been checked against the method's form, of which the types know nothing here. */
function costOf({ cost }: Method, request: unknown, bodyLength: number): number {
  return typeof cost === "number" ? cost : cost(request as never, bodyLength);
}

/** An iterable over an iterator that stays usable when the loop over it ends early. */
function once(iterator: AsyncIterator<Uint8Array>): AsyncIterable<Uint8Array> {
  return { [Symbol.asyncIterator]: () => ({ next: () => iterator.next() }) };
}
