import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  bundleIndex,
  bundlePlace,
  contentAt,
  datasetLayout,
  hashListRange,
  locateHashByte,
  locateObjectByte,
  objectRange,
  segmentLayout,
  segmentOfObject,
} from "../../../../keepers/src/core/dataset/layout.ts";
import {
  chooseSegmentObjects,
  type DatasetShape,
  largestSegmentObjects,
} from "../../../../keepers/src/core/dataset/shape.ts";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import { generator } from "../../storage/random.ts";
import { recordedRefusals } from "../refusals.ts";

const throws = recordedRefusals("dataset/layout");

/** A dataset laid out by writing it: every byte of every bundle is labelled with what stands there. */
function writeOut(shape: DatasetShape): string[][] {
  const tag = shape.encrypted ? 16 : 0;
  const bundles: string[][] = [];
  for (let first = 0; first < shape.objectCount; first += shape.segmentObjects) {
    const segment = first / shape.segmentObjects;
    const objects = Math.min(shape.segmentObjects, shape.objectCount - first);
    const blobs = Array.from({ length: objects }, (_, i) =>
      Array.from({ length: shape.objectSize + tag }, (_, byte) => `object ${first + i} byte ${byte}`),
    );
    blobs.push(Array.from({ length: 32 * objects + tag }, (_, byte) => `hashes ${segment} byte ${byte}`));
    for (let j = 0; j < shape.n; j++) {
      const bundle: string[] = [];
      for (const blob of blobs) {
        const length = Math.ceil(blob.length / shape.k);
        for (let i = 0; i < length; i++)
          bundle.push(j < shape.k ? (blob[j * length + i] ?? "zero") : "parity");
      }
      bundles.push(bundle);
    }
  }
  return bundles;
}

function randomShape(random: ReturnType<typeof generator>): DatasetShape {
  const k = 1 + random.integer(12);
  const shape = {
    k,
    n: k + 1 + random.integer(5),
    objectCount: 1 + random.integer(9),
    objectSize: 1 + random.integer(random.integer(2) === 0 ? 20 : 400),
    segmentObjects: 1 + random.integer(9),
    encrypted: random.integer(2) === 0,
  };
  return shape;
}

