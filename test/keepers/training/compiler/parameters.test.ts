import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { initialState } from "../../../../keepers/src/core/exact/random/initialize.ts";
import { compileModel } from "../../../../keepers/src/training/compiler/compile.ts";
import { attribute, type GraphBuilder } from "../../../../keepers/src/training/onnx/builder.ts";
import type { OnnxModel, OnnxTensor } from "../../../../keepers/src/training/onnx/types.ts";
import { batch, gemm, model } from "./models.ts";

const seed = new Uint8Array(32);

function compiled(test: OnnxModel, shape: number[], initialize?: "seed" | "model") {
  return compileModel({
    model: test,
    bits: 16,
    microBatch: batch,
    input: {
      offset: 0,
      encoding: "u8",
      multiply: 1,
      add: 0,
      exponent: 0,
      layout: shape.length === 3 ? "NCHW" : "flat",
      shape,
    },
    target: { offset: 0, encoding: "u8", classes: 2 },
    loss: "softmax-cross-entropy",
    optimizer: { momentum: 0 },
    ...(initialize === undefined ? {} : { initialize }),
  });
}

/** Distinct multiples of 2^-20, which float32 and the state hold exactly. */
function distinct(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => ((i * 37) % 1009) * 2 ** -20 - 2 ** -11);
}

describe("weights of a file", () => {
  it("are rounded half up at 2^-28, negative zero to zero", () => {
    const steps = [0.5, -0.5, -1.5, 2.5, 0.49999997, -0.50000006, -0, 1, -3, 2 ** 31 - 128];
    const values = Float32Array.from(steps, (value) => value * 2 ** -28);
    const file = model([5], (graph, x) => [
      graph.op("Gemm", [x, graph.initializer("w", values, [2, 5], "float32")], gemm),
      [2],
    ]);
    const [weights] = initialState(compiled(file, [5]).program, seed);
    assert.deepEqual([...weights!], [1, 0, -1, 3, 0, -1, 0, 1, -3, 2 ** 31 - 128]);
  });

  const conv = (graph: GraphBuilder, x: string) => {
    const kernel = graph.initializer("kernel", distinct(3 * 2 * 2 * 1), [3, 2, 2, 1], "float32");
    const a = graph.op("Conv", [x, kernel]);
    const weights = graph.initializer("weights", distinct(2 * 18), [18, 2], "float32");
    const bias = graph.initializer("bias", distinct(2), [1, 2], "float32");
    return graph.op("Gemm", [graph.op("Flatten", [a]), weights, bias]);
  };
  const file = model([2, 3, 3], (graph, x) => [conv(graph, x), [2]]);

  it("lie on the tape as [O, KH, KW, C] and, after an image, with features as [H, W, C]", () => {
    const { program } = compiled(file, [2, 3, 3]);
    const [kernel, weights] = initialState(program, seed);
    const mantissa = (value: number) => value * 2 ** 28;
    const ofKernel = distinct(12);
    const ofWeights = distinct(36);
    for (const [o, h, c] of [
      [0, 1, 0],
      [2, 0, 1],
      [1, 1, 1],
    ] as const)
      assert.equal(kernel![(o * 2 + h) * 2 + c], mantissa(ofKernel[(o * 2 + c) * 2 + h]!));
    // The image is [3, 2, 3]: feature (c·2 + h)·3 + w of ONNX is (h·3 + w)·3 + c on the tape.
    for (const [o, h, w, c] of [
      [0, 1, 2, 1],
      [1, 0, 1, 2],
      [1, 1, 0, 0],
    ] as const)
      assert.equal(
        weights![o * 18 + (h * 3 + w) * 3 + c],
        mantissa(ofWeights[((c * 2 + h) * 3 + w) * 2 + o]!),
      );
  });

  it("come back in ONNX order", () => {
    const { program, parameters, onnx } = compiled(file, [2, 3, 3]);
    const state = initialState(program, seed);
    assert.deepEqual(
      parameters.map(({ name, slot, onnxShape }) => [name, slot, onnxShape]),
      [
        ["kernel", 0, [3, 2, 2, 1]],
        ["weights", 1, [18, 2]],
        ["bias", 2, [1, 2]],
      ],
    );
    for (const { name, slot, toOnnx } of parameters)
      assert.deepEqual(toOnnx(state[slot]!), onnx.graph.initializers.get(name)!.data);
  });

  it("may stand in a Constant node, and are an initialiser of the model that is exported", () => {
    const weights: OnnxTensor = { dtype: "float32", shape: [2, 5], data: distinct(10) };
    const constant = model([5], (graph, x) => [
      graph.op("Gemm", [x, graph.op("Constant", [], { value: attribute.tensor(weights) })], gemm),
      [2],
    ]);
    const { program, parameters, onnx } = compiled(constant, [5]);
    assert.deepEqual(program.state[0]!.initializer, {
      kind: "given",
      mantissas: Int32Array.from(distinct(10), (value) => value * 2 ** 28),
    });
    assert.deepEqual(onnx.graph.initializers.get(parameters[0]!.name), weights);
    assert.deepEqual(
      onnx.graph.nodes.map(({ opType }) => opType),
      ["Gemm"],
    );
  });

  it("yield to the seed when told so; otherwise only parameters without values are drawn", () => {
    const mixed = model([5], (graph, x, p) => [
      graph.op("Gemm", [x, graph.initializer("w", distinct(10), [2, 5], "float32"), p(2)], gemm),
      [2],
    ]);
    const kinds = (initialize?: "seed") =>
      compiled(mixed, [5], initialize).program.state.map(({ initializer }) => initializer.kind);
    assert.deepEqual(kinds(), ["given", "uniform", "zero", "zero"]);
    assert.deepEqual(kinds("seed"), ["uniform", "uniform", "zero", "zero"]);
    assert.ok(
      compiled(file, [2, 3, 3], "model")
        .program.state.slice(0, 3)
        .every(({ initializer }) => initializer.kind === "given"),
    );
  });
});
