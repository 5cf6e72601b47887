import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compileModel } from "../../../../keepers/src/training/compiler/compile.ts";
import { MemoryObjects } from "../../../../keepers/src/training/data/memory-objects.ts";
import { allSamples, evaluateExact } from "../../../../keepers/src/training/evaluate/evaluate.ts";
import { scoreOutputs, scoreWitness } from "../../../../keepers/src/training/evaluate/score.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { mlp } from "../../../../keepers/src/training/models/mlp.ts";

const microBatch = 4;
const shared = {
  model: mlp({ inputs: 2, hidden: [2], classes: 3, batch: microBatch }),
  bits: 8,
  microBatch,
  input: { offset: 0, encoding: "u8", multiply: 1, add: 0, exponent: -8, layout: "flat", shape: [2] },
  optimizer: { momentum: 0 },
} as const;
const { program } = compileModel({
  ...shared,
  target: { offset: 2, encoding: "u8", classes: 3 },
  loss: "softmax-cross-entropy",
});
const objectsOf = (labels: readonly number[]) =>
  Uint8Array.from(labels.flatMap((label, i) => [17 * i, 255 - 30 * i, label]));

describe("scoring outputs", () => {
  const logits = [
    [1, 2, 3],
    [5, 5, 0],
    [-4, -2, -2],
    [0, 0, 0],
  ];
  const labels = [2, 1, 1, 0];

  it("takes the first largest logit as what was found, and the natural logarithm as loss", () => {
    const tally = scoreOutputs(
      program,
      { values: logits.flat(), scale: 0.5, objects: objectsOf(labels), objectBytes: 3 },
      4,
    );
    const loss = logits.reduce((sum, row, i) => {
      const total = row.reduce((all, value) => all + Math.exp(value / 2), 0);
      return sum - Math.log(Math.exp(row[labels[i]!]! / 2) / total);
    }, 0);
    assert.ok(Math.abs(tally.lossSum - loss) < 1e-12);
    assert.equal(tally.correct, 3);
    assert.deepEqual([...tally.confusion!], [1, 0, 0, 1, 1, 0, 0, 0, 1]);
  });

  it("leaves rows out that only fill the micro-batch up", () => {
    const tally = scoreOutputs(
      program,
      { values: logits.flat(), scale: 1, objects: objectsOf(labels), objectBytes: 3 },
      2,
    );
    assert.equal(tally.samples, 2);
    assert.equal(
      tally.confusion!.reduce((sum, count) => sum + count, 0),
      2,
    );
  });

  it("stays finite for logits as far apart as they can be", () => {
    const values = new Int32Array(12).fill(-(2 ** 31 - 1));
    values[0] = 2 ** 31 - 1;
    const tally = scoreOutputs(
      program,
      { values, scale: 2 ** -16, objects: objectsOf([1, 0, 0, 0]), objectBytes: 3 },
      1,
    );
    assert.equal(tally.lossSum, 2 * (2 ** 31 - 1) * 2 ** -16);
  });

  it("is the mean of squared differences where values are learnt", () => {
    const { program: regression } = compileModel({
      ...shared,
      target: { offset: 2, encoding: "i8", multiply: 3, add: 1, exponent: -2 },
      loss: "mean-squared-error",
    });
    const objects = Uint8Array.from([0, 0, 1, 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    const mantissas = Int8Array.from([8, -2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    const layout = regression.tapes[0][regression.witness]!.output;
    const tally = scoreWitness(regression, { layout, exponent: -3, mantissas }, objects, 5, 1);
    // Targets (3·raw + 1)/4: 1, −0.5, 1.75; outputs 1, −0.25, 0.
    assert.ok(Math.abs(tally.lossSum - (0 + 0.0625 + 3.0625) / 3) < 1e-12);
    assert.equal(tally.correct, undefined);
  });
});

describe("evaluating a state in the exact format", () => {
  it("scores every sample once, whatever the micro-batch leaves over, in the order that is asked for", async () => {
    const labels = [0, 1, 2, 0, 1, 2, 1];
    const source = new MemoryObjects("x", 3, objectsOf(labels));
    // Positive inputs through positive weights to the second logit alone: every sample is found to be of class 1.
    const state = program.state.map(({ layout, role }, index) => {
      const slot = new Int32Array(layout.shape.reduce((product, side) => product * side, 1));
      if (role === "weight" && index === 0) slot.fill(2 ** 26);
      if (role === "weight" && layout.shape[0] === 3 && layout.shape.length === 2) slot.fill(2 ** 26, 2, 4);
      return slot;
    });
    const options = { objectBytes: 3, microBatches: 1 };
    const found = await evaluateExact(nativeExecutor, program, state, allSamples(source), options);
    assert.equal(found.samples, 7);
    assert.equal(found.accuracy, 3 / 7);
    assert.deepEqual(found.confusion, [
      [0, 2, 0],
      [0, 3, 0],
      [0, 2, 0],
    ]);
    const some = { source, count: 2, index: (sample: number) => [1, 4][sample]! };
    assert.equal((await evaluateExact(nativeExecutor, program, state, some, options)).accuracy, 1);
  });
});
