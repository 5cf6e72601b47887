import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { concat, keccak256 } from "viem";
import {
  type DecodeParameters,
  decodeHashList,
  decodeObjects,
  planHashRead,
  planRead,
  WrongEncodingError,
} from "../../../../keepers/src/core/dataset/decode.ts";
import { type EncodedSegment, encodeDataset } from "../../../../keepers/src/core/dataset/encode.ts";
import { DecryptionError, openObject } from "../../../../keepers/src/core/dataset/encryption.ts";
import { contentAt, datasetLayout, segmentLayout } from "../../../../keepers/src/core/dataset/layout.ts";
import { ObjectHashes, WrongHashListError } from "../../../../keepers/src/core/dataset/object-hashes.ts";
import { ErasureCode } from "../../../../keepers/src/core/erasure/code.ts";
import { TooFewShardsError } from "../../../../keepers/src/core/erasure/errors.ts";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import { generator } from "../../storage/random.ts";
import { recordedRefusals } from "../refusals.ts";

const throws = recordedRefusals("dataset/segment");

type Hex = `0x${string}`;
const toHex = (bytes: Uint8Array): Hex => `0x${Buffer.from(bytes).toString("hex")}`;
const zero: Hex = `0x${"00".repeat(32)}`;

/** The specification's binary tree, with viem's keccak256 and every absent leaf written out. */
function treeRoot(leaves: readonly Hex[]): Hex {
  let nodes = [...leaves];
  let size = 1;
  while (size < nodes.length) size *= 2;
  while (nodes.length < size) nodes.push(zero);
  while (nodes.length > 1) {
    nodes = Array.from({ length: nodes.length / 2 }, (_, i) =>
      keccak256(concat(["0x01", nodes[2 * i]!, nodes[2 * i + 1]!])),
    );
  }
  return nodes[0]!;
}

function hashOf(object: Uint8Array): Hex {
  const chunks: Hex[] = [];
  for (let at = 0; at < object.length; at += 1024) {
    chunks.push(keccak256(concat(["0x00", toHex(object.subarray(at, at + 1024))])));
  }
  return treeRoot(chunks);
}

type Options = { k: number; n: number; objectSize: number; segmentObjects: number; encrypted: boolean };

const key = generator(99).bytes(32);
const salt = generator(98).bytes(32);

async function encodeAll(objects: readonly Uint8Array[], options: Options) {
  const cipher = options.encrypted ? { key, salt } : null;
  const segments: EncodedSegment[] = [];
  const encoding = encodeDataset({ ...options, cipher }, objects);
  let step = await encoding.next();
  for (; !step.done; step = await encoding.next()) segments.push(step.value);
  const layout = datasetLayout({ ...options, objectCount: step.value.objectCount });
  const parameters: DecodeParameters = { layout, code: new ErasureCode(options.k, options.n), cipher };
  return { segments, ...step.value, layout, parameters };
}

type Encoded = Awaited<ReturnType<typeof encodeAll>>;

/** The bytes that a client holding only the surviving bundles would fetch. */
function fetchRange(
  encoded: Encoded,
  segment: number,
  range: { start: number; end: number },
  lost: readonly number[],
) {
  return encoded.segments[segment]!.bundles.map((bundle, j) =>
    lost.includes(j) ? undefined : bundle.slice(range.start, range.end),
  );
}

function readHashes(encoded: Encoded, lost: readonly number[] = []): ObjectHashes {
  const lists = encoded.segments.map((_, segment) => {
    const { range } = planHashRead(encoded.layout, segment);
    return decodeHashList(encoded.parameters, segment, fetchRange(encoded, segment, range, lost));
  });
  return new ObjectHashes(encoded.layout, encoded.objectRoot, lists);
}

function readObjects(encoded: Encoded, first: number, end: number, lost: readonly number[]): Uint8Array[] {
  const hashes = readHashes(encoded, lost);
  return planRead(encoded.layout, first, end).flatMap((read) => [
    ...decodeObjects(encoded.parameters, read, fetchRange(encoded, read.segment, read.range, lost), hashes),
  ]);
}

function pick(random: ReturnType<typeof generator>, n: number, count: number): number[] {
  const left = Array.from({ length: n }, (_, i) => i);
  return Array.from({ length: count }, () => left.splice(random.integer(left.length), 1)[0]!);
}

function sample(seed: number, encrypted: boolean) {
  const random = generator(seed);
  const k = 1 + random.integer(9);
  const options = {
    k,
    n: k + 1 + random.integer(4),
    objectSize: 1 + random.integer(random.integer(3) === 0 ? 3000 : 60),
    segmentObjects: 1 + random.integer(6),
    encrypted,
  };
  const objects = Array.from({ length: 1 + random.integer(15) }, () => random.bytes(options.objectSize));
  return { random, options, objects };
}

const bytes = (list: readonly Uint8Array[]) => list.map((item) => Buffer.from(item).toString("hex"));