describe("layout of a dataset", () => {
  it("places every byte where writing the dataset out puts it, for random shapes", () => {
    const random = generator(1);
    for (let trial = 0; trial < 60; trial++) {
      const shape = randomShape(random);
      const layout = datasetLayout(shape);
      const bundles = writeOut(shape);
      assert.equal(layout.bundles, bundles.length);
      for (const [bundle, bytes] of bundles.entries()) {
        const { segment, shard } = bundlePlace(layout, bundle);
        assert.equal(bundleIndex(layout, segment, shard), bundle);
        const { bundleBytes, cells } = segmentLayout(layout, segment);
        assert.equal(bundleBytes, bytes.length);
        assert.equal(cells, Math.ceil(bytes.length / 496));
        for (const [offset, label] of bytes.entries()) {
          const content = contentAt(layout, bundle, offset);
          if (content.byte === null) {
            assert.equal(label, shard < shape.k ? "zero" : "parity");
            continue;
          }
          const of = content.kind === "object" ? content.object : content.segment;
          assert.equal(label, `${content.kind} ${of} byte ${content.byte}`);
          const place =
            content.kind === "object"
              ? locateObjectByte(layout, content.object, content.byte)
              : locateHashByte(layout, content.segment, content.byte);
          assert.deepEqual(place, {
            bundle,
            offset,
            cell: Math.floor(offset / 496),
            cellOffset: offset % 496,
          });
        }
      }
    }
  });

  it("gives the byte ranges of an object and of the hash list in each bundle", () => {
    const random = generator(2);
    for (let trial = 0; trial < 40; trial++) {
      const shape = randomShape(random);
      const layout = datasetLayout(shape);
      const bundles = writeOut(shape);
      for (let object = 0; object < shape.objectCount; object++) {
        const { start, end } = objectRange(layout, object);
        const { segment } = segmentOfObject(layout, object);
        for (let shard = 0; shard < shape.k; shard++) {
          const bytes = bundles[bundleIndex(layout, segment, shard)]!.slice(start, end);
          assert.equal(bytes.length, layout.shardLength);
          assert.ok(bytes.every((label) => label === "zero" || label.startsWith(`object ${object} `)));
        }
      }
      for (let segment = 0; segment < layout.segments; segment++) {
        const { start, end } = hashListRange(layout, segment);
        const bytes = bundles[bundleIndex(layout, segment, 0)]!;
        assert.ok(bytes.slice(start, end).every((label) => label.startsWith("hashes")));
        assert.equal(end, bytes.length);
        assert.ok(!bytes[start - 1]!.startsWith("hashes"));
      }
    }
  });

  it("has the sizes of the built-in digits by hand", () => {
    const shape = { k: 8, n: 11, objectCount: 1797, objectSize: 65, segmentObjects: 1797, encrypted: false };
    const layout = datasetLayout(shape);
    assert.equal(layout.shardLength, 9);
    assert.deepEqual(segmentLayout(layout, 0), {
      segment: 0,
      firstObject: 0,
      objects: 1797,
      hashListBytes: 57504,
      hashShardLength: 7188,
      bundleBytes: 23361,
      cells: 48,
    });
  });

  it("fills a segment to the last object that fits in 16384 cells", () => {
    const random = generator(3);
    for (let trial = 0; trial < 200; trial++) {
      const k = 1 + random.integer(36);
      const coding = { k, objectSize: 1 + random.integer(100_000), encrypted: random.integer(2) === 0 };
      const tag = coding.encrypted ? 16 : 0;
      const cells = (objects: number) =>
        (objects * Math.ceil((coding.objectSize + tag) / k) + Math.ceil((32 * objects + tag) / k)) / 496;
      const largest = largestSegmentObjects(coding);
      assert.ok(cells(largest) <= 16384, `${JSON.stringify(coding)} fits`);
      assert.ok(cells(largest + 1) > 16384, `${JSON.stringify(coding)} is the largest`);
      assert.equal(chooseSegmentObjects(coding, { atMost: 3 }), Math.min(3, largest));
      assert.equal(chooseSegmentObjects(coding, { objectCount: 2 }), Math.min(2, largest));
    }
    assert.equal(largestSegmentObjects({ k: 1, objectSize: 8126432, encrypted: false }), 1);
  });

  const valid = { k: 8, n: 11, objectCount: 100, objectSize: 1000, segmentObjects: 10, encrypted: false };
  const refused: [string, Partial<DatasetShape>, RegExp][] = [
    ["k of 0", { k: 0 }, /^k is 0/],
    ["k above 36", { k: 37, n: 60 }, /^k is 37.* 36/],
    ["a fractional k", { k: 1.5 }, /^k is 1.5/],
    ["n that leaves no parity", { n: 8 }, /^n is 8.* from 9 to 255/],
    ["n above 255", { n: 256 }, /^n is 256/],
    ["no objects", { objectCount: 0 }, /^objectCount is 0/],
    ["a count that is no safe integer", { objectCount: 2 ** 53 }, /^objectCount/],
    ["empty objects", { objectSize: 0 }, /^objectSize is 0/],
    ["objects above 2^31 bytes", { objectSize: 2 ** 31 + 1 }, /^objectSize/],
    ["an object too long for a bundle", { objectSize: 2 ** 31 }, /does not fit/],
    ["one byte too many for a bundle", { k: 1, objectSize: 8126433, segmentObjects: 1 }, /does not fit/],
    ["segments of no objects", { segmentObjects: 0 }, /^segmentObjects is 0/],
    [
      "segments above 16384 cells",
      { objectCount: 100_000, segmentObjects: 63_000 },
      /^segmentObjects is 63000.* to \d+/,
    ],
    ["more than 900 bundles", { objectCount: 82, segmentObjects: 1 }, /902 bundles.* 900/],
    ["NaN", { objectSize: Number.NaN }, /^objectSize is NaN/],
  ];
  for (const [name, change, message] of refused) {
    it(`refuses ${name} and says what to do`, () => {
      throws(
        () => datasetLayout({ ...valid, ...change }),
        (error: unknown) =>
          error instanceof BadInputError && message.test(error.message) && error.next !== undefined,
      );
    });
  }

  it("takes a segment that has room for more objects than there are, as the registry does", () => {
    const segmentOf = (objectCount: number) =>
      segmentLayout(datasetLayout({ ...valid, objectCount, segmentObjects: 2 ** 32 - 1 }), 0);
    assert.deepEqual([segmentOf(1).objects, segmentOf(1).bundleBytes], [1, 125 + 4]);
    const largest = largestSegmentObjects(valid);
    assert.equal(segmentOf(largest).objects, largest);
    for (const segmentObjects of [largest + 1, 2 ** 32 - 1]) {
      throws(() => datasetLayout({ ...valid, objectCount: largest + 1, segmentObjects }), /segmentObjects/);
    }
  });

  it("advises larger segments when there are too many bundles, and a split when those do not help", () => {
    const next = (change: Partial<DatasetShape>) => {
      try {
        datasetLayout({ ...valid, ...change });
      } catch (error) {
        return (error as BadInputError).next;
      }
    };
    assert.match(next({ objectCount: 82, segmentObjects: 1 })!, /Raise segmentObjects/);
    const largest = largestSegmentObjects(valid);
    assert.match(
      next({ objectCount: 82 * largest, segmentObjects: largest })!,
      new RegExp(`at most ${81 * largest} objects`),
    );
    assert.doesNotThrow(() =>
      datasetLayout({ ...valid, objectCount: 81 * largest, segmentObjects: largest }),
    );
  });

  it("refuses places outside the dataset", () => {
    const layout = datasetLayout(valid);
    const { bundleBytes } = segmentLayout(layout, 0);
    for (const call of [
      () => segmentLayout(layout, 10),
      () => segmentOfObject(layout, 100),
      () => objectRange(layout, -1),
      () => bundlePlace(layout, 110),
      () => bundleIndex(layout, 0, 11),
      () => locateObjectByte(layout, 0, 1000),
      () => locateHashByte(layout, 0, 320),
      () => contentAt(layout, 0, bundleBytes),
      () => contentAt(layout, 0, 0.5),
    ]) {
      throws(call, BadInputError);
    }
  });
});
