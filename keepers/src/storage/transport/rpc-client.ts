import type { Connection, Libp2p, PeerId } from "@libp2p/interface";
import { peerIdFromString } from "@libp2p/peer-id";
import type { Multiaddr } from "@multiformats/multiaddr";
import { encodeHeader } from "./codec.ts";
import { parseEndpoint } from "./endpoint.ts";
import { MalformedMessageError, RefusalError, TransportError, WrongPeerError } from "./errors.ts";
import {
  checked,
  defaultSilence,
  type Methods,
  type Protocol,
  type RequestOf,
  type ResponseOf,
  responseHeader,
} from "./rpc.ts";
import { StreamIO, slowestRate } from "./stream-io.ts";

export type ClientOptions = {
  /** Streams, and so calls, under way at the same time; further calls wait. */
  streams?: number;
  /** How long the peer may be silent inside a message, in milliseconds. */
  silence?: number;
  /** How often a harmless call is made in all when the connection breaks or the keeper is busy. */
  attempts?: number;
  /** Pause before the second attempt, in milliseconds; it doubles each time. */
  backOff?: number;
  /** Is told each time that the peer is not reached where it should be, or does not answer. */
  onBroken?: () => void;
};

export type CallParameters = {
  body?: Uint8Array;
  signal?: AbortSignal;
  /** How long the answer may take to begin, when not what the method says. */
  timeout?: number;
};

/** An answer. Its body must be read to the end, or `discard` called, before the stream serves another call. */
export type Reply<R> = { result: R; bodyLength: number; body: AsyncIterable<Uint8Array>; discard(): void };

/** Streams that were idle for longer are not used again: the server may be about to close them. */
const staleAfter = 60_000;
/** Silences, beside the time for its bytes, that a body may take in all when it is asked for again where it broke off. */
const mostSilences = 4;
/** A body is written in pieces of this size, so that the answer is noticed between them. */
const pieceBytes = 64 * 1024;

/** Makes a protocol's calls to one peer, over streams that are kept and used again. */
export class RpcClient<M extends Methods> {
  readonly peer: string;
  readonly #host: Libp2p;
  readonly #protocol: Protocol<M>;
  readonly #addresses: Multiaddr[];
  readonly #peerId: PeerId;
  readonly #options: Required<ClientOptions>;
  readonly #idle: { io: StreamIO; since: number }[] = [];
  readonly #waiting: (() => void)[] = [];
  #connection: Promise<Connection> | undefined;
  #active = 0;
  #closed = false;

  private constructor(
    host: Libp2p,
    protocol: Protocol<M>,
    addresses: Multiaddr[],
    peer: PeerId,
    options: ClientOptions,
  ) {
    this.#host = host;
    this.#protocol = protocol;
    this.#addresses = addresses;
    this.#peerId = peer;
    this.peer = peer.toString();
    const defaults = { streams: 16, silence: defaultSilence, attempts: 3, backOff: 200, onBroken: () => {} };
    this.#options = { ...defaults, ...options };
  }

  /**
   * Connects to a keeper.
   * @param endpoint its multiaddr, or several separated by commas, of which one that this host can dial is used; they must
   * end in `/p2p/<peer id>` unless `peer` is given
   * @param peer the peer id that the operator registered; a keeper that cannot prove it is not spoken to
   * @throws WrongPeerError, TransportError
   */
  static async connect<M extends Methods>(
    host: Libp2p,
    protocol: Protocol<M>,
    endpoint: string,
    { peer, signal, ...options }: ClientOptions & { peer?: string; signal?: AbortSignal } = {},
  ): Promise<RpcClient<M>> {
    const parsed = parseAddresses(endpoint, peer);
    const client = new RpcClient(host, protocol, parsed.addresses, parsed.peer, options);
    await client.#connect(signal);
    return client;
  }

