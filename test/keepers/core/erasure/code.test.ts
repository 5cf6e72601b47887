import assert from "node:assert/strict";
import { test } from "node:test";
import { ErasureCode } from "../../../../keepers/src/core/erasure/code.ts";
import { ShardShapeError, TooFewShardsError } from "../../../../keepers/src/core/erasure/errors.ts";
import { CombineKernel, makeTables } from "../../../../keepers/src/core/erasure/kernel.ts";
import { parityRow } from "../../../../keepers/src/core/erasure/matrix.ts";
import { combineScalar } from "../../../../keepers/src/core/erasure/scalar.ts";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import { recordedRefusals } from "../refusals.ts";
import { randomBytes, seededRandom, subset } from "./random.ts";

const throws = recordedRefusals("erasure/code");

const lengths = [1, 2, 7, 15, 16, 17, 31, 32, 33, 63, 98, 100, 255, 300, 65536];
const codes: [number, number][] = [
  [1, 2],
  [1, 255],
  [4, 6],
  [8, 11],
  [16, 20],
  [100, 140],
  [128, 255],
  [254, 255],
];

function without<T>(items: readonly T[], lost: readonly number[]): (T | undefined)[] {
  return items.map((item, at) => (lost.includes(at) ? undefined : item));
}

test("the kernel gives the bytes of the scalar definition", () => {
  const random = seededRandom(1);
  for (const [k, n] of codes) {
    const code = new ErasureCode(k, n);
    const rows = Array.from({ length: n - k }, (_, r) => parityRow(k, k + r));
    for (const length of k > 16 ? [1, 33, 300] : lengths) {
      const data = Array.from({ length: k }, () => randomBytes(random, length));
      const expected = rows.map(() => new Uint8Array(length));
      combineScalar(rows, data, expected);
      assert.deepEqual(code.encode(data), expected, `(${k}, ${n}), ${length} bytes`);
    }
  }
});

test("plain and relaxed swizzle give the same bytes", () => {
  const random = seededRandom(2);
  const rows = Array.from({ length: 7 }, () => randomBytes(random, 5));
  const inputs = Array.from({ length: 5 }, () => randomBytes(random, 256));
  const expected = rows.map(() => new Uint8Array(256));
  combineScalar(rows, inputs, expected);
  for (const relaxed of new Set([false, new CombineKernel(5, 7, 256).relaxed])) {
    const kernel = new CombineKernel(5, 7, 256, relaxed);
    inputs.forEach((input, j) => {
      kernel.memory.set(input, kernel.layout.input + j * 256);
    });
    kernel.run(makeTables(rows), 256);
    const { output } = kernel.layout;
    assert.deepEqual(
      rows.map((_, r) => kernel.memory.slice(output + r * 256, output + (r + 1) * 256)),
      expected,
    );
  }
});

test("all 165 ways to lose three of (8, 11) recover every shard, and so do fewer losses", () => {
  const random = seededRandom(3);
  const code = new ErasureCode(8, 11);
  const blob = randomBytes(random, 784);
  const shards = code.encodeBlob(blob);
  assert.equal(shards.length, 11);
  let patterns = 0;
  for (let mask = 0; mask < 2048; mask++) {
    const lost = [...Array(11).keys()].filter((at) => (mask >> at) & 1);
    if (lost.length > 3) continue;
    if (lost.length === 3) patterns++;
    const left = without(shards, lost);
    assert.deepEqual(code.decodeBlob(left, 784), blob, `lost ${lost}`);
    assert.deepEqual(
      code.reconstruct(left, lost),
      lost.map((at) => shards[at]!),
      `lost ${lost}`,
    );
  }
  assert.equal(patterns, 165);
});

test("random losses of many codes recover, with as many losses as there are parity shards", () => {
  const random = seededRandom(4);
  for (const [k, n] of codes) {
    const code = new ErasureCode(k, n);
    for (let round = 0; round < (k > 16 ? 4 : 40); round++) {
      const blob = randomBytes(random, 1 + Math.floor(random() * 3000));
      const shards = code.encodeBlob(blob);
      const lost = subset(random, n, n - k);
      assert.deepEqual(
        code.decodeBlob(without(shards, lost), blob.length),
        blob,
        `(${k}, ${n}) lost ${lost}`,
      );
      assert.deepEqual(
        code.reconstruct(without(shards, lost), lost),
        lost.map((at) => shards[at]!),
      );
    }
  }
});

