import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { findPieceIdsByCid } from "@filoz/synapse-core/pdp-verifier";
import * as Piece from "@filoz/synapse-core/piece";
import { findPiece } from "@filoz/synapse-core/sp";
import type { Synapse } from "@filoz/synapse-sdk";
import { create as createPieceHasher } from "fr32-sha2-256-trunc254-padded-binary-tree-multihash";
import { CID } from "multiformats/cid";
import { decode as decodeDigest } from "multiformats/hashes/digest";
import { z } from "zod";
import { isErrorCode, writeAtomically } from "./atomic-file.ts";
import {
  type BlobSource,
  type BlobStore,
  type CallOptions,
  collect,
  type GetOptions,
  gatherBlob,
  type PutOptions,
  type PutResult,
} from "./backend.ts";
import { assertBlobCid, parseBlobCid, rawCodec } from "./blob-cid.ts";
import { blobFromCar, carChunks, carHeadBytes, carRange, carRoot, encodeCar, maxCarBytes } from "./car.ts";
import { BackendUnavailableError, BlobNotFoundError, OversizeError, WrongBytesError } from "./errors.ts";
import { httpBody } from "./http-body.ts";
import { FolderOwners, type StoreOwners } from "./owners.ts";
import { readPlain } from "./verified-read.ts";

export type FilecoinParameters = {
  /** Where the records of what is stored are kept: a piece cannot be found by the CID of the blob inside it. */
  directory: string;
  /** A client of the Synapse SDK with the paying account. */
  synapse: Synapse;
  /** Storage provider to use; chosen by the SDK when neither this nor a data set is given. */
  providerId?: bigint;
  /** Data set of the account to add to. */
  dataSetId?: bigint;
  /** How long a download may take, in milliseconds. */
  timeout?: number;
};

type Context = Awaited<ReturnType<Synapse["storage"]["createContext"]>>;

const pieceId = z.string().regex(/^\d{1,78}$/);

/**
 * `pending`: the piece may or may not have been paid for when this process was killed. `leaving`: its removal may or may not have
 * been scheduled. The same bytes that are stored again are another piece of the data set, with another id.
 */
const recordSchema = z.strictObject({
  state: z.enum(["pending", "held", "leaving"]),
  pieceCid: z.string().max(256),
  serviceUrl: z.string().max(1024),
  /** The piece's id in the data set; not there in records of older versions. */
  pieceId: pieceId.optional(),
  /** Ids of the same bytes from before this piece was paid for: whether they are to be removed the chain may not say yet. */
  earlier: z.array(pieceId).optional(),
});

type BlobRecord = z.output<typeof recordSchema>;

const where = "the Filecoin provider";
const recordSuffix = ".json";
/** Pieces with the same bytes that are asked for at once. */
const idsAtOnce = 100n;

/**
 * Blobs as pieces of Filecoin's Onchain Cloud, through the Synapse SDK. Each blob is packed into a CAR, whose piece
 * commitment (CommP, piece CID version 2) the provider is paid to prove. Pieces are marked for IPFS indexing, so that a
 * provider that supports it serves them to everyone. Deleting schedules the piece's removal at the end of the proving
 * period. What is downloaded is verified block by block.
 */
export class FilecoinStore implements BlobStore, StoreOwners {
  readonly kind = "filecoin";
  readonly where: string;
  readonly #owners: FolderOwners;
  readonly #synapse: Synapse;
  readonly #records: string;
  readonly #context: Context;
  readonly #timeout: number;
  /** One transaction after the other: a data set must not be created twice. */
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(parameters: FilecoinParameters, context: Context) {
    this.where = parameters.directory;
    this.#owners = new FolderOwners(parameters.directory);
    this.#synapse = parameters.synapse;
    this.#records = join(parameters.directory, "pieces");
    this.#context = context;
    this.#timeout = parameters.timeout ?? 300_000;
  }

  static async open(parameters: FilecoinParameters): Promise<FilecoinStore> {
    await mkdir(join(parameters.directory, "pieces"), { recursive: true });
    const { providerId, dataSetId } = parameters;
    const context = await available(undefined, () =>
      parameters.synapse.storage.createContext({
        ...(providerId === undefined ? {} : { providerId }),
        ...(dataSetId === undefined ? {} : { dataSetId }),
        metadata: { withIPFSIndexing: "" },
      }),
    );
    return new FilecoinStore(parameters, context);
  }