  /**
   * Makes one call, without any repetition.
   * @throws RefusalError when the keeper says no, TransportError, MalformedMessageError, WrongPeerError
   */
  async call<Name extends keyof M & string>(
    name: Name,
    params: RequestOf<M[Name]>,
    { body, signal, timeout }: CallParameters = {},
  ): Promise<Reply<ResponseOf<M[Name]>>> {
    const method = this.#protocol.methods[name]!;
    const { silence } = this.#options;
    await this.#enter(signal);
    let stream: StreamIO | undefined;
    let reusable = false;
    let lent = false;
    try {
      stream = await this.#open(signal);
      await stream.write(encodeHeader({ method: name, params, body: body?.length ?? 0 }), silence, signal);
      const patience = (timeout ?? method.timeout) + (body?.length ?? 0) / slowestRate;
      const answering = stream.readHeader(patience, silence, signal);
      // It is awaited below; a failure that comes while the body is still being sent is met there.
      answering.catch(() => undefined);
      const sentAll = await this.#send(stream, body, answering, signal);
      const raw = await answering;
      if (raw === undefined) throw new TransportError("the keeper closed the stream without an answer");
      const header = checked(responseHeader, raw, "answer");
      if (!header.ok) {
        // After a refusal in mid-body the rest is not wanted, and the stream of no further use.
        reusable = sentAll;
        throw new RefusalError(header.code, header.message);
      }
      if (!sentAll) throw new MalformedMessageError("the answer came before the request was complete");
      if (header.body > method.responseBody) throw new MalformedMessageError(`${name}: too long a body`);
      const result = checked(method.response, header.result, name) as ResponseOf<M[Name]>;
      const reply = this.#reply(stream, result, header.body, signal);
      lent = true;
      return reply;
    } catch (error) {
      this.#tell(error);
      throw error;
    } finally {
      if (!lent) this.#leave(stream, reusable);
    }
  }

  /**
   * Makes a call whose answer fits into memory; one that does no harm is repeated when the connection breaks or the
   * keeper is busy.
   */
  async ask<Name extends keyof M & string>(
    name: Name,
    params: RequestOf<M[Name]>,
    parameters: CallParameters = {},
  ): Promise<{ result: ResponseOf<M[Name]>; body: Uint8Array }> {
    const attempt = async (): Promise<{ result: ResponseOf<M[Name]>; body: Uint8Array }> => {
      const reply = await this.call(name, params, parameters);
      const body = new Uint8Array(reply.bodyLength);
      let filled = 0;
      for await (const piece of reply.body) {
        body.set(piece, filled);
        filled += piece.length;
      }
      return { result: reply.result, body };
    };
    return this.#protocol.methods[name]!.idempotent ? this.retry(attempt, parameters.signal) : attempt();
  }

  /** Milliseconds that a body of so many bytes may take in all, however often it has to be asked for again. */
  patience(bytes: number): number {
    return bytes / slowestRate + mostSilences * this.#options.silence;
  }

  /** Runs an action again, after a pause that doubles, while it fails in a way that may pass. */
  async retry<T>(action: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await action();
      } catch (error) {
        if (attempt >= this.#options.attempts || this.#closed || !mayPass(error)) throw error;
        await pause(this.#options.backOff * 2 ** (attempt - 1), signal);
      }
    }
  }

