import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runStep } from "../../../../keepers/src/core/exact/ops/step.ts";
import { initialState } from "../../../../keepers/src/core/exact/random/initialize.ts";
import { type CompiledModel, compileModel } from "../../../../keepers/src/training/compiler/compile.ts";
import type { CompileOptions } from "../../../../keepers/src/training/compiler/options.ts";
import { crossEntropy, evaluateModel, type FloatTensor, meanSquaredError } from "./float-model.ts";
import { batch, cases } from "./models.ts";

const seed = new Uint8Array(32).fill(7);
const inputExponent = -6;
const targetExponent = -5;
const step = 2 ** -20;

type Loss = CompileOptions["loss"];
type Setup = {
  compiled: CompiledModel;
  objects: Uint8Array;
  objectBytes: number;
  input: FloatTensor;
  targets: number[];
};

/** Bytes that look random and are the same on every run. */
function bytes(length: number): Uint8Array {
  let word = 12345;
  return Uint8Array.from({ length }, () => {
    word = (Math.imul(word, 1664525) + 1013904223) >>> 0;
    return word >>> 24;
  });
}

function setUp(name: string, bits: 8 | 16, loss: Loss): Setup {
  const { shape, outputs, model } = cases[name]!;
  const size = shape.reduce((product, length) => product * length, 1);
  const labels = loss === "softmax-cross-entropy";
  const objectBytes = size + (labels ? 1 : outputs);
  const objects = bytes(batch * objectBytes);
  if (labels) for (let row = 0; row < batch; row++) objects[row * objectBytes + size]! %= outputs;
  const layout = shape.length === 3 ? "NCHW" : "flat";
  const values = { encoding: "u8", multiply: 1, add: -128 } as const;
  const compiled = compileModel({
    model,
    bits,
    microBatch: batch,
    input: { offset: 0, ...values, exponent: inputExponent, layout, shape },
    target: labels
      ? { offset: size, encoding: "u8", classes: outputs }
      : { offset: size, ...values, exponent: targetExponent },
    loss,
    optimizer: { momentum: 0 },
  });
  const rows = Array.from({ length: batch }, (_, row) =>
    objects.subarray(row * objectBytes, (row + 1) * objectBytes),
  );
  const real = (raw: number, exponent: number) => (raw - 128) * 2 ** exponent;
  return {
    compiled,
    objects,
    objectBytes,
    input: {
      shape: [batch, ...shape],
      data: Float64Array.from(
        rows.flatMap((row) => [...row.subarray(0, size)].map((raw) => real(raw, inputExponent))),
      ),
    },
    targets: rows.flatMap((row) =>
      labels ? [row[size]!] : [...row.subarray(size)].map((raw) => real(raw, targetExponent)),
    ),
  };
}

/** Central differences of the float64 loss by every element of a parameter, in ONNX order. */
function differences(loss: () => number, parameter: FloatTensor): number[] {
  return Array.from(parameter.data, (value, i) => {
    const at = (moved: number) => {
      parameter.data[i] = moved;
      return loss();
    };
    const slope = (at(value + step) - at(value - step)) / (2 * step);
    parameter.data[i] = value;
    return slope;
  });
}

function norm(values: readonly number[]): number {
  return Math.hypot(...values);
}

function checkGradients(name: string, bits: 8 | 16, loss: Loss, tolerance: number): void {
  const { compiled, objects, objectBytes, input, targets } = setUp(name, bits, loss);
  const { program, parameters } = compiled;
  const state = initialState(program, seed);
  const after = runStep({ program, state, objects, objectBytes, learningRate: 0 }).state;
  const floats = new Map<string, FloatTensor>();
  for (const { name: parameter, slot, onnxShape, toOnnx } of parameters)
    floats.set(parameter, { shape: [...onnxShape], data: Float64Array.from(toOnnx(state[slot]!)) });
  const objective = () => {
    const output = evaluateModel(compiled.onnx, floats, input);
    return loss === "softmax-cross-entropy"
      ? crossEntropy(output, targets)
      : meanSquaredError(output, targets);
  };
  for (const { name: parameter, slot, toOnnx } of parameters) {
    // Without momentum the momentum after the step is the gradient, at 2^-26; weights are exported at 2^-28.
    const exact = [...toOnnx(after[parameters.length + slot]!)].map((value) => value * 4);
    const numeric = differences(objective, floats.get(parameter)!);
    const error = norm(numeric.map((value, i) => value - exact[i]!));
    assert.ok(norm(numeric) > 1e-6, `${parameter} has no gradient to compare with`);
    assert.ok(
      error <= tolerance * norm(numeric),
      `${parameter}: ${error} apart at a length of ${norm(numeric)}`,
    );
  }
}

describe("gradients of a compiled program agree with differences of the float64 loss", () => {
  for (const name of Object.keys(cases))
    for (const loss of ["softmax-cross-entropy", "mean-squared-error"] as const) {
      it(`${name}: E16, ${loss}`, () => checkGradients(name, 16, loss, 0.01));
      it(`${name}: E8, ${loss}`, () => checkGradients(name, 8, loss, 0.4));
    }
});