test("one loss more than the parity fails and says how many shards are there and needed", () => {
  const code = new ErasureCode(8, 11);
  const shards = without(code.encodeBlob(new Uint8Array(100)), [0, 4, 9, 10]);
  const expected = (error: unknown) => {
    assert(error instanceof TooFewShardsError);
    assert.equal(error.present, 7);
    assert.equal(error.needed, 8);
    assert.match(error.message, /only 7 of the 8 shards/);
    assert.match(error.next!, /find 1 more/);
    return true;
  };
  throws(() => code.decodeBlob(shards, 100), expected);
  throws(() => code.reconstruct(shards, [0]), expected);
  throws(() => code.decodeBlob(new Array(11).fill(undefined), 100), TooFewShardsError);
});

test("coding whole bundles equals coding each object on its own", () => {
  const random = seededRandom(5);
  const code = new ErasureCode(8, 11);
  const objects = Array.from({ length: 50 }, () => randomBytes(random, 65));
  const each = objects.map((object) => code.encodeBlob(object));
  const bundle = (j: number) => Buffer.concat(each.map((shards) => shards[j]!));
  const parity = code.encode([...Array(8).keys()].map(bundle));
  assert.equal(each[0]![0]!.length, 9);
  parity.forEach((bytes, r) => {
    assert.deepEqual(Buffer.from(bytes), bundle(8 + r));
  });
});

test("shards are stored at ⌈length / k⌉ bytes and the last one is padded with zeros", () => {
  const code = new ErasureCode(8, 11);
  const shards = code.encodeBlob(new Uint8Array(65).fill(255));
  assert.deepEqual(
    shards.map((shard) => shard.length),
    new Array(11).fill(9),
  );
  assert.deepEqual([...shards[7]!], [255, 255, 0, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual(
    code.encodeBlob(new Uint8Array(0)).map((shard) => shard.length),
    new Array(11).fill(0),
  );
});

test("encoding into the caller's buffers leaves inputs and neighbours alone", () => {
  const random = seededRandom(6);
  const code = new ErasureCode(2, 3);
  const data = [randomBytes(random, 40), randomBytes(random, 40)];
  const copies = data.map((shard) => shard.slice());
  const backing = new Uint8Array(60).fill(7);
  code.encodeInto(data, [backing.subarray(10, 50)]);
  assert.deepEqual(data, copies);
  assert.deepEqual(backing.subarray(10, 50), code.encode(data)[0]);
  assert.deepEqual([...backing.subarray(0, 10), ...backing.subarray(50)], new Array(20).fill(7));
});

test("more loss patterns than are remembered still decode", () => {
  const random = seededRandom(7);
  const code = new ErasureCode(16, 20);
  const blob = randomBytes(random, 160);
  const shards = code.encodeBlob(blob);
  for (let round = 0; round < 600; round++) {
    assert.deepEqual(code.decodeBlob(without(shards, subset(random, 20, 4)), 160), blob);
  }
});

test("impossible codes and shards that do not fit are refused", () => {
  for (const [k, n] of [
    [0, 1],
    [3, 3],
    [4, 3],
    [8, 256],
    [1.5, 3],
    [-1, 2],
  ] as const) {
    throws(() => new ErasureCode(k, n), BadInputError, `(${k}, ${n})`);
  }
  const code = new ErasureCode(2, 4);
  const shards = code.encodeBlob(new Uint8Array(10));
  throws(() => code.encode([new Uint8Array(3)]), ShardShapeError);
  throws(() => code.encode([new Uint8Array(3), new Uint8Array(4)]), ShardShapeError);
  throws(() => code.encodeInto([new Uint8Array(3), new Uint8Array(3)], [new Uint8Array(3)]), ShardShapeError);
  throws(() => code.decodeBlob(shards.slice(1), 10), ShardShapeError);
  throws(() => code.decodeBlob(shards, 11), ShardShapeError);
  throws(
    () => code.decodeBlob([shards[0], shards[1]!.subarray(1), undefined, undefined], 10),
    ShardShapeError,
  );
  throws(() => code.reconstruct(shards, [4]), ShardShapeError);
  throws(() => code.reconstruct(shards, [-1]), ShardShapeError);
});
