import { ErasureCode } from "../erasure/code.ts";
import { BadInputError } from "../errors.ts";
import { RootBuilder } from "../merkle/binary-tree.ts";
import { objectHash } from "../merkle/object-hash.ts";
import { type DatasetCipher, sealObject } from "./encryption.ts";
import { assertShape, type DatasetShape, hashBytes, maxBundles, tagBytes } from "./shape.ts";

export type EncodeParameters = Omit<DatasetShape, "objectCount" | "encrypted"> & {
  /** Key and salt of an encrypted dataset; null for a plain one. */
  cipher: DatasetCipher | null;
};

/** One segment, ready to be stored. */
export type EncodedSegment = {
  segment: number;
  /** Index of its first object in the dataset. */
  firstObject: number;
  objects: number;
  /** n bundles of equal length: bundle j of the segment is bundle segment · n + j of the dataset. */
  bundles: Uint8Array[];
  /** Hashes of its objects' plain bytes, 32 bytes each. */
  objectHashes: Uint8Array;
};

/** What is known of a dataset once all its objects were read. */
export type EncodedDataset = { objectCount: number; objectRoot: Uint8Array };

/**
 * Turns objects into segments of n bundles (storage protocol, section 2). The number of objects need not be known.
 * Memory: the n bundles of one segment, at most n · 8.1 MB, provided that the caller lets go of each before the next.
 * @throws BadInputError when the numbers break a limit, there is no object, or one has another size.
 */
export async function* encodeDataset(
  parameters: EncodeParameters,
  objects: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): AsyncGenerator<EncodedSegment, EncodedDataset> {
  const { k, n, segmentObjects, cipher } = parameters;
  assertShape({ ...parameters, objectCount: 1, encrypted: cipher !== null });
  const code = new ErasureCode(k, n);
  const root = new RootBuilder();
  let encoder: SegmentEncoder | undefined;
  for await (const object of objects) {
    encoder ??= new SegmentEncoder(parameters, code, root.count / segmentObjects);
    root.push(encoder.push(object));
    if (root.count % segmentObjects > 0) continue;
    yield encoder.finish();
    encoder = undefined;
  }
  if (encoder !== undefined) yield encoder.finish();
  if (root.count === 0)
    throw new BadInputError("There is no object.", { next: "A dataset needs at least one." });
  return { objectCount: root.count, objectRoot: root.root() };
}

/** Gathers the shards of one segment's objects in their bundles. */
class SegmentEncoder {
  readonly #parameters: EncodeParameters;
  readonly #code: ErasureCode;
  readonly #segment: number;
  readonly #shardLength: number;
  readonly #bundles: GrowingBytes[];
  readonly #hashes: GrowingBytes;
  #objects = 0;

  constructor(parameters: EncodeParameters, code: ErasureCode, segment: number) {
    const { k, n, objectSize, segmentObjects, cipher } = parameters;
    if ((segment + 1) * n > maxBundles) {
      throw new BadInputError(
        `The dataset has more objects than fit in the ${maxBundles} bundles of one anchor.`,
        {
          next: `Split it: ${Math.floor(maxBundles / n) * segmentObjects} objects fit with these numbers.`,
        },
      );
    }
    this.#parameters = parameters;
    this.#code = code;
    this.#segment = segment;
    const tag = cipher === null ? 0 : tagBytes;
    this.#shardLength = Math.ceil((objectSize + tag) / k);
    const fullList = hashBytes * segmentObjects;
    const fullBundle = segmentObjects * this.#shardLength + Math.ceil((fullList + tag) / k);
    this.#bundles = Array.from({ length: k }, () => new GrowingBytes(fullBundle));
    this.#hashes = new GrowingBytes(fullList);
  }

  get #firstObject(): number {
    return this.#segment * this.#parameters.segmentObjects;
  }

  /** Adds the next object; returns its hash. */
  push(object: Uint8Array): Uint8Array {
    const { objectSize, cipher } = this.#parameters;
    const index = this.#firstObject + this.#objects;
    if (object.length !== objectSize) {
      throw new BadInputError(`Object ${index} has ${object.length} bytes; every object has ${objectSize}.`);
    }
    const hash = objectHash(object);
    this.#hashes.append(hash, hashBytes);
    this.#objects++;
    this.#addBlob(
      cipher === null ? object : sealObject(cipher, { kind: "objects", index }, object),
      this.#shardLength,
    );
    return hash;
  }

  finish(): EncodedSegment {
    const { k, cipher } = this.#parameters;
    const objectHashes = this.#hashes.bytes();
    const place = { kind: "hashes", index: this.#segment } as const;
    const list = cipher === null ? objectHashes : sealObject(cipher, place, objectHashes);
    this.#addBlob(list, Math.ceil(list.length / k));
    const data = this.#bundles.map((bundle) => bundle.bytes());
    // Coding is byte-wise, so coding the bundles is coding each object and the hash list.
    const parity = this.#code.encode(data);
    return {
      segment: this.#segment,
      firstObject: this.#firstObject,
      objects: this.#objects,
      bundles: [...data, ...parity],
      objectHashes,
    };
  }

  #addBlob(blob: Uint8Array, shardLength: number): void {
    for (const [j, bundle] of this.#bundles.entries()) {
      bundle.append(blob.subarray(j * shardLength, (j + 1) * shardLength), shardLength);
    }
  }
}

/** Bytes that grow at the end, up to a length known before; what was not written is zero. */
class GrowingBytes {
  readonly #most: number;
  #bytes: Uint8Array;
  #length = 0;

  constructor(most: number) {
    this.#most = most;
    this.#bytes = new Uint8Array(Math.min(most, 64 * 1024));
  }

  /** Appends the bytes, filled with zeros up to `length`. */
  append(bytes: Uint8Array, length: number): void {
    const end = this.#length + length;
    if (end > this.#bytes.length) this.#resize(Math.min(this.#most, Math.max(end, 2 * this.#bytes.length)));
    this.#bytes.set(bytes, this.#length);
    this.#length = end;
  }

  /** What was appended, in a buffer of just that length. */
  bytes(): Uint8Array {
    if (this.#length < this.#bytes.length) this.#resize(this.#length);
    return this.#bytes;
  }

  #resize(length: number): void {
    const resized = new Uint8Array(length);
    resized.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = resized;
  }
}
