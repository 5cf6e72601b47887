import { sha256 } from "@noble/hashes/sha2.js";
import { CID } from "multiformats/cid";
import { create as createDigest } from "multiformats/hashes/digest";
import { cellBytes, maxBundleBytes } from "./shape.ts";

/**
 * The CID of a blob: that of a UnixFS file, CIDv1, SHA-256, raw leaves of {@link chunkBytes} bytes, balanced layout.
 * `ipfs add --cid-version=1 --raw-leaves --chunker=size-253952` gives the same one. A blob of at most one chunk is a
 * single raw block: its CID is the plain SHA-256 of its bytes. A longer one has a dag-pb root that lists its chunks.
 *
 * A chunk is 512 cells of 496 bytes, so that no cell straddles two blocks and a full bundle is exactly 32 blocks,
 * each of them a complete subtree of the transport tree.
 */
export const chunkBytes = 512 * cellBytes;

/** The longest blob: a bundle of 4^7 cells. One root lists all its chunks, so the layout has a single level. */
export const maxBlobBytes = maxBundleBytes;

export const rawCodec = 0x55;
export const dagPbCodec = 0x70;
/** Code of SHA-256 in a multihash. */
export const sha2256 = 0x12;
const cidBytes = 36;

/** One chunk of a blob: where it lies and the CID of its raw block. */
export type Chunk = { cid: CID; offset: number; length: number };

/** A blob as IPFS sees it. `root` is the dag-pb block behind `cid`; a blob of one chunk has none. */
export type BlobLayout = { cid: CID; size: number; chunks: Chunk[]; root: Uint8Array | undefined };

/** A machine may have a faster SHA-256 than the one that runs everywhere. */
export type Sha256 = (bytes: Uint8Array) => Uint8Array;

/** The CIDv1 with this SHA-256. */
export function cidOf(codec: number, digest: Uint8Array): CID {
  return CID.createV1(codec, createDigest(sha2256, digest));
}

/** Cuts a blob into chunks and computes its CID. Pure; at most {@link maxBlobBytes} bytes are expected. */
export function layoutBlob(bytes: Uint8Array, hash: Sha256 = sha256): BlobLayout {
  const chunks: Chunk[] = [];
  for (let offset = 0; offset === 0 || offset < bytes.length; offset += chunkBytes) {
    const block = bytes.subarray(offset, offset + chunkBytes);
    chunks.push({ cid: cidOf(rawCodec, hash(block)), offset, length: block.length });
  }
  if (chunks.length === 1) return { cid: chunks[0]!.cid, size: bytes.length, chunks, root: undefined };
  const root = encodeRoot(chunks);
  return { cid: cidOf(dagPbCodec, hash(root)), size: bytes.length, chunks, root };
}

/** The CID of a blob. */
export function blobCid(bytes: Uint8Array, hash?: Sha256): CID {
  return layoutBlob(bytes, hash).cid;
}

/** The root block of a blob of several chunks. dag-pb PBNode: links (CID, empty name, size), then the UnixFS data {type: file, filesize, blocksizes}. */
export function encodeRoot(chunks: readonly Chunk[]): Uint8Array {
  const node: number[] = [];
  const data: number[] = [0x08, 0x02, 0x18];
  const last = chunks[chunks.length - 1]!;
  pushVarint(data, last.offset + last.length);
  for (const { cid, length } of chunks) {
    const link: number[] = [0x0a, cidBytes, ...cid.bytes, 0x12, 0x00, 0x18];
    pushVarint(link, length);
    node.push(0x12, link.length, ...link);
    data.push(0x20);
    pushVarint(data, length);
  }
  node.push(0x0a);
  pushVarint(node, data.length);
  return Uint8Array.from([...node, ...data]);
}

/** The links at the front of a root block; undefined when they are not of the expected form. */
export function decodeLinks(root: Uint8Array): Chunk[] | undefined {
  const chunks: Chunk[] = [];
  let position = 0;
  let offset = 0;
  while (root[position] === 0x12) {
    const link = root.subarray(position + 2, position + 2 + (root[position + 1] ?? 0));
    if (link[0] !== 0x0a || link[1] !== cidBytes) return undefined;
    const length = readVarint(link.subarray(2 + cidBytes + 3));
    const digest = link.subarray(2 + 4, 2 + cidBytes);
    if (length < 1 || length > chunkBytes || digest.length !== 32 || offset % chunkBytes !== 0)
      return undefined;
    chunks.push({ cid: cidOf(rawCodec, digest.slice()), offset, length });
    offset += length;
    if (offset > maxBlobBytes) return undefined;
    position += 2 + link.length;
  }
  return chunks.length < 2 ? undefined : chunks;
}

function pushVarint(out: number[], value: number): void {
  let rest = value;
  while (rest > 127) {
    out.push((rest & 127) | 128);
    rest >>>= 7;
  }
  out.push(rest);
}

function readVarint(bytes: Uint8Array): number {
  let value = 0;
  for (let i = 0; i < bytes.length && i < 4; i++) {
    value |= (bytes[i]! & 127) << (7 * i);
    if (bytes[i]! < 128) return value;
  }
  return -1;
}
