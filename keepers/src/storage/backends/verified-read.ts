import type { CID } from "multiformats/cid";
import type { GetOptions } from "./backend.ts";
import {
  assertBlobCid,
  type BlobLayout,
  type Chunk,
  isBlockOf,
  layoutBlob,
  parseRoot,
  rawCodec,
  sameCid,
} from "./blob-cid.ts";
import { BadRangeError, NotABlobCidError, WrongBytesError } from "./errors.ts";

/** A store that keeps a blob as plain bytes, with the root block of a longer one beside it. */
export type PlainSource = {
  /** What to call the store in an error. */
  where: string;
  /** The root block of a blob of several chunks; undefined when it was lost. */
  root(): Promise<Uint8Array | undefined>;
  /** The bytes from `offset` on, at most `length` of them. */
  range(offset: number, length: number): AsyncIterable<Uint8Array>;
  /** The whole blob, refused when it is longer than any blob. */
  whole(): Promise<Uint8Array>;
};

/** A store that keeps a blob as IPFS blocks. */
export type BlockSource = { where: string; block(cid: CID): Promise<Uint8Array> };

/** How many blocks are asked for ahead of the one being read. */
const blocksAhead = 8;

/** Reads plain bytes, verified chunk by chunk. */
export async function* readPlain(
  cid: CID,
  options: GetOptions,
  source: PlainSource,
): AsyncIterable<Uint8Array> {
  assertBlobCid(cid);
  const layout = await plainLayout(cid, options, source);
  if ("bytes" in layout) {
    yield* nonEmpty(sliceRange(layout.bytes, options));
    return;
  }
  const wanted = chunksOf(layout, options);
  const last = wanted[wanted.length - 1];
  if (last === undefined) return;
  const start = wanted[0]!.offset;
  const pieces = source.range(start, last.offset + last.length - start)[Symbol.asyncIterator]();
  let buffered: Uint8Array = new Uint8Array(0);
  try {
    for (const chunk of wanted) {
      const block = new Uint8Array(chunk.length);
      let filled = 0;
      while (filled < chunk.length) {
        if (buffered.length === 0) {
          const next = await pieces.next();
          options.signal?.throwIfAborted();
          if (next.done === true) throw new WrongBytesError(cid.toString(), source.where);
          buffered = next.value;
        }
        const taken = buffered.subarray(0, chunk.length - filled);
        block.set(taken, filled);
        filled += taken.length;
        buffered = buffered.subarray(taken.length);
      }
      yield* nonEmpty(verifiedSlice(cid, chunk, block, options, source.where));
    }
  } finally {
    await pieces.return?.();
  }
}

/** Reads blocks, each verified, several of them in flight. */
export async function* readBlocks(
  cid: CID,
  options: GetOptions,
  source: BlockSource,
): AsyncIterable<Uint8Array> {
  assertBlobCid(cid);
  const top = await source.block(cid);
  options.signal?.throwIfAborted();
  if (cid.code === rawCodec) {
    yield* nonEmpty(sliceRange(verifiedSingle(cid, top, source.where), options));
    return;
  }
  const wanted = chunksOf(parseRoot(cid, top, source.where), options);
  const inFlight: Promise<Uint8Array>[] = [];
  let asked = 0;
  for (const chunk of wanted) {
    while (asked < wanted.length && inFlight.length < blocksAhead) {
      const block = source.block(wanted[asked++]!.cid);
      // A later block may fail while an earlier one is still awaited; its failure is met when its turn comes.
      block.catch(() => undefined);
      inFlight.push(block);
    }
    const block = await inFlight.shift()!;
    options.signal?.throwIfAborted();
    yield* nonEmpty(verifiedSlice(cid, chunk, block, options, source.where));
  }
}

/** Where the chunks lie; or, when only the whole can tell, the verified bytes themselves. */
async function plainLayout(
  cid: CID,
  options: GetOptions,
  source: PlainSource,
): Promise<BlobLayout | { bytes: Uint8Array }> {
  if (cid.code === rawCodec) {
    const bytes = await source.whole();
    options.signal?.throwIfAborted();
    return { bytes: verifiedSingle(cid, bytes, source.where) };
  }
  const root = await source.root();
  options.signal?.throwIfAborted();
  if (root !== undefined) {
    try {
      return parseRoot(cid, root, source.where);
    } catch (error) {
      // A damaged root says nothing about the bytes: they still decide whether the blob can be had.
      if (!(error instanceof WrongBytesError)) throw error;
    }
  }
  const bytes = await source.whole();
  options.signal?.throwIfAborted();
  if (!sameCid(layoutBlob(bytes).cid, cid)) throw new WrongBytesError(cid.toString(), source.where);
  return { bytes };
}

function verifiedSingle(cid: CID, bytes: Uint8Array, where: string): Uint8Array {
  const layout = layoutBlob(bytes);
  if (sameCid(layout.cid, cid)) return bytes;
  // Right hash but more than one chunk: a raw block that our definition would have cut.
  if (layout.root !== undefined && isBlockOf(cid, bytes)) throw new NotABlobCidError(cid.toString());
  throw new WrongBytesError(cid.toString(), where);
}

function verifiedSlice(
  cid: CID,
  chunk: Chunk,
  block: Uint8Array,
  { offset = 0, length }: GetOptions,
  where: string,
): Uint8Array {
  if (block.length !== chunk.length || !isBlockOf(chunk.cid, block))
    throw new WrongBytesError(cid.toString(), where);
  const end = length === undefined ? undefined : offset + length - chunk.offset;
  return block.subarray(Math.max(0, offset - chunk.offset), end);
}

function chunksOf(layout: BlobLayout, { offset = 0, length }: GetOptions): Chunk[] {
  const end = checkRange(layout.size, offset, length);
  return layout.chunks.filter((chunk) => chunk.offset < end && chunk.offset + chunk.length > offset);
}

function sliceRange(bytes: Uint8Array, { offset = 0, length }: GetOptions): Uint8Array {
  return bytes.subarray(offset, checkRange(bytes.length, offset, length));
}

/** @returns the end of the range. @throws BadRangeError */
function checkRange(size: number, offset: number, length: number | undefined): number {
  const end = length === undefined ? size : offset + length;
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(end);
  if (!whole || offset < 0 || end < offset || end > size) throw new BadRangeError(offset, length, size);
  return end;
}

function* nonEmpty(bytes: Uint8Array): Iterable<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}
