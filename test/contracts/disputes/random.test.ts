import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keccak256, toHex, zeroHash } from "viem";
import { initializeSlot } from "../../../keepers/src/core/exact/random/initialize.ts";
import { sampleOrder } from "../../../keepers/src/core/exact/random/order.ts";
import { permutation } from "../../../keepers/src/core/exact/random/permutation.ts";
import { committedTablesHash } from "../../../keepers/src/core/exact/tables.ts";
import { Random } from "../../keepers/core/exact/cases-random.ts";
import { deployHarness } from "./harness.ts";

describe("randomness of an order", async () => {
  const { contract: harness } = await deployHarness("RandomHarness");
  const random = new Random(5, "random");
  const seedOf = (label: number) => keccak256(toHex(`seed ${label}`));

  it("Philox gives the known answers of Random123", async () => {
    const ones = 0xffffffff;
    const vectors = [
      [0n, [0, 0, 0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]],
      [2n ** 64n - 1n, [ones, ones, ones, ones], [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]],
      [
        0xa4093822299f31d0n,
        [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
        [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
      ],
    ] as const;
    for (const [key, counter, words] of vectors) {
      assert.deepEqual(await harness.read.philox([key, counter]), words.map(BigInt));
    }
  });

  it("permutations are those of the keepers, at any size", async () => {
    const sizes = [1, 2, 3, 5, 16, 17, 10_000, 60_000, 60_001, 2 ** 31 + 11, 2 ** 32];
    for (const [label, size] of sizes.entries()) {
      const [domain, round] = [1 + (label % 4), random.int(0, 2 ** 32 - 1)];
      const points = Array.from({ length: 12 }, () => random.int(0, size - 1));
      const pi = permutation({ seed: seedOf(label), domain, round, size });
      const images = await harness.read.permute([
        seedOf(label),
        BigInt(domain),
        BigInt(round),
        BigInt(size),
        points.map(BigInt),
      ]);
      assert.deepEqual(
        images,
        points.map((point) => BigInt(pi(point))),
        `size ${size}`,
      );
    }
  });

  it("a permutation meets every point once", async () => {
    const size = 211;
    const points = Array.from({ length: size }, (_, i) => BigInt(i));
    const images = await harness.read.permute([seedOf(99), 2n, 3n, BigInt(size), points]);
    assert.equal(new Set(images).size, size);
    assert.ok(images.every((image) => image < size));
    await assert.rejects(harness.read.permute([seedOf(99), 2n, 3n, 211n, [211n]]), /OutsidePermutation/);
  });

  it("the same object stands at every place of every batch", async () => {
    for (const splitSeed of [undefined, seedOf(7)]) {
      const sizes = { objects: 1_203, train: splitSeed ? 1_000 : 1_203, microBatch: 8, microBatches: 4 };
      const order = sampleOrder({ seed: seedOf(6), splitSeed, ...sizes });
      const places = Array.from(
        { length: 40 },
        () => [random.int(0, 400), random.int(0, 3), random.int(0, 7)] as const,
      );
      const objects = await harness.read.objectsAt([
        {
          seed: seedOf(6),
          splitSeed: splitSeed ?? zeroHash,
          objects: BigInt(sizes.objects),
          training: BigInt(sizes.train),
          batch: 8n,
          microBatches: 4n,
        },
        places.map(([step, batch, row]) => [BigInt(step), BigInt(batch), BigInt(row)] as const),
      ]);
      assert.deepEqual(
        objects,
        places.map((place) => BigInt(order.sample(...place))),
      );
    }
  });

  it("first weights are those of the keepers", async () => {
    for (const [slot, fanIn] of [1, 3, 25, 150, 400, 784, 65_536].entries()) {
      const shape = [7, 300];
      const mantissas = initializeSlot(
        {
          name: "weights",
          role: "weight",
          layout: { dtype: "I32", shape, rowAxes: 1 },
          exponent: -28,
          initializer: { kind: "uniform", fanIn },
        },
        slot,
        seedOf(slot),
      );
      const indices = Array.from({ length: 20 }, () => random.int(0, mantissas.length - 1));
      assert.deepEqual(
        await harness.read.initialize([seedOf(slot), BigInt(slot), BigInt(fanIn), indices.map(BigInt)]),
        indices.map((index) => BigInt(mantissas[index]!)),
      );
    }
  });

  it("the tables of the exponential are the committed ones", async () => {
    assert.equal(await harness.read.tablesDigest(), committedTablesHash);
  });
});