  /**
   * What the account still has to deposit and approve before this many more bytes can be stored, in the smallest unit
   * of the paying token; `pay` sends the transaction.
   */
  async prepare(
    bytes: number,
  ): Promise<{ deposit: bigint; needsApproval: boolean; pay(): Promise<void> } | "ready"> {
    const { transaction } = await available(undefined, () =>
      this.#synapse.storage.prepare({ dataSize: BigInt(bytes), context: this.#context }),
    );
    if (transaction === null) return "ready";
    return {
      deposit: transaction.depositAmount,
      needsApproval: transaction.includesApproval,
      pay: async () => void (await available(undefined, () => transaction.execute())),
    };
  }

  async put(source: BlobSource, options: PutOptions = {}): Promise<PutResult> {
    const { bytes, layout } = await gatherBlob(source, options);
    const result = { cid: layout.cid, size: layout.size };
    if ((await this.#read(layout.cid))?.state === "held") return result;
    const car = encodeCar(bytes, layout);
    const pieceCid = pieceOf(car);
    const { signal } = options;
    await available(signal, () => this.#upload(car, pieceCid, signal));
    await available(undefined, () => this.#inTurn(() => this.#commit(layout.cid, pieceCid)));
    return result;
  }

  async *get(cid: CID, options: GetOptions = {}): AsyncIterable<Uint8Array> {
    assertBlobCid(cid);
    const { signal } = options;
    signal?.throwIfAborted();
    const record = await this.#read(cid);
    if (record?.state !== "held") throw new BlobNotFoundError(cid.toString(), where);
    const url = new URL(`piece/${record.pieceCid}`, record.serviceUrl);
    const fetchRange = (start: number, length: number): AsyncIterable<Uint8Array> =>
      this.#fetch(cid, url, start, length, signal);
    let rootLength = 0;
    yield* readPlain(cid, options, {
      where,
      root: async () => {
        const root = carRoot(cid, await collect(fetchRange(0, carHeadBytes), carHeadBytes));
        rootLength = root?.length ?? 0;
        return root;
      },
      range: (offset, length) => {
        const range = carRange(cid, rootLength, offset, length);
        return carChunks(fetchRange(range.start, range.length), length);
      },
      whole: async () => {
        const blob = blobFromCar(cid, await collect(fetchRange(0, maxCarBytes), maxCarBytes, signal));
        if (blob === undefined) throw new WrongBytesError(cid.toString(), where);
        return blob;
      },
    });
  }

  async has(cid: CID): Promise<boolean> {
    assertBlobCid(cid);
    return (await this.#read(cid))?.state === "held";
  }

  async delete(cid: CID, { signal }: CallOptions = {}): Promise<boolean> {
    assertBlobCid(cid);
    return this.#inTurn(async () => {
      const record = await this.#read(cid);
      if (record === undefined || record.state === "pending") return false;
      await available(signal, () => this.#remove(cid, record));
      await rm(this.#path(cid), { force: true });
      return true;
    });
  }

  async *list({ signal }: CallOptions = {}): AsyncIterable<CID> {
    for (const name of await readdir(this.#records)) {
      signal?.throwIfAborted();
      if (!name.endsWith(recordSuffix)) continue;
      const cid = parseBlobCid(name.slice(0, -recordSuffix.length));
      if (await this.has(cid)) yield cid;
    }
  }

  async close(): Promise<void> {
    await this.#turn;
  }

  owners(): Promise<string[]> {
    return this.#owners.owners();
  }

  addOwner(name: string): Promise<void> {
    return this.#owners.addOwner(name);
  }

  removeOwner(name: string): Promise<void> {
    return this.#owners.removeOwner(name);
  }

  async #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(action);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  /** Sends the piece unless the provider has it already, from an upload that was not finished here. */
  async #upload(car: Uint8Array, pieceCid: string, signal: AbortSignal | undefined): Promise<void> {
    const piece = Piece.parse(pieceCid);
    const serviceURL = this.#context.provider.pdp.serviceURL;
    const asked = signal === undefined ? {} : { signal };
    const parked = await findPiece({ serviceURL, pieceCid: piece, ...asked }).catch(() => undefined);
    if (parked === undefined) await this.#context.store(car, { pieceCid: piece, ...asked });
  }

  /** Pays for the piece, once: a record says beforehand that this is about to happen. */
  async #commit(cid: CID, pieceCid: string): Promise<void> {
    const before = await this.#read(cid);
    if (before?.state === "held") return;
    if (before?.state === "leaving") await this.#remove(cid, before);
    const record = { pieceCid, serviceUrl: this.#context.provider.pdp.serviceURL };
    const ids = (await this.#idsOf(pieceCid)).map(String);
    if (before?.state === "pending") {
      const { earlier = [] } = before;
      const leaving = (await this.#context.getScheduledRemovals()).map(String);
      const paid = ids.find((id) => !earlier.includes(id) && !leaving.includes(id));
      if (paid !== undefined) return await this.#write(cid, { state: "held", ...record, pieceId: paid });
    } else await this.#write(cid, { state: "pending", ...record, earlier: ids });
    const { pieceIds } = await this.#context.commit({
      pieces: [{ pieceCid: Piece.parse(pieceCid), pieceMetadata: { ipfsRootCID: cid.toString() } }],
    });
    const [id] = pieceIds.map(String);
    await this.#write(cid, { state: "held", ...record, ...(id !== undefined && { pieceId: id }) });
  }

  /** Has a piece removed unless that was done before; its bytes count as gone from the moment it is asked for. */
  async #remove(cid: CID, record: BlobRecord): Promise<void> {
    const there = await this.#idsOf(record.pieceCid);
    const leaving = await this.#context.getScheduledRemovals();
    const staying = there.filter((id) => !leaving.includes(id));
    const piece = record.pieceId === undefined ? staying[0] : BigInt(record.pieceId);
    if (piece === undefined || !staying.includes(piece)) return;
    await this.#write(cid, { ...record, state: "leaving", pieceId: String(piece) });
    await this.#context.deletePiece({ piece });
  }

  /** The pieces of the data set that have these bytes, also those that are to be removed. */
  async #idsOf(pieceCid: string): Promise<bigint[]> {
    const { dataSetId } = this.#context;
    if (dataSetId === undefined) return [];
    const ids: bigint[] = [];
    for (;;) {
      const more = await findPieceIdsByCid(this.#synapse.client, {
        dataSetId,
        pieceCid: Piece.parse(pieceCid),
        startPieceId: (ids.at(-1) ?? -1n) + 1n,
        limit: idsAtOnce,
      });
      ids.push(...more);
      if (BigInt(more.length) < idsAtOnce) return ids;
    }
  }

  /** Bytes of a piece from `start` on, at most `length`. A provider without ranges sends everything. */
  async *#fetch(
    cid: CID,
    url: URL,
    start: number,
    length: number,
    signal: AbortSignal | undefined,
  ): AsyncIterable<Uint8Array> {
    const limits = [AbortSignal.timeout(this.#timeout)];
    if (signal !== undefined) limits.push(signal);
    try {
      const response = await fetch(url, {
        headers: { range: `bytes=${start}-${start + length - 1}` },
        signal: AbortSignal.any(limits),
      });
      if (response.status === 404) throw new BlobNotFoundError(cid.toString(), where);
      if (response.status === 416) return;
      if (!response.ok) {
        throw new BackendUnavailableError(`${where} failed with HTTP ${response.status}`);
      }
      let skip = response.status === 206 ? 0 : start;
      let left = length;
      for await (const piece of httpBody(response, where)) {
        const wanted = piece.subarray(Math.min(skip, piece.length)).subarray(0, left);
        skip -= Math.min(skip, piece.length);
        left -= wanted.length;
        if (wanted.length > 0) yield wanted;
        if (left === 0) return;
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof BlobNotFoundError || error instanceof BackendUnavailableError) throw error;
      throw new BackendUnavailableError(`${where} broke off`, { cause: error });
    }
  }

  #path(cid: CID): string {
    return join(this.#records, cid.toString() + recordSuffix);
  }

  async #read(cid: CID): Promise<BlobRecord | undefined> {
    try {
      return recordSchema.parse(JSON.parse(await readFile(this.#path(cid), "utf8")));
    } catch (error) {
      if (isErrorCode(error, "ENOENT")) return undefined;
      throw error;
    }
  }

  async #write(cid: CID, record: BlobRecord): Promise<void> {
    await writeAtomically(this.#path(cid), new TextEncoder().encode(JSON.stringify(record)), this.#records);
  }
}

/** The piece CID (version 2) of a CAR. */
export function pieceOf(car: Uint8Array): string {
  const hasher = createPieceHasher();
  try {
    hasher.write(car);
    const multihash = new Uint8Array(hasher.multihashByteLength());
    hasher.digestInto(multihash, 0, true);
    return CID.createV1(rawCodec, decodeDigest(multihash)).toString();
  } finally {
    // The hasher holds WebAssembly memory, which nobody else frees.
    hasher.free();
  }
}

async function available<T>(signal: AbortSignal | undefined, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof OversizeError || cause instanceof BackendUnavailableError) throw cause;
    const words = cause instanceof Error ? cause.message.split("\n")[0]! : String(cause);
    throw new BackendUnavailableError(`${where} or the Filecoin chain failed: ${words}`, {
      kept: "Pieces that were uploaded stay with the provider for a while and are not sent again.",
      cause,
    });
  }
}