describe("encoding a dataset", () => {
  it("writes the bundles, hashes and root that the specification describes, byte by byte", async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const { options, objects } = sample(seed, false);
      const { segments, layout, objectRoot } = await encodeAll(objects, options);
      assert.equal(toHex(objectRoot), treeRoot(objects.map(hashOf)));
      assert.equal(segments.length, layout.segments);
      for (const { segment, firstObject, objects: count, bundles, objectHashes } of segments) {
        const place = segmentLayout(layout, segment);
        assert.deepEqual([place.firstObject, place.objects], [firstObject, count]);
        const hashes = objects.slice(firstObject, firstObject + count).map(hashOf);
        assert.equal(toHex(objectHashes), concat(hashes));
        assert.equal(bundles.length, options.n);
        for (const [j, bundle] of bundles.entries()) {
          assert.equal(bundle.length, place.bundleBytes);
          if (j >= options.k) continue;
          for (const [offset, byte] of bundle.entries()) {
            const content = contentAt(layout, segment * options.n + j, offset);
            const blob = content.kind === "object" ? objects[content.object]! : objectHashes;
            assert.equal(byte, content.byte === null ? 0 : blob[content.byte]);
          }
        }
        const parity = new ErasureCode(options.k, options.n).encode(bundles.slice(0, options.k));
        assert.deepEqual(bytes(bundles.slice(options.k)), bytes(parity));
      }
    }
  });

  it("codes bundles as it would code each object and the hash list by itself", async () => {
    const { options, objects } = sample(7, false);
    const { segments, layout } = await encodeAll(objects, options);
    const code = new ErasureCode(options.k, options.n);
    for (const { firstObject, objects: count, bundles, objectHashes } of segments) {
      for (let i = 0; i < count; i++) {
        const range = [i * layout.shardLength, (i + 1) * layout.shardLength] as const;
        assert.deepEqual(
          bytes(bundles.map((bundle) => bundle.subarray(...range))),
          bytes(code.encodeBlob(objects[firstObject + i]!)),
        );
      }
      const list = bundles.map((bundle) => bundle.subarray(count * layout.shardLength));
      assert.deepEqual(bytes(list), bytes(code.encodeBlob(objectHashes)));
    }
  });

  it("seals each object and hash list for its place when encrypted, and no plain byte run shows", async () => {
    const options = { k: 1, n: 2, objectSize: 64, segmentObjects: 2, encrypted: true };
    const objects = Array.from({ length: 3 }, (_, i) => new Uint8Array(64).fill(i + 1));
    const { segments, layout } = await encodeAll(objects, options);
    assert.equal(layout.storedObjectSize, 80);
    const stored = (segment: number, i: number) =>
      segments[segment]!.bundles[0]!.subarray(i * 80, (i + 1) * 80);
    for (const [object, place] of [stored(0, 0), stored(0, 1), stored(1, 0)].entries()) {
      assert.deepEqual(openObject({ key, salt }, { kind: "objects", index: object }, place), objects[object]);
      assert.ok(!Buffer.from(place).includes(Buffer.alloc(4, object + 1)));
    }
    const list = segments[1]!.bundles[0]!.subarray(80);
    const opened = openObject({ key, salt }, { kind: "hashes", index: 1 }, list);
    assert.equal(toHex(opened), hashOf(objects[2]!));
  });

  it("refuses no objects, objects of another size, and more bundles than one anchor holds", async () => {
    const options = { k: 2, n: 300 - 45, objectSize: 4, segmentObjects: 1, encrypted: false };
    const all = (count: number) =>
      encodeAll(
        Array.from({ length: count }, () => new Uint8Array(4)),
        options,
      );
    await assert.rejects(encodeAll([], options), /no object/);
    await assert.rejects(encodeAll([new Uint8Array(4), new Uint8Array(5)], options), /Object 1 has 5 bytes/);
    await assert.rejects(
      all(4),
      (error: unknown) => error instanceof BadInputError && /3 objects fit/.test(error.next ?? ""),
    );
    assert.equal((await all(3)).segments.length, 3);
    await assert.rejects(encodeAll([], { ...options, k: 49, n: 60 }), /^BadInputError: k is 49/);
  });
});

