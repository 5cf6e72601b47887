import type { ErasureCode, MaybeShard } from "../erasure/code.ts";
import { AssayError, exitCode } from "../errors.ts";
import { objectHash } from "../merkle/object-hash.ts";
import { type DatasetCipher, openObject } from "./encryption.ts";
import {
  type ByteRange,
  type DatasetLayout,
  hashListRange,
  objectRange,
  segmentLayout,
  segmentOfObject,
} from "./layout.ts";
import type { ObjectHashes } from "./object-hashes.ts";
import { hashBytes } from "./shape.ts";

/** What decoding needs besides the bytes of bundles. */
export type DecodeParameters = {
  layout: DatasetLayout;
  /** The (k, n) code of the layout; one instance serves all segments and keeps its tables. */
  code: ErasureCode;
  /** Key and salt of an encrypted dataset; null for a plain one. */
  cipher: DatasetCipher | null;
};

/**
 * Consecutive objects of one segment, and the bytes to fetch for them: `range` in any k of the n bundles from
 * `firstBundle` on.
 */
export type SegmentRead = {
  segment: number;
  firstObject: number;
  /** One past the last object. */
  endObject: number;
  firstBundle: number;
  range: ByteRange;
};

/** Bundles that are as anchored decode to an object or hash list that is not: the uploader encoded it wrongly. */
export class WrongEncodingError extends AssayError {
  override readonly name: string = "WrongEncodingError";

  constructor(what: string) {
    super(`${what} does not have the hash that the dataset commits to.`, {
      exitCode: exitCode.badInput,
      next: "If the shards passed their own roots, the uploader encoded wrongly: prove the encoding fraud, and do not use the dataset.",
    });
  }
}

/**
 * Which bytes of which bundles give objects `first` to `end` (excluded), segment by segment.
 * @throws BadInputError when there are no such objects.
 */
export function planRead(layout: DatasetLayout, first: number, end: number): SegmentRead[] {
  const reads: SegmentRead[] = [];
  for (let object = first; object < end; ) {
    const { segment, firstObject, objects } = segmentOfObject(layout, object);
    const endObject = Math.min(end, firstObject + objects);
    const range = { start: objectRange(layout, object).start, end: objectRange(layout, endObject - 1).end };
    if (end > layout.objectCount) segmentOfObject(layout, end - 1);
    reads.push({ segment, firstObject: object, endObject, firstBundle: segment * layout.n, range });
    object = endObject;
  }
  return reads;
}

/** Which bytes of which bundles give a segment's hash list. @throws BadInputError when there is no such segment. */
export function planHashRead(layout: DatasetLayout, segment: number): SegmentRead {
  const { firstObject, objects } = segmentLayout(layout, segment);
  const range = hashListRange(layout, segment);
  return { segment, firstObject, endObject: firstObject + objects, firstBundle: segment * layout.n, range };
}

/**
 * A segment's object hashes from the bytes that {@link planHashRead} names.
 * @param shards by position in the segment, n of them; any k are enough. They were checked against their bundles' roots.
 * @throws TooFewShardsError, ShardShapeError, DecryptionError
 */
export function decodeHashList(
  { layout, code, cipher }: DecodeParameters,
  segment: number,
  shards: readonly MaybeShard[],
): Uint8Array {
  const { hashListBytes } = segmentLayout(layout, segment);
  const stored = code.decodeBlob(shards, hashListBytes);
  return cipher === null ? stored : openObject(cipher, { kind: "hashes", index: segment }, stored);
}

/**
 * The plain objects of a read, in order, each checked against its hash.
 * @param shards the bytes that `read.range` names, by position in the segment, n of them; any k are enough.
 * @throws TooFewShardsError, ShardShapeError, DecryptionError; WrongEncodingError when an object has another hash.
 */
export function* decodeObjects(
  { layout, code, cipher }: DecodeParameters,
  read: SegmentRead,
  shards: readonly MaybeShard[],
  hashes: ObjectHashes,
): Generator<Uint8Array> {
  const { k, shardLength, storedObjectSize } = layout;
  const positions = Array.from({ length: k }, (_, j) => j);
  const lost = positions.filter((j) => shards[j] === undefined);
  const restored = code.reconstruct(shards, lost);
  const data = positions.map((j) => shards[j] ?? restored[lost.indexOf(j)]!);
  for (let object = read.firstObject; object < read.endObject; object++) {
    const at = (object - read.firstObject) * shardLength;
    const blob = new Uint8Array(k * shardLength);
    for (const [j, shard] of data.entries()) blob.set(shard.subarray(at, at + shardLength), j * shardLength);
    const stored = blob.subarray(0, storedObjectSize);
    const plain = cipher === null ? stored : openObject(cipher, { kind: "objects", index: object }, stored);
    if (!sameBytes(objectHash(plain), hashes.of(object))) throw new WrongEncodingError(`Object ${object}`);
    yield plain;
  }
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < hashBytes; i++) if (a[i] !== b[i]) return false;
  return true;
}