  /** Closes the streams. The connection stays with the node, which others may be using. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#idle.splice(0).map(({ io }) => io.close()));
  }

  /** @returns whether the whole body was sent; false when the keeper answered before */
  async #send(
    io: StreamIO,
    body: Uint8Array | undefined,
    answering: Promise<unknown>,
    signal?: AbortSignal,
  ): Promise<boolean> {
    if (body === undefined) return true;
    let answered = false;
    const settle = (): void => {
      answered = true;
    };
    answering.then(settle, settle);
    for (let at = 0; at < body.length; at += pieceBytes) {
      const writing = io.write(body.subarray(at, at + pieceBytes), this.#options.silence, signal);
      await Promise.race([writing, answering.then(() => undefined)]);
      if (answered) {
        writing.catch(() => undefined);
        return at + pieceBytes >= body.length;
      }
      // A write that finds room resolves at once: let arriving answers be seen all the same.
      if ((at / pieceBytes) % 16 === 15) await new Promise((resolve) => setTimeout(resolve));
    }
    return true;
  }

  #reply<R>(io: StreamIO, result: R, length: number, signal: AbortSignal | undefined): Reply<R> {
    let left = length;
    let done = false;
    const finish = (reusable: boolean): void => {
      if (done) return;
      done = true;
      this.#leave(io, reusable);
    };
    const silence = this.#options.silence;
    const tell = (error: unknown): void => this.#tell(error);
    async function* read(): AsyncIterable<Uint8Array> {
      try {
        for await (const piece of io.readBody(left, silence, signal)) {
          left -= piece.length;
          if (left === 0) finish(true);
          yield piece;
        }
      } catch (error) {
        tell(error);
        throw error;
      } finally {
        finish(false);
      }
    }
    if (length === 0) finish(true);
    return { result, bodyLength: length, body: read(), discard: () => finish(false) };
  }

  #tell(error: unknown): void {
    if (error instanceof TransportError || error instanceof WrongPeerError) this.#options.onBroken();
  }

  async #connect(signal?: AbortSignal): Promise<Connection> {
    const known = await this.#connection?.catch(() => undefined);
    if (known?.status === "open") return known;
    this.#idle.splice(0);
    const dialling = this.#dial(signal);
    this.#connection = dialling;
    return dialling;
  }

  async #dial(signal: AbortSignal | undefined): Promise<Connection> {
    const where = this.#addresses.join(" or ");
    let connection: Connection;
    try {
      connection = await this.#host.dial(this.#addresses, signal === undefined ? {} : { signal });
    } catch (cause) {
      signal?.throwIfAborted();
      if (isWrongPeer(cause)) throw new WrongPeerError(this.peer, where, { cause });
      throw new TransportError(`cannot connect to ${where}`, { cause });
    }
    if (connection.remotePeer.equals(this.#peerId)) return connection;
    connection.abort(new TransportError("another peer was meant"));
    throw new WrongPeerError(this.peer, where);
  }

  async #open(signal: AbortSignal | undefined): Promise<StreamIO> {
    if (this.#closed) throw new TransportError("this client is closed");
    const connection = await this.#connect(signal);
    for (let kept = this.#idle.pop(); kept !== undefined; kept = this.#idle.pop()) {
      if (kept.io.isOpen && performance.now() - kept.since < staleAfter) return kept.io;
      kept.io.abort();
    }
    // With a signal of the caller's, libp2p sets no limit of its own, and a peer could leave it unanswered for ever.
    const limit = AbortSignal.timeout(this.#options.silence);
    try {
      return new StreamIO(
        await connection.newStream(this.#protocol.id, {
          signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
        }),
      );
    } catch (cause) {
      signal?.throwIfAborted();
      throw new TransportError("the keeper does not take another stream", { cause });
    }
  }

  async #enter(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    if (this.#active < this.#options.streams) {
      this.#active++;
      return;
    }
    // The place is handed over by the call that ends, so the count stays.
    await new Promise<void>((resolve, reject) => {
      const enter = (): void => {
        signal?.removeEventListener("abort", leave);
        resolve();
      };
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(enter), 1);
        reject(signal?.reason);
      };
      this.#waiting.push(enter);
      signal?.addEventListener("abort", leave, { once: true });
    });
  }

  #leave(io: StreamIO | undefined, reusable: boolean): void {
    if (io !== undefined) {
      if (reusable && io.isOpen && !this.#closed) this.#idle.push({ io, since: performance.now() });
      else io.abort();
    }
    const next = this.#waiting.shift();
    if (next === undefined) this.#active--;
    else next();
  }
}

function parseAddresses(
  endpoint: string,
  expected: string | undefined,
): { addresses: Multiaddr[]; peer: PeerId } {
  let addresses: Multiaddr[];
  let peer: PeerId | undefined;
  try {
    addresses = parseEndpoint(endpoint);
    const named = addresses.map(peerNamed);
    const id = expected ?? named.find((each) => each !== undefined);
    if (id !== undefined) {
      if (named.some((each) => each !== undefined && each !== id)) throw new WrongPeerError(id, endpoint);
      peer = peerIdFromString(id);
      addresses = addresses.map((each, i) =>
        named[i] === undefined ? each.encapsulate(`/p2p/${id}`) : each,
      );
    }
  } catch (cause) {
    if (cause instanceof WrongPeerError) throw cause;
    throw new TransportError(`${JSON.stringify(endpoint)} is not the address of a keeper`, { cause });
  }
  if (peer === undefined) throw new TransportError(`${endpoint} does not say which peer is meant`);
  return { addresses, peer };
}

function peerNamed(address: Multiaddr): string | undefined {
  return address.getComponents().findLast(({ name }) => name === "p2p")?.value;
}

/** The handshake failed because the other side proved another identity. Libp2p says so only in words. */
function isWrongPeer(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isWrongPeer);
  if (!(error instanceof Error)) return false;
  return (
    error.name === "UnexpectedPeerError" || /does not match expected remote identity/.test(error.message)
  );
}

function mayPass(error: unknown): boolean {
  if (error instanceof TransportError) return true;
  return error instanceof RefusalError && (error.code === "busy" || error.code === "rate-limited");
}

async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    signal?.addEventListener("abort", stop, { once: true });
  });
}
