import type { Libp2p } from "@libp2p/interface";
import { MalformedMessageError, RefusalError, TransportError } from "./errors.ts";
import { type CallParameters, type ClientOptions, RpcClient } from "./rpc-client.ts";
import { cellBytes, proofBytes, type ShardMethods, shardProtocol } from "./shard-protocol.ts";
import type {
  CellsRequest,
  CommitRequest,
  CommitResponse,
  GetRequest,
  ManifestRequest,
  OfferRequest,
  OfferResponse,
  PossessionAnswer,
  ProvenCell,
  ProveRequest,
  StatusRequest,
  StatusResponse,
} from "./shard-service.ts";

export type ConnectOptions = ClientOptions & {
  /** The peer id the operator registered on chain; needed when the address does not end in `/p2p/<peer id>`. */
  peer?: string;
  signal?: AbortSignal;
};

export type CallOptions = Pick<CallParameters, "signal" | "timeout">;

export type PutBundle = { datasetId: `0x${string}`; bundleIndex: number; bytes: Uint8Array };

export type PutOptions = CallOptions & {
  /** Told how many bytes the keeper is known to have. */
  onProgress?: (received: number, total: number) => void;
};

/**
 * Asks one keeper about bundles. Calls that do no harm are repeated when the connection breaks; all of them throw
 * RefusalError for a keeper's no, TransportError when it cannot be reached, MalformedMessageError when it makes no
 * sense. What comes back is checked for form only: the caller checks it against the roots.
 */
export class ShardClient {
  readonly #client: RpcClient<ShardMethods>;

  private constructor(client: RpcClient<ShardMethods>) {
    this.#client = client;
  }

  /** @throws WrongPeerError when another peer answers, TransportError */
  static async connect(host: Libp2p, address: string, options: ConnectOptions = {}): Promise<ShardClient> {
    return new ShardClient(await RpcClient.connect(host, shardProtocol, address, options));
  }

  /** The keeper's peer id. */
  get peer(): string {
    return this.#client.peer;
  }

  async offer(
    request: OfferRequest,
    manifest: Uint8Array | undefined,
    options: CallOptions = {},
  ): Promise<OfferResponse> {
    const body = manifest === undefined ? {} : { body: manifest };
    const { result } = await this.#client.ask("offer", request, { ...options, ...body });
    const asked = new Set(request.bundleIndices);
    const named = [...result.accepted, ...result.refused.map((refusal) => refusal.bundleIndex)];
    if (named.length !== asked.size || named.some((index) => !asked.delete(index))) {
      throw new MalformedMessageError("offer: not an answer for each bundle");
    }
    return result;
  }

