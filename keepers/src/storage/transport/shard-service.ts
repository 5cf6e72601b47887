import type { Libp2p } from "@libp2p/interface";
import { BadRangeError, BlobNotFoundError, StorageFullError } from "../backends/errors.ts";
import { RefusalError } from "./errors.ts";
import type { RequestOf, ResponseOf } from "./rpc.ts";
import { type Handlers, RpcServer, type ServerOptions, type ServerStats } from "./rpc-server.ts";
import { cellBytes, proofBytes, type ShardMethods, shardProtocol } from "./shard-protocol.ts";

export type OfferRequest = RequestOf<ShardMethods["offer"]>;
export type OfferResponse = ResponseOf<ShardMethods["offer"]>;
export type ManifestRequest = RequestOf<ShardMethods["manifest"]>;
export type StatusRequest = RequestOf<ShardMethods["status"]>;
export type StatusResponse = ResponseOf<ShardMethods["status"]>;
export type PutRequest = RequestOf<ShardMethods["put"]>;
export type PutResponse = ResponseOf<ShardMethods["put"]>;
export type CommitRequest = RequestOf<ShardMethods["commit"]>;
export type CommitResponse = ResponseOf<ShardMethods["commit"]>;
export type GetRequest = RequestOf<ShardMethods["get"]>;
export type CellsRequest = RequestOf<ShardMethods["cells"]>;
export type ProveRequest = RequestOf<ShardMethods["prove"]>;

/** One cell and the siblings on its way up to the transport root. */
export type ProvenCell = { index: number; cell: Uint8Array; siblings: Uint8Array[] };

/** A possession proof in its 128-byte form and the evaluation it is about. */
export type PossessionAnswer = { proof: Uint8Array; evaluation: bigint };

export type Caller = {
  /** The asking peer's id, proven by its handshake. */
  peer: string;
  /** Fires when the peer goes away or the keeper stops. */
  signal: AbortSignal;
};

/**
 * What a storage node does when it is asked. Requests have been checked for form and size, not for sense. A method
 * says no by throwing {@link RefusalError}; BlobNotFoundError, BadRangeError and StorageFullError are told as such,
 * anything else as "internal".
 */
export interface ShardService {
  /** `manifest` is undefined when the client sent only the CID. */
  offer(request: OfferRequest, manifest: Uint8Array | undefined, caller: Caller): Promise<OfferResponse>;
  /** The manifest of a dataset of which this node holds bundles; BlobNotFoundError when it holds none. */
  manifest(request: ManifestRequest, caller: Caller): Promise<Uint8Array>;
  status(request: StatusRequest, caller: Caller): Promise<StatusResponse>;
  /** `body` holds `bodyLength` bytes unless the connection breaks, and then throws; what came before may be kept. */
  put(
    request: PutRequest,
    body: AsyncIterable<Uint8Array>,
    bodyLength: number,
    caller: Caller,
  ): Promise<PutResponse>;
  commit(request: CommitRequest, caller: Caller): Promise<CommitResponse>;
  /** Exactly `request.length` bytes. */
  get(request: GetRequest, caller: Caller): AsyncIterable<Uint8Array>;
  /** The cells in the order asked, all siblings lists of one length. */
  cells(request: CellsRequest, caller: Caller): Promise<ProvenCell[]>;
  prove(request: ProveRequest, caller: Caller): Promise<PossessionAnswer>;
}

/** Serves the shard protocol on a libp2p node; stop it before the node. */
export class ShardServer {
  readonly #server: RpcServer<ShardMethods>;

  private constructor(server: RpcServer<ShardMethods>) {
    this.#server = server;
  }

  get stats(): ServerStats {
    return this.#server.stats;
  }

  static async start(host: Libp2p, service: ShardService, options: ServerOptions = {}): Promise<ShardServer> {
    return new ShardServer(await RpcServer.start(host, shardProtocol, handlersOf(service), options));
  }

  async stop(): Promise<void> {
    await this.#server.stop();
  }
}

function handlersOf(service: ShardService): Handlers<ShardMethods> {
  return {
    offer: async (request, context) => {
      context.hold(context.bodyLength);
      const manifest = await readAll(context.body, context.bodyLength);
      return {
        result: await told(service.offer(request, manifest.length === 0 ? undefined : manifest, context)),
      };
    },
    manifest: async (request, context) => {
      const bytes = await told(service.manifest(request, context));
      return { result: {}, body: { length: bytes.length, bytes: [bytes] } };
    },
    status: async (request, context) => ({ result: await told(service.status(request, context)) }),
    put: async (request, context) => {
      if (request.offset + context.bodyLength > request.total) {
        throw new RefusalError("bad-request", "more bytes than the bundle has");
      }
      return { result: await told(service.put(request, context.body, context.bodyLength, context)) };
    },
    commit: async (request, context) => ({ result: await told(service.commit(request, context)) }),
    get: async (request, context) => ({
      result: {},
      body: { length: request.length, bytes: toldEach(service.get(request, context)) },
    }),
    cells: async (request, context) => {
      const cells = await told(service.cells(request, context));
      const depth = cells[0]?.siblings.length ?? 0;
      const pieces = cells.flatMap(({ cell, siblings }) => [cell, ...siblings]);
      return {
        result: { depth },
        body: { length: cells.length * (cellBytes + 32 * depth), bytes: [join(pieces)] },
      };
    },
    prove: async (request, context) => {
      const { proof, evaluation } = await told(service.prove(request, context));
      return { result: { evaluation: evaluation.toString() }, body: { length: proofBytes, bytes: [proof] } };
    },
  };
}

async function told<T>(result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    throw asRefusal(error);
  }
}

async function* toldEach(pieces: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  try {
    yield* pieces;
  } catch (error) {
    throw asRefusal(error);
  }
}

function asRefusal(error: unknown): unknown {
  if (error instanceof BlobNotFoundError)
    return new RefusalError("not-found", error.message, { cause: error });
  if (error instanceof BadRangeError) return new RefusalError("bad-request", error.message, { cause: error });
  // The message names a path of this machine.
  if (error instanceof StorageFullError)
    return new RefusalError("full", "no space is left", { cause: error });
  return error;
}

async function readAll(body: AsyncIterable<Uint8Array>, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  for await (const piece of body) {
    bytes.set(piece, filled);
    filled += piece.length;
  }
  return bytes;
}

function join(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
