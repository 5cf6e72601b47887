import { BadInputError } from "../errors.ts";

/** Bytes of a cell, the unit of audits and fraud proofs: 16 field elements of 31 bytes. */
export const cellBytes = 496;
/** Leaves of a bundle's possession tree: 4^7. */
export const maxCells = 16384;
/** The longest bundle: 8,126,464 bytes. */
export const maxBundleBytes = cellBytes * maxCells;
/** Most data shards of a dataset: a codeword fraud proof opens k + 1 cells in one transaction. */
export const maxDataShards = 36;
/** Most shards: the non-zero positions of the Cauchy matrix over GF(2^8). */
export const maxShards = 255;
export const maxObjectSize = 2 ** 31;
/** What the registry has room for. */
const maxSegmentObjects = 2 ** 32 - 1;
/** Most bundles of a dataset: their roots are anchored in one transaction. */
export const maxBundles = 900;
/** Bytes of an object hash. */
export const hashBytes = 32;
/** Bytes of the Poly1305 tag that an encrypted object carries. */
export const tagBytes = 16;

/** What an anchor says about a dataset's form; everything else about its layout follows from it. */
export type DatasetShape = {
  /** Data shards, 1 ≤ k ≤ 48. */
  k: number;
  /** All shards, k < n ≤ 255. */
  n: number;
  /** Objects, at least 1. */
  objectCount: number;
  /** Plain bytes of each object, 1 … 2^31. */
  objectSize: number;
  /** Objects of a full segment; the last segment may have fewer. */
  segmentObjects: number;
  encrypted: boolean;
};

/** The part of a shape that fixes how long the shards are. */
export type CodingShape = Pick<DatasetShape, "k" | "objectSize" | "encrypted">;

/**
 * Refuses a shape that cannot be stored or anchored.
 * @throws BadInputError that names the value, its limit and the remedy.
 */
export function assertShape(shape: DatasetShape): void {
  const { k, n, objectCount, objectSize, segmentObjects } = shape;
  assertRange("k", k, 1, maxDataShards, "Choose fewer data shards.");
  assertRange("n", n, k + 1, maxShards, "n counts data and parity shards together and must be above k.");
  assertRange("objectCount", objectCount, 1, Number.MAX_SAFE_INTEGER, "A dataset needs at least one object.");
  assertRange("objectSize", objectSize, 1, maxObjectSize, "Cut large records into objects of a fixed size.");
  const largest = largestSegmentObjects(shape);
  // As the registry bounds it: a segment of which there is one alone has no more objects than there are.
  assertRange(
    "segmentObjects",
    segmentObjects,
    1,
    objectCount <= largest ? maxSegmentObjects : largest,
    `A bundle of a segment may have at most ${maxCells} cells.`,
  );
  const bundles = Math.ceil(objectCount / segmentObjects) * n;
  if (bundles > maxBundles) {
    const most = Math.floor(maxBundles / n) * largest;
    throw new BadInputError(
      `The dataset would have ${bundles} bundles, more than the ${maxBundles} of one anchor.`,
      {
        next:
          segmentObjects < largest && objectCount <= most
            ? `Raise segmentObjects (up to ${largest}).`
            : `Split it into several datasets of at most ${most} objects each, or use fewer shards.`,
      },
    );
  }
}

/**
 * The most objects of which a segment's bundle still fits in {@link maxCells} cells.
 * @throws BadInputError when not even one object fits.
 */
export function largestSegmentObjects({ k, objectSize, encrypted }: CodingShape): number {
  const tag = encrypted ? tagBytes : 0;
  const shardLength = Math.ceil((objectSize + tag) / k);
  const bytesOf = (objects: number) => objects * shardLength + Math.ceil((hashBytes * objects + tag) / k);
  let fits = 0;
  let tooMany = maxBundleBytes + 1;
  while (tooMany - fits > 1) {
    const middle = Math.floor((fits + tooMany) / 2);
    if (bytesOf(middle) <= maxBundleBytes) fits = middle;
    else tooMany = middle;
  }
  if (fits === 0) {
    throw new BadInputError(
      `An object of ${objectSize} bytes does not fit: at k = ${k} its shards have ${shardLength} bytes, a bundle holds ${maxBundleBytes}.`,
      { next: "Use smaller objects or more data shards." },
    );
  }
  return fits;
}

/**
 * How many objects a full segment gets: the largest number that fits, or fewer when asked for or when there are fewer.
 * @throws BadInputError when not even one object fits.
 */
export function chooseSegmentObjects(
  coding: CodingShape,
  limits: { atMost?: number; objectCount?: number } = {},
): number {
  const wanted = Math.min(
    limits.atMost ?? Number.POSITIVE_INFINITY,
    limits.objectCount ?? Number.POSITIVE_INFINITY,
  );
  return Math.max(1, Math.min(largestSegmentObjects(coding), wanted));
}

function assertRange(name: string, value: number, least: number, most: number, next: string): void {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return;
  throw new BadInputError(`${name} is ${value}; it must be an integer from ${least} to ${most}.`, { next });
}