  /** A dataset's manifest, as the keeper has it: the caller checks its hash. */
  async manifest(request: ManifestRequest, options: CallOptions = {}): Promise<Uint8Array> {
    return (await this.#client.ask("manifest", request, options)).body;
  }

  async status(request: StatusRequest, options: CallOptions = {}): Promise<StatusResponse> {
    const { result } = await this.#client.ask("status", request, options);
    const same = result.bundles.every(({ bundleIndex }, i) => bundleIndex === request.bundleIndices[i]);
    if (result.bundles.length !== request.bundleIndices.length || !same) {
      throw new MalformedMessageError("status: not an answer for each bundle");
    }
    return result;
  }

  /** Sends a bundle's bytes, from where an earlier attempt ended, and goes on when the connection breaks. */
  async put(
    { datasetId, bundleIndex, bytes }: PutBundle,
    { onProgress, ...options }: PutOptions = {},
  ): Promise<void> {
    const send = async (offset: number): Promise<void> => {
      onProgress?.(offset, bytes.length);
      const { result } = await this.#client.ask(
        "put",
        { datasetId, bundleIndex, offset, total: bytes.length },
        { ...options, body: bytes.subarray(offset) },
      );
      if (result.received !== bytes.length)
        throw new TransportError("the keeper kept only a part of the bundle");
      onProgress?.(bytes.length, bytes.length);
    };
    await this.#client.retry(async () => {
      const { bundles } = await this.status({ datasetId, bundleIndices: [bundleIndex] }, options);
      const { state, received } = bundles[0]!;
      if (state === "held" || state === "received") {
        onProgress?.(bytes.length, bytes.length);
        return;
      }
      // Where all bytes are there and were not taken yet, nothing more is sent, and they are.
      const offset = Math.min(received, bytes.length);
      try {
        await send(offset);
      } catch (error) {
        // What came before may have been somebody else's: the keeper has thrown it away, or does when all comes at once.
        if (offset === 0 || !(error instanceof RefusalError) || error.code !== "bad-request") throw error;
        await send(0);
      }
    }, options.signal);
  }

  async commit(request: CommitRequest, options: CallOptions = {}): Promise<CommitResponse> {
    return (await this.#client.ask("commit", request, options)).result;
  }

  /**
   * A range of a bundle, piece by piece; goes on where it stopped when the connection breaks. There is one limit on the time
   * for all of it: a keeper that breaks off after each byte is given up as one that is slow.
   */
  async *get(request: GetRequest, options: CallOptions = {}): AsyncIterable<Uint8Array> {
    const late = new AbortController();
    const patience = this.#client.patience(request.length);
    const timer = setTimeout(
      () => late.abort(new TransportError("the keeper took too long for all of it")),
      patience,
    );
    const { signal: stop, ...rest } = options;
    const signal = stop === undefined ? late.signal : AbortSignal.any([stop, late.signal]);
    try {
      yield* this.#pieces(request, { ...rest, signal });
    } finally {
      clearTimeout(timer);
    }
  }

  /** A range of a bundle in one array. */
  async read(request: GetRequest, options: CallOptions = {}): Promise<Uint8Array> {
    const { body } = await this.#client.ask("get", request, options);
    if (body.length !== request.length) throw new MalformedMessageError("get: not the length asked for");
    return body;
  }

  async cells(request: CellsRequest, options: CallOptions = {}): Promise<ProvenCell[]> {
    const { result, body } = await this.#client.ask("cells", request, options);
    const each = cellBytes + 32 * result.depth;
    if (body.length !== each * request.cells.length)
      throw new MalformedMessageError("cells: not the length announced");
    return request.cells.map((index, i) => {
      const entry = body.subarray(i * each, (i + 1) * each);
      const siblings = Array.from({ length: result.depth }, (_, level) =>
        entry.subarray(cellBytes + 32 * level, cellBytes + 32 * (level + 1)),
      );
      return { index, cell: entry.subarray(0, cellBytes), siblings };
    });
  }

  async prove(request: ProveRequest, options: CallOptions = {}): Promise<PossessionAnswer> {
    const { result, body } = await this.#client.ask("prove", request, options);
    if (body.length !== proofBytes) throw new MalformedMessageError(`prove: a proof has ${proofBytes} bytes`);
    return { proof: body, evaluation: BigInt(result.evaluation) };
  }

  async *#pieces(
    request: GetRequest,
    options: CallOptions & { signal: AbortSignal },
  ): AsyncIterable<Uint8Array> {
    const { signal } = options;
    let done = 0;
    while (done < request.length) {
      const rest = { ...request, offset: request.offset + done, length: request.length - done };
      const reply = await this.#client.retry(() => this.#client.call("get", rest, options), signal);
      const before = done;
      try {
        if (reply.bodyLength !== rest.length)
          throw new MalformedMessageError("get: not the length asked for");
        for await (const piece of reply.body) {
          yield piece;
          done += piece.length;
        }
      } catch (error) {
        // Another try only if this one brought something, and while there is time.
        const isBroken = error instanceof TransportError && done > before;
        if (!isBroken || signal.aborted) throw error;
      } finally {
        reply.discard();
      }
    }
  }

  /** Closes this client's streams; the node's connection stays. */
  async close(): Promise<void> {
    await this.#client.close();
  }
}