describe("decoding a dataset", () => {
  for (const encrypted of [false, true]) {
    it(`gives any run of objects from any k bundles (${encrypted ? "encrypted" : "plain"})`, async () => {
      for (let seed = 100; seed < 130; seed++) {
        const { random, options, objects } = sample(seed, encrypted);
        const encoded = await encodeAll(objects, options);
        const lost = pick(random, options.n, random.integer(options.n - options.k + 1));
        const first = random.integer(objects.length);
        const end = first + 1 + random.integer(objects.length - first);
        assert.deepEqual(bytes(readObjects(encoded, first, end, lost)), bytes(objects.slice(first, end)));
        assert.deepEqual(bytes(readObjects(encoded, 0, objects.length, lost)), bytes(objects));
      }
    });
  }

  it("survives all 165 ways to lose 3 of 11 bundles, and none of those to lose 4", async () => {
    const options = { k: 8, n: 11, objectSize: 65, segmentObjects: 4, encrypted: false };
    const objects = Array.from({ length: 4 }, (_, i) => generator(i).bytes(65));
    const encoded = await encodeAll(objects, options);
    let patterns = 0;
    for (let a = 0; a < 11; a++) {
      for (let b = a + 1; b < 11; b++) {
        for (let c = b + 1; c < 11; c++) {
          patterns++;
          assert.deepEqual(bytes(readObjects(encoded, 0, 4, [a, b, c])), bytes(objects));
          const fourth = [0, 1, 2, 3].find((j) => j !== a && j !== b && j !== c)!;
          throws(() => readObjects(encoded, 0, 4, [a, b, c, fourth]), TooFewShardsError);
        }
      }
    }
    assert.equal(patterns, 165);
    throws(() => readObjects(encoded, 2, 3, [0, 1, 2, 10]), /7 of the 8/);
  });

  it("plans exactly the bytes of the objects asked for", () => {
    const shape = { k: 4, n: 6, objectCount: 10, objectSize: 100, segmentObjects: 4, encrypted: false };
    const layout = datasetLayout(shape);
    assert.deepEqual(planRead(layout, 3, 9), [
      { segment: 0, firstObject: 3, endObject: 4, firstBundle: 0, range: { start: 75, end: 100 } },
      { segment: 1, firstObject: 4, endObject: 8, firstBundle: 6, range: { start: 0, end: 100 } },
      { segment: 2, firstObject: 8, endObject: 9, firstBundle: 12, range: { start: 0, end: 25 } },
    ]);
    assert.deepEqual(planRead(layout, 3, 3), []);
    assert.deepEqual(planHashRead(layout, 2).range, { start: 50, end: 66 });
    throws(() => planRead(layout, 9, 11), BadInputError);
    throws(() => planRead(layout, -1, 1), BadInputError);
    throws(() => planHashRead(layout, 3), BadInputError);
  });

  it("finds a corrupt shard of the right length, whichever bundle it lies in", async () => {
    const options = { k: 3, n: 5, objectSize: 50, segmentObjects: 4, encrypted: false };
    const objects = Array.from({ length: 4 }, (_, i) => generator(i).bytes(50));
    for (let j = 0; j < 5; j++) {
      const encoded = await encodeAll(objects, options);
      const lost = [0, 1, 2, 3, 4].filter((other) => other !== j).slice(0, 2);
      const hashes = readHashes(encoded);
      encoded.segments[0]!.bundles[j]![17]! ^= 1;
      const [read] = planRead(encoded.layout, 0, 4);
      const shards = fetchRange(encoded, 0, read!.range, lost);
      throws(() => [...decodeObjects(encoded.parameters, read!, shards, hashes)], WrongEncodingError);
      encoded.segments[0]!.bundles[j]![17]! ^= 1;
      encoded.segments[0]!.bundles[j]!.set([1, 2, 3], 4 * 17);
      throws(() => readHashes(encoded, lost), WrongHashListError);
    }
  });

  it("does not open an encrypted dataset with another key or another dataset's salt", async () => {
    const { options, objects } = sample(55, true);
    const encoded = await encodeAll(objects, options);
    for (const cipher of [
      { key: salt, salt },
      { key, salt: key },
    ]) {
      const wrong = { ...encoded, parameters: { ...encoded.parameters, cipher } };
      throws(() => readHashes(wrong), DecryptionError);
    }
  });

  it("refuses hash lists that are missing, swapped, cut or of another dataset", async () => {
    const options = { k: 2, n: 3, objectSize: 8, segmentObjects: 2, encrypted: false };
    const objects = Array.from({ length: 4 }, (_, i) => generator(i).bytes(8));
    const { layout, objectRoot, segments } = await encodeAll(objects, options);
    const lists = segments.map(({ objectHashes }) => objectHashes);
    const make = (others: readonly Uint8Array[], root = objectRoot) => new ObjectHashes(layout, root, others);
    assert.deepEqual(toHex(make(lists).of(3)), hashOf(objects[3]!));
    throws(() => make([lists[0]!]), WrongHashListError);
    throws(() => make([lists[1]!, lists[0]!]), WrongHashListError);
    throws(() => make([lists[0]!, lists[1]!.subarray(1)]), WrongHashListError);
    throws(() => make(lists, new Uint8Array(32)), WrongHashListError);
    throws(() => make(lists, new Uint8Array(0)), WrongHashListError);
  });

  it("proves each object's hash under the root", async () => {
    const options = { k: 2, n: 3, objectSize: 8, segmentObjects: 2, encrypted: false };
    const objects = Array.from({ length: 5 }, (_, i) => generator(i).bytes(8));
    const encoded = await encodeAll(objects, options);
    const hashes = readHashes(encoded);
    for (const [i, object] of objects.entries()) {
      let node = hashOf(object);
      for (const [level, sibling] of hashes.proof(i).map(toHex).entries()) {
        const pair = (i >> level) & 1 ? [sibling, node] : [node, sibling];
        node = keccak256(concat(["0x01", ...pair]));
      }
      assert.equal(node, toHex(encoded.objectRoot));
    }
    throws(() => hashes.proof(5), BadInputError);
  });
});
