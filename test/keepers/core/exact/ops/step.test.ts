import assert from "node:assert/strict";
import { test } from "node:test";
import { BadInputError } from "../../../../../keepers/src/core/errors.ts";
import { runStep } from "../../../../../keepers/src/core/exact/ops/step.ts";
import { elementCount } from "../../../../../keepers/src/core/exact/ops/tensor.ts";
import type { Program } from "../../../../../keepers/src/core/exact/tape/types.ts";
import { recordedRefusals } from "../../refusals.ts";
import { Random } from "../cases-random.ts";
import { validProgram } from "../validate-program.ts";

const throws = recordedRefusals("exact/ops/step");

const objectBytes = 37;

/** Images of 6 × 6 bytes and a label. */
function objects(count: number): Uint8Array {
  return Uint8Array.from({ length: count * objectBytes }, (_, i) => {
    const [row, column] = [Math.floor(i / objectBytes), i % objectBytes];
    return column === 36 ? row % 3 : (row * 41 + column * 97 + row * column) % 256;
  });
}

function initial(program: Program): Int32Array[] {
  const random = new Random(1, "state");
  return program.state.map(({ layout, role }) =>
    Int32Array.from({ length: elementCount(layout) }, () =>
      role === "weight" ? random.int(-80_000_000, 80_000_000) : 0,
    ),
  );
}

/** Mean softmax cross-entropy of the logits of all micro-batches, in floating point. */
function lossOf(program: Program, state: Int32Array[], data: Uint8Array): number {
  const { microBatches } = runStep({ program, state, objects: data, objectBytes, learningRate: 0 });
  let loss = 0;
  for (const tensors of microBatches) {
    const logits = tensors[program.witness]!;
    const labels = tensors[program.target]!.mantissas;
    const [rows, classes] = logits.layout.shape as [number, number];
    for (let row = 0; row < rows; row++) {
      const values = Array.from(
        { length: classes },
        (_, k) => logits.mantissas[row * classes + k]! / 2 ** 16,
      );
      const total = values.reduce((sum, value) => sum + Math.exp(value), 0);
      loss -= Math.log(Math.exp(values[labels[row]!]!) / total);
    }
  }
  return loss / (microBatches.length * program.microBatch);
}

for (const bits of [8, 16] as const) {
  test(`E${bits}: steps move the state and bring the loss down`, () => {
    const program = validProgram(bits);
    const data = objects(8);
    const before = initial(program);
    let state = before;
    for (let i = 0; i < 20; i++) {
      state = runStep({ program, state, objects: data, objectBytes, learningRate: 1311 }).state;
    }
    for (const [slot, values] of state.entries()) assert.notDeepEqual(values, before[slot]);
    assert.ok(lossOf(program, state, data) < 0.8 * lossOf(program, before, data));
  });
}

test("micro-batches add up whatever their order, and M micro-batches of the same samples are one", () => {
  const program = validProgram(16);
  const state = initial(program);
  const data = objects(8);
  const half = data.length / 2;
  const swapped = Uint8Array.from([...data.subarray(half), ...data.subarray(0, half)]);
  const run = (all: Uint8Array) =>
    runStep({ program, state, objects: all, objectBytes, learningRate: 655 }).state;
  assert.deepEqual(run(data), run(swapped));
  const once = data.subarray(0, half);
  assert.deepEqual(run(Uint8Array.from([...once, ...once])), run(once));
  assert.notDeepEqual(run(data), run(once));
});

test("labels outside the classes, objects that are too short and broken micro-batches are refused", () => {
  const program = validProgram(8);
  const state = initial(program);
  const data = objects(4);
  const run = (all: Uint8Array, bytes = objectBytes) =>
    runStep({ program, state, objects: all, objectBytes: bytes, learningRate: 655 });
  const wrong = data.slice();
  wrong[36] = 3;
  throws(
    () => run(wrong),
    (error) => error instanceof BadInputError && /label 3 .* 3 classes/.test(error.message),
  );
  throws(() => run(data.subarray(0, 4 * 36), 36), /ends before byte 37/);
  throws(() => run(data.subarray(1)), BadInputError);
  throws(() => run(objects(12)), /3 micro-batches/);
});
