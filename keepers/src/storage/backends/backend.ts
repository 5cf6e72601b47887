import type { CID } from "multiformats/cid";
import { type BlobLayout, layoutBlob, maxBlobBytes, sameCid } from "./blob-cid.ts";
import { OversizeError, WrongBytesError } from "./errors.ts";

export type BackendKind = "fs" | "helia" | "kubo" | "s3" | "filecoin";

/** The bytes of one blob, whole or in pieces of any length. */
export type BlobSource = Uint8Array | AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

export type PutOptions = {
  /** The CID the bytes must have; other bytes are refused before anything is stored. */
  expected?: CID;
  signal?: AbortSignal;
};

export type PutResult = { cid: CID; size: number };

export type GetOptions = {
  /** First byte; 0 by default. */
  offset?: number;
  /** Number of bytes; up to the end by default. */
  length?: number;
  signal?: AbortSignal;
};

export type CallOptions = { signal?: AbortSignal };

/**
 * Keeps blobs (bundles and manifests of at most 8,126,464 bytes) under their CID, wherever that is. The store itself is
 * not trusted: what it returns is checked against the CID, chunk by chunk, before it is handed on.
 */
export interface BlobStore {
  readonly kind: BackendKind;
  /**
   * Stores a blob; afterwards it survives a crash of this process, and of the machine where the disk is its own. Storing it
   * again is harmless.
   * A failed or interrupted call leaves the blob absent.
   * @throws OversizeError, WrongBytesError (not `expected`), StorageFullError, BackendUnavailableError, AccessDeniedError
   */
  put(source: BlobSource, options?: PutOptions): Promise<PutResult>;
  /**
   * Reads a blob or a range of it. Pieces arrive in order, each verified; their lengths are up to the store.
   * @throws BlobNotFoundError, BadRangeError, WrongBytesError, BackendUnavailableError; the signal's reason
   */
  get(cid: CID, options?: GetOptions): AsyncIterable<Uint8Array>;
  /** Whether this store itself holds the blob, by its own word; asks nobody else. Only `get` verifies. */
  has(cid: CID, options?: CallOptions): Promise<boolean>;
  /** Forgets a blob. Returns whether it was there. */
  delete(cid: CID, options?: CallOptions): Promise<boolean>;
  /** The CIDs of all blobs, in no particular order. */
  list(options?: CallOptions): AsyncIterable<CID>;
  /** Releases files, sockets and timers. */
  close(): Promise<void>;
}

/**
 * Gathers a blob that is to be stored and computes its layout.
 * @throws OversizeError as soon as the limit is passed, WrongBytesError when it is not the expected blob.
 */
export async function gatherBlob(
  source: BlobSource,
  { expected, signal }: PutOptions,
): Promise<{ bytes: Uint8Array; layout: BlobLayout }> {
  const bytes = source instanceof Uint8Array ? source : await collect(source, maxBlobBytes, signal);
  if (bytes.length > maxBlobBytes) throw new OversizeError(maxBlobBytes);
  signal?.throwIfAborted();
  const layout = layoutBlob(bytes);
  if (expected !== undefined && !sameCid(expected, layout.cid)) {
    throw new WrongBytesError(expected.toString(), "the sender", { kept: "Nothing was stored." });
  }
  return { bytes, layout };
}

/** Joins pieces into one array. @throws OversizeError when there are more than `limit` bytes */
export async function collect(
  pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  limit: number = maxBlobBytes,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of pieces) {
    signal?.throwIfAborted();
    length += part.length;
    if (length > limit) throw new OversizeError(limit);
    parts.push(part);
  }
  if (parts.length === 1) return parts[0]!;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}
