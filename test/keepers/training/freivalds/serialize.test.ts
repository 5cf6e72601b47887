import assert from "node:assert/strict";
import { test } from "node:test";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import { handedSums } from "../../../../keepers/src/training/freivalds/contractions.ts";
import {
  accumulatorBytes,
  decodeAccumulators,
  encodeAccumulators,
} from "../../../../keepers/src/training/freivalds/serialize.ts";
import { honestStep } from "./support.ts";

test("accumulators come back from their bytes, 4 for a sum below 2^31 and 8 otherwise", async () => {
  for (const bits of [8, 16] as const) {
    const { program, claim } = await honestStep("mlp", bits, 4, 2);
    const bytes = encodeAccumulators(program, claim.accumulators);
    const expected = handedSums(program).reduce(
      (total, { shape, bound }) => total + shape[0]! * shape[1]! * (bound < 2 ** 31 ? 4 : 8),
      0,
    );
    assert.equal(accumulatorBytes(program), expected);
    assert.equal(bytes.length, 2 * expected);
    assert.deepEqual(decodeAccumulators(program, 2, bytes), claim.accumulators);
  }
});

test("bytes are little-endian two's complement", async () => {
  const { program, claim } = await honestStep("mlp", 16, 4);
  const at = handedSums(program).findIndex(({ bound }) => bound >= 2 ** 31);
  const values = [-1, -(2 ** 40) - 3, 2 ** 51 + 1, 0];
  const arrays = claim.accumulators[0]!.map((array, i) =>
    i === at ? array.map((_, j) => values[j % 4]!) : array.fill(0),
  );
  const bytes = encodeAccumulators(program, [arrays]);
  const first = bytes.findIndex((byte) => byte !== 0);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) {
    assert.equal(view.getBigInt64(first + 8 * i, true), BigInt(value));
  }
  assert.deepEqual(decodeAccumulators(program, 1, bytes)[0]![at], arrays[at]);
});

test("bytes of another length, numbers beyond float64 and arrays of another shape are refused", async () => {
  const { program, claim } = await honestStep("mlp", 16, 4);
  const bytes = encodeAccumulators(program, claim.accumulators);
  assert.throws(() => decodeAccumulators(program, 1, bytes.subarray(1)), BadInputError);
  assert.throws(() => decodeAccumulators(program, 2, bytes), BadInputError);
  const huge = bytes.slice().fill(0x7f);
  assert.throws(() => decodeAccumulators(program, 1, huge), /outside ±2\^52/);
  const [arrays] = claim.accumulators;
  assert.throws(() => encodeAccumulators(program, [arrays!.slice(1)]), BadInputError);
});
