import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeAbiParameters, type Hex, keccak256, parseAbiParameters, stringToBytes } from "viem";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import {
  intervalOf,
  samplesOf,
  type TrainingOrder,
  trainingHash,
} from "../../../../keepers/src/core/exact/order.ts";
import { recordedRefusals } from "../refusals.ts";
import { permuted } from "./random/reference.ts";
import { order } from "./sample-order.ts";

const throws = recordedRefusals("exact/order");

const word = (byte: string): Hex => `0x${byte.repeat(32)}`;

describe("training order", () => {
  it("hashes the ABI encoding of all its fields", () => {
    const types = parseAbiParameters(
      "bytes32, uint256, bytes32, bytes32, bytes32, bytes32, uint256, uint256, uint256, bytes32, bytes32, uint256, uint256, uint256, uint256, uint256, bytes",
    );
    const encoded = (dataset: Hex, train: bigint, split: Hex) =>
      keccak256(
        encodeAbiParameters(types, [
          keccak256(stringToBytes("assay/training/v1")),
          16n,
          word("11"),
          word("22"),
          word("33"),
          dataset,
          100n,
          785n,
          train,
          split,
          word("66"),
          2n,
          1n,
          25n,
          8n,
          10n,
          "0x028fffff0001",
        ]),
      );
    assert.equal(trainingHash(order), encoded(word("44"), 80n, word("55")));
    const whole = { ...order, datasetId: undefined, splitSeed: undefined, train: 100 };
    assert.equal(trainingHash(whole), encoded(word("00"), 100n, word("00")));
  });

  it("has another hash for every field that changes", () => {
    const changes: Partial<TrainingOrder>[] = [
      {},
      { bits: 8 },
      { programRoot: word("12") },
      { initialRoot: word("12") },
      { objectRoot: word("12") },
      { datasetId: word("12") },
      { objects: 101 },
      { objectBytes: 786 },
      { train: 81 },
      { splitSeed: word("12") },
      { seed: word("12") },
      { microBatch: 8 },
      { microBatches: 4 },
      { steps: 26 },
      { interval: 9 },
      { schedule: { table: [655, 65535, 1], every: 11 } },
      { schedule: { table: [655, 65535, 2], every: 10 } },
      { schedule: { table: [655, 65535], every: 10 } },
    ];
    const hashes = changes.map((change) => trainingHash({ ...order, ...change }));
    assert.equal(new Set(hashes).size, changes.length);
  });

  it("is refused outside its limits", () => {
    const wrong: [Partial<TrainingOrder>, RegExp][] = [
      [{ bits: 12 as never }, /bits/],
      [{ programRoot: "0x11" }, /programRoot/],
      [{ seed: "66" as never }, /seed/],
      [{ datasetId: word("00") }, /datasetId/],
      [{ splitSeed: word("00") }, /splitSeed/],
      [{ splitSeed: undefined }, /split/],
      [{ objectBytes: 0 }, /objectBytes/],
      [{ steps: 0 }, /steps/],
      [{ interval: 1025 }, /interval/],
      [{ microBatch: 3 }, /power of two/],
      [{ microBatches: 2 ** 21 }, /microBatches/],
      [{ microBatches: 32 }, /do not fill/],
      [{ schedule: { table: [], every: 1 } }, /entries/],
    ];
    for (const [change, message] of wrong) {
      throws(() => trainingHash({ ...order, ...change }), message);
      throws(() => trainingHash({ ...order, ...change }), BadInputError);
    }
  });

  it("says which objects a step takes and which steps an interval has", () => {
    const seed = Buffer.from("66".repeat(32), "hex");
    const split = Buffer.from("55".repeat(32), "hex");
    const expected = permuted(split, 3, 0, 100, permuted(seed, 2, 1, 80, 2 * 8 + 4 + 3));
    assert.equal(samplesOf(order).sample(12, 1, 3), expected);
    assert.deepEqual(intervalOf(order, 0), { firstStep: 0, steps: 8 });
    assert.deepEqual(intervalOf(order, 3), { firstStep: 24, steps: 1 });
    for (const index of [4, -1, 0.5]) throws(() => intervalOf(order, index), BadInputError);
  });
});
