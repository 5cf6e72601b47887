import assert from "node:assert/strict";
import { test } from "node:test";
import { ErasureCode } from "../../../../keepers/src/core/erasure/code.ts";
import { ShardShapeError } from "../../../../keepers/src/core/erasure/errors.ts";
import {
  findWrongSymbol,
  fraudCombination,
  searchWrongSymbol,
} from "../../../../keepers/src/core/erasure/fraud.ts";
import { recordedRefusals } from "../refusals.ts";
import { randomBytes, seededRandom, subset } from "./random.ts";

const throws = recordedRefusals("erasure/fraud");

test("any k + 1 symbols of a codeword combine to 0, and one changed symbol shows", () => {
  const random = seededRandom(11);
  for (const [k, n] of [
    [1, 2],
    [2, 3],
    [4, 6],
    [8, 11],
    [16, 20],
    [100, 140],
    [254, 255],
  ] as const) {
    const code = new ErasureCode(k, n);
    for (let round = 0; round < 20; round++) {
      const shards = code.encodeBlob(randomBytes(random, k * 3));
      const offset = Math.floor(random() * 3);
      const positions = subset(random, n, k + 1);
      const symbols = positions.map((position) => shards[position]![offset]!);
      assert.equal(fraudCombination(k, positions, symbols), 0, `(${k}, ${n}) at ${positions}`);
      const liar = Math.floor(random() * (k + 1));
      symbols[liar] = symbols[liar]! ^ (1 + Math.floor(random() * 255));
      assert.notEqual(
        fraudCombination(k, positions, symbols),
        0,
        `(${k}, ${n}) at ${positions}, liar ${liar}`,
      );
    }
  }
});

test("a codeword of another matrix does not combine to 0", () => {
  // Swapping two parity shards keeps every byte but is a different code.
  const shards = new ErasureCode(4, 6).encodeBlob(Uint8Array.from({ length: 4 }, (_, at) => 3 * at + 1));
  const symbols = [0, 1, 2, 3, 5].map((position) => shards[position]![0]!);
  assert.notEqual(fraudCombination(4, [0, 1, 2, 3, 4], symbols), 0);
});

test("a proof with too few symbols or a position named twice is refused", () => {
  throws(() => fraudCombination(2, [0, 1], [0, 0]), ShardShapeError);
  throws(() => fraudCombination(2, [0, 1, 1], [0, 0, 0]), ShardShapeError);
});

test("one wrong byte of any shard is found, with k + 1 symbols that do not combine to 0, and none among k shards", () => {
  const random = seededRandom(12);
  for (const [k, n] of [
    [1, 2],
    [2, 3],
    [8, 11],
    [36, 40],
  ] as const) {
    const code = new ErasureCode(k, n);
    for (let round = 0; round < 10; round++) {
      const shards = code.encodeBlob(randomBytes(random, k * 100)).map((shard) => shard.slice());
      const kept = new Set(subset(random, n, k + 1));
      const some = shards.map((shard, position) => (kept.has(position) ? shard : undefined));
      assert.equal(findWrongSymbol(code, some), undefined);
      const [wrong, ...others] = [...kept] as [number, ...number[]];
      const at = Math.floor(random() * 100);
      shards[wrong]![at]! ^= 1 + Math.floor(random() * 255);
      const { positions, offset } = findWrongSymbol(code, some)!;
      assert.equal(offset, at);
      assert.deepEqual(new Set(positions), kept);
      const symbols = positions.map((position) => shards[position]![offset]!);
      assert.notEqual(fraudCombination(k, positions, symbols), 0);
      const without = some.map((shard, position) => (position === others[0] ? undefined : shard));
      assert.equal(findWrongSymbol(code, without), undefined);
    }
  }
});

test("attack: a wrong byte far back in the last of many long shards is found while the thread does other work", async () => {
  const [k, n, length] = [2, 12, 5_000_000];
  const code = new ErasureCode(k, n);
  const shards = code.encodeBlob(randomBytes(seededRandom(13), k * length));
  assert.equal(await searchWrongSymbol(code, shards), undefined);
  shards[n - 1]![length - 10]! ^= 1;
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  const found = await searchWrongSymbol(code, shards);
  clearInterval(timer);
  assert.deepEqual(found, { positions: [0, 1, n - 1], offset: length - 10 });
  assert.deepEqual(findWrongSymbol(code, shards), found);
  assert.ok(ticks >= n, `the thread was free ${ticks} times`);
});
