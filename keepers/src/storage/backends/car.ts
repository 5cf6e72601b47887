import { CarBufferReader } from "@ipld/car/buffer-reader";
import { addBlock, blockLength, close, createWriter, headerLength } from "@ipld/car/buffer-writer";
import type { CID } from "multiformats/cid";
import { type BlobLayout, blockCid, chunkBytes, maxBlobBytes, rawCodec } from "./blob-cid.ts";

/**
 * A blob as a CAR (version 1): header, then the root block when there is one, then the chunks in order. A CAR is a pure
 * function of its blob, and where a chunk lies in it follows from the root's length alone.
 */

/** A Filecoin piece has at least 127 bytes. Shorter CARs get one more block, which no root leads to. */
const shortestCar = 127;
const filler = new Uint8Array(64);

/** `varint(36 + length) ‖ CID` before each block: the CIDs here have 36 bytes. */
function sectionPrefix(length: number): number {
  const section = 36 + length;
  return 36 + (section < 1 << 7 ? 1 : section < 1 << 14 ? 2 : section < 1 << 21 ? 3 : 4);
}

/** The longest CAR of a blob; anything longer is not one of ours. */
export const maxCarBytes = maxBlobBytes + 16 * 1024;

/** How much of a CAR surely holds its header and root block. */
export const carHeadBytes = 4096;

export function encodeCar(bytes: Uint8Array, layout: BlobLayout): Uint8Array {
  const blocks = layout.chunks.map((c) => ({
    cid: c.cid,
    bytes: bytes.subarray(c.offset, c.offset + c.length),
  }));
  if (layout.root !== undefined) blocks.unshift({ cid: layout.cid, bytes: layout.root });
  const roots = [layout.cid];
  const lengthOf = (): number =>
    blocks.reduce((sum, block) => sum + blockLength(block), headerLength({ roots }));
  if (lengthOf() < shortestCar) blocks.push({ cid: blockCid(rawCodec, filler), bytes: filler });
  const writer = createWriter(new ArrayBuffer(lengthOf()), { roots });
  for (const block of blocks) addBlock(writer, block);
  return close(writer);
}

/** The root block at the front of a CAR of which `head` is the beginning; undefined when it is not that. */
export function carRoot(cid: CID, head: Uint8Array): Uint8Array | undefined {
  const start = headerLength({ roots: [cid] });
  // The section's length is a varint of one or two bytes: a root has 100 to 1700 bytes.
  const first = head[start] ?? 0;
  const second = head[start + 1] ?? 0;
  const section = first < 128 ? first : (first & 127) | (second << 7);
  const prefix = first < 128 ? 1 : 2;
  const root = head.subarray(start + prefix + 36, start + prefix + section);
  return section > 36 && root.length === section - 36 ? root : undefined;
}

/** Where the sections of the chunks from `offset` to `offset + length` lie in the CAR; both are whole chunks. */
export function carRange(
  cid: CID,
  rootLength: number,
  offset: number,
  length: number,
): { start: number; length: number } {
  const before = offset / chunkBytes;
  const chunks = headerLength({ roots: [cid] }) + sectionPrefix(rootLength) + rootLength;
  const start = chunks + before * (sectionPrefix(chunkBytes) + chunkBytes);
  let total = 0;
  for (let at = 0; at < length; at += chunkBytes) {
    const block = Math.min(chunkBytes, length - at);
    total += sectionPrefix(block) + block;
  }
  return { start, length: total };
}

/** Takes the sections of {@link carRange} apart into the chunks' bytes. */
export async function* carChunks(
  pieces: AsyncIterable<Uint8Array>,
  length: number,
): AsyncIterable<Uint8Array> {
  let skip = 0;
  let take = 0;
  let left = length;
  for await (let piece of pieces) {
    while (piece.length > 0) {
      if (take === 0) {
        if (left === 0) return;
        take = Math.min(chunkBytes, left);
        skip = sectionPrefix(take);
        left -= take;
      }
      const skipped = Math.min(skip, piece.length);
      skip -= skipped;
      piece = piece.subarray(skipped);
      const taken = piece.subarray(0, take);
      if (skip === 0 && taken.length > 0) {
        take -= taken.length;
        piece = piece.subarray(taken.length);
        yield taken;
      }
    }
  }
}

/** A blob's bytes from its whole CAR, unverified; undefined when it cannot be read as one. */
export function blobFromCar(cid: CID, car: Uint8Array): Uint8Array | undefined {
  try {
    const blocks = CarBufferReader.fromBytes(car).blocks();
    const chunks = cid.code === rawCodec ? blocks.slice(0, 1) : blocks.slice(1);
    const bytes = new Uint8Array(chunks.reduce((sum, block) => sum + block.bytes.length, 0));
    let at = 0;
    for (const block of chunks) {
      bytes.set(block.bytes, at);
      at += block.bytes.length;
    }
    return bytes;
  } catch {
    return undefined;
  }
}
