import { BadInputError } from "../errors.ts";
import { assertShape, cellBytes, type DatasetShape, hashBytes, tagBytes } from "./shape.ts";

/** A checked shape with what follows from it for the whole dataset (storage protocol, section 2). */
export type DatasetLayout = Readonly<
  DatasetShape & {
    /** Bytes that sealing adds to an object: 16 or 0. */
    tag: number;
    /** objectSize + tag. */
    storedObjectSize: number;
    /** Bytes of an object in each bundle. */
    shardLength: number;
    segments: number;
    /** segments · n */
    bundles: number;
  }
>;

/** One segment: `objects` consecutive objects, from `firstObject`, in n bundles of `bundleBytes` bytes. */
export type SegmentLayout = {
  segment: number;
  firstObject: number;
  objects: number;
  /** Bytes of the hash list before it is cut into shards (with the tag when encrypted). */
  hashListBytes: number;
  hashShardLength: number;
  bundleBytes: number;
  cells: number;
};

/** Bytes `start` (included) to `end` (excluded) of a bundle. */
export type ByteRange = { start: number; end: number };

/** Where one byte lies: bundle index in the dataset, byte in the bundle, and the same as cell and byte of the cell. */
export type BundlePosition = { bundle: number; offset: number; cell: number; cellOffset: number };

/**
 * What stands at one byte of a bundle. `byte` counts within the stored object or the stored hash list; it is null in a
 * parity bundle and in the zeros that fill the last data shard.
 */
export type BundleContent =
  | { kind: "object"; object: number; shard: number; shardOffset: number; byte: number | null }
  | { kind: "hashes"; segment: number; shard: number; shardOffset: number; byte: number | null };

/** Computes a dataset's layout. @throws BadInputError when the shape breaks a limit. */
export function datasetLayout(shape: DatasetShape): DatasetLayout {
  assertShape(shape);
  const { k, n, objectCount, objectSize, segmentObjects, encrypted } = shape;
  const tag = encrypted ? tagBytes : 0;
  const segments = Math.ceil(objectCount / segmentObjects);
  return {
    k,
    n,
    objectCount,
    objectSize,
    segmentObjects,
    encrypted,
    tag,
    storedObjectSize: objectSize + tag,
    shardLength: Math.ceil((objectSize + tag) / k),
    segments,
    bundles: segments * n,
  };
}

/** The layout of one segment. @throws BadInputError when there is no such segment. */
export function segmentLayout(layout: DatasetLayout, segment: number): SegmentLayout {
  assertIndex("segment", segment, layout.segments);
  const firstObject = segment * layout.segmentObjects;
  const objects = Math.min(layout.segmentObjects, layout.objectCount - firstObject);
  const hashListBytes = hashBytes * objects + layout.tag;
  const hashShardLength = Math.ceil(hashListBytes / layout.k);
  const bundleBytes = objects * layout.shardLength + hashShardLength;
  const cells = Math.ceil(bundleBytes / cellBytes);
  return { segment, firstObject, objects, hashListBytes, hashShardLength, bundleBytes, cells };
}

/** The layout of the segment that holds an object. @throws BadInputError when there is no such object. */
export function segmentOfObject(layout: DatasetLayout, object: number): SegmentLayout {
  assertIndex("object", object, layout.objectCount);
  return segmentLayout(layout, Math.floor(object / layout.segmentObjects));
}

/** Index in the dataset of the bundle with shard `shard` of a segment. @throws BadInputError */
export function bundleIndex(layout: DatasetLayout, segment: number, shard: number): number {
  assertIndex("segment", segment, layout.segments);
  assertIndex("shard", shard, layout.n);
  return segment * layout.n + shard;
}

/** Segment and shard of a bundle: the inverse of {@link bundleIndex}. @throws BadInputError */
export function bundlePlace(layout: DatasetLayout, bundle: number): { segment: number; shard: number } {
  assertIndex("bundle", bundle, layout.bundles);
  return { segment: Math.floor(bundle / layout.n), shard: bundle % layout.n };
}

/** The bytes that hold an object's shard; the same in each bundle of its segment. @throws BadInputError */
export function objectRange(layout: DatasetLayout, object: number): ByteRange {
  const { firstObject } = segmentOfObject(layout, object);
  const start = (object - firstObject) * layout.shardLength;
  return { start, end: start + layout.shardLength };
}

/** The bytes that hold the hash list's shard in each bundle of a segment. @throws BadInputError */
export function hashListRange(layout: DatasetLayout, segment: number): ByteRange {
  const { objects, bundleBytes } = segmentLayout(layout, segment);
  return { start: objects * layout.shardLength, end: bundleBytes };
}

/** Where a byte of a stored object (cipher text and tag when encrypted) lies. @throws BadInputError */
export function locateObjectByte(layout: DatasetLayout, object: number, byte: number): BundlePosition {
  const { segment } = segmentOfObject(layout, object);
  assertIndex("byte", byte, layout.storedObjectSize);
  const shard = Math.floor(byte / layout.shardLength);
  const offset = objectRange(layout, object).start + (byte % layout.shardLength);
  return position(bundleIndex(layout, segment, shard), offset);
}

/** Where a byte of a segment's stored hash list lies. @throws BadInputError */
export function locateHashByte(layout: DatasetLayout, segment: number, byte: number): BundlePosition {
  const { hashListBytes, hashShardLength } = segmentLayout(layout, segment);
  assertIndex("byte", byte, hashListBytes);
  const shard = Math.floor(byte / hashShardLength);
  const offset = hashListRange(layout, segment).start + (byte % hashShardLength);
  return position(bundleIndex(layout, segment, shard), offset);
}

/**
 * What stands at a byte of a bundle: the inverse of {@link locateObjectByte} and {@link locateHashByte}.
 * @throws BadInputError when the bundle or the byte does not exist.
 */
export function contentAt(layout: DatasetLayout, bundle: number, offset: number): BundleContent {
  const { segment, shard } = bundlePlace(layout, bundle);
  const { firstObject, objects, hashListBytes, hashShardLength, bundleBytes } = segmentLayout(
    layout,
    segment,
  );
  assertIndex("offset", offset, bundleBytes);
  const hashesAt = objects * layout.shardLength;
  if (offset >= hashesAt) {
    const shardOffset = offset - hashesAt;
    const byte = blobByte(layout.k, shard, hashShardLength, shardOffset, hashListBytes);
    return { kind: "hashes", segment, shard, shardOffset, byte };
  }
  const object = firstObject + Math.floor(offset / layout.shardLength);
  const shardOffset = offset % layout.shardLength;
  const byte = blobByte(layout.k, shard, layout.shardLength, shardOffset, layout.storedObjectSize);
  return { kind: "object", object, shard, shardOffset, byte };
}

function blobByte(
  k: number,
  shard: number,
  shardLength: number,
  shardOffset: number,
  length: number,
): number | null {
  const byte = shard * shardLength + shardOffset;
  return shard < k && byte < length ? byte : null;
}

function position(bundle: number, offset: number): BundlePosition {
  return { bundle, offset, cell: Math.floor(offset / cellBytes), cellOffset: offset % cellBytes };
}

function assertIndex(name: string, index: number, count: number): void {
  if (Number.isSafeInteger(index) && index >= 0 && index < count) return;
  throw new BadInputError(`There is no ${name} ${index}: it must be an integer from 0 to ${count - 1}.`);
}
