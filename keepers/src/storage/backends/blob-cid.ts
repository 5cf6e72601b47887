import { createHash } from "node:crypto";
import { CID } from "multiformats/cid";
import {
  type BlobLayout,
  cidOf,
  layoutBlob as coreLayout,
  dagPbCodec,
  decodeLinks,
  encodeRoot,
  rawCodec,
  sha2256,
} from "../../core/dataset/blob.ts";
import { NotABlobCidError, WrongBytesError } from "./errors.ts";

export {
  type BlobLayout,
  type Chunk,
  chunkBytes,
  dagPbCodec,
  maxBlobBytes,
  rawCodec,
} from "../../core/dataset/blob.ts";

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}

/** The CIDv1 with SHA-256 of a block. */
export function blockCid(codec: number, block: Uint8Array): CID {
  return cidOf(codec, sha256(block));
}

/** Cuts a blob into chunks and computes its CID, with the machine's own SHA-256. */
export function layoutBlob(bytes: Uint8Array): BlobLayout {
  return coreLayout(bytes, sha256);
}

/** The CID of a blob. */
export function blobCid(bytes: Uint8Array): CID {
  return layoutBlob(bytes).cid;
}

/** Whether two CIDs are the same. */
export function sameCid(left: CID, right: CID): boolean {
  return left.toString() === right.toString();
}

/** Whether the block hashes to the CID. */
export function isBlockOf(cid: CID, block: Uint8Array): boolean {
  return Buffer.compare(sha256(block), cid.multihash.digest) === 0;
}

/**
 * Checks that a CID can be a blob's.
 * @throws NotABlobCidError for any other version, codec or hash.
 */
export function assertBlobCid(cid: CID): void {
  const known = cid.code === rawCodec || cid.code === dagPbCodec;
  if (cid.version !== 1 || !known || cid.multihash.code !== sha2256 || cid.multihash.size !== 32) {
    throw new NotABlobCidError(cid.toString());
  }
}

/** Reads a blob's CID from text. @throws NotABlobCidError */
export function parseBlobCid(text: string): CID {
  let cid: CID;
  try {
    cid = CID.parse(text);
  } catch {
    throw new NotABlobCidError(JSON.stringify(text.slice(0, 80)));
  }
  assertBlobCid(cid);
  if (cid.toString() !== text) throw new NotABlobCidError(text);
  return cid;
}

/**
 * Reads the layout from the root block of a blob of several chunks.
 * @throws WrongBytesError when the block does not hash to `cid` or is not the one form that {@link layoutBlob} writes.
 */
export function parseRoot(cid: CID, root: Uint8Array, where: string): BlobLayout {
  if (!isBlockOf(cid, root)) throw new WrongBytesError(cid.toString(), where);
  const chunks = decodeLinks(root);
  if (chunks === undefined || Buffer.compare(encodeRoot(chunks), root) !== 0) {
    throw new NotABlobCidError(cid.toString());
  }
  const last = chunks[chunks.length - 1]!;
  return { cid, size: last.offset + last.length, chunks, root };
}
