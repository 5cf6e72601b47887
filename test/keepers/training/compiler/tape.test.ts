import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { limits } from "../../../../keepers/src/core/exact/limits.ts";
import { flags, type Program, type TapeNode } from "../../../../keepers/src/core/exact/tape/types.ts";
import { compile } from "../../../../keepers/src/training/compiler/compile.ts";
import type { CompileOptions } from "../../../../keepers/src/training/compiler/options.ts";
import { type BuiltInModelName, buildModel } from "../../../../keepers/src/training/models/built-in.ts";
import { attribute } from "../../../../keepers/src/training/onnx/builder.ts";
import { readOnnx } from "../../../../keepers/src/training/onnx/read.ts";
import type { OnnxModel } from "../../../../keepers/src/training/onnx/types.ts";
import { batch, gemm, model, window } from "./models.ts";

const mnist = {
  microBatch: 64,
  input: {
    offset: 0,
    encoding: "u8",
    multiply: 1,
    add: -33,
    exponent: -6,
    layout: "NCHW",
    shape: [1, 28, 28],
  },
  target: { offset: 784, encoding: "u8", classes: 10 },
  loss: "softmax-cross-entropy",
  optimizer: { momentum: 58982 },
} as const satisfies Partial<CompileOptions>;

const flat = { ...mnist, input: { ...mnist.input, layout: "flat", shape: [64] } } as const;

/** Index, opcode, inputs, output and attributes of every node, one per line. */
function listing(tape: readonly TapeNode[]): string[] {
  return tape.map(
    ({ opcode, inputs, output, attributes }, index) =>
      `${index} ${opcode} (${inputs}) ${output.dtype}[${output.shape}]/${output.rowAxes} ${Object.values(attributes).join(" ")}`,
  );
}

function only<O extends TapeNode["opcode"]>(program: Program, opcode: O): Extract<TapeNode, { opcode: O }>[] {
  return program.tapes[0].filter((node) => node.opcode === opcode) as Extract<TapeNode, { opcode: O }>[];
}

/** A program over images [2, 6, 6] with `build` in the middle and three classes. */
function small(test: OnnxModel, options: Partial<CompileOptions> = {}): Program {
  return compile({
    model: test,
    bits: 16,
    microBatch: batch,
    input: { offset: 0, encoding: "u8", multiply: 1, add: 0, exponent: 0, layout: "NCHW", shape: [2, 6, 6] },
    target: { offset: 72, encoding: "u8", classes: 3 },
    loss: "softmax-cross-entropy",
    optimizer: { momentum: 0 },
    ...options,
  });
}

describe("the tape of LeNet-5 in E8", () => {
  const program = compile({ model: buildModel("lenet5"), bits: 8, ...mnist });

  it("keeps 9-bit pixels, pools inside the convolutions and ends in logits", () => {
    assert.deepEqual(listing(program.tapes[0]).slice(0, 29), [
      "0 INPUT () I16[64,28,28,1]/2 0 0 1 -33 -6 0",
      "1 INPUT () U8[64]/1 784 0 1 0 0 10",
      "2 LOAD () I32[6,5,5,1]/3 0 0",
      "3 LOAD () I32[6]/1 0 1",
      "4 REQUANTIZE (2) I8[6,5,5,1]/3 ",
      "5 CONV (0,4,3) I8[64,14,14,6]/2 5 0 1 1 2 2 2 2 1 2",
      "6 CONV_POOL_INDEX (0,4,3) U8[64,14,14,6]/2 5 0 1 1 2 2 2 2 1 2",
      "7 LOAD () I32[16,5,5,6]/3 0 2",
      "8 LOAD () I32[16]/1 0 3",
      "9 REQUANTIZE (7) I8[16,5,5,6]/3 ",
      "10 CONV (5,9,8) I8[64,5,5,16]/2 5 0 1 1 0 0 0 0 1 2",
      "11 CONV_POOL_INDEX (5,9,8) U8[64,5,5,16]/2 5 0 1 1 0 0 0 0 1 2",
      "12 RELAYOUT (10) I8[64,400]/1 64 5 5 16 0 1 2 3",
      "13 LOAD () I32[120,400]/1 0 4",
      "14 LOAD () I32[120]/1 0 5",
      "15 REQUANTIZE (13) I8[120,400]/1 ",
      "16 MATMUL (12,15,14) I8[64,120]/1 5 0",
      "17 LOAD () I32[84,120]/1 0 6",
      "18 LOAD () I32[84]/1 0 7",
      "19 REQUANTIZE (17) I8[84,120]/1 ",
      "20 MATMUL (16,19,18) I8[64,84]/1 5 0",
      "21 LOAD () I32[10,84]/1 0 8",
      "22 LOAD () I32[10]/1 0 9",
      "23 REQUANTIZE (21) I8[10,84]/1 ",
      "24 MATMUL (20,23,22) I32[64,10]/1 9 -16",
      "25 ROW_MAX (24) I32[64]/1 ",
      "26 EXP (24,25) U32[64,10]/1 ",
      "27 ROW_SUM (26) I64[64]/1 0 0",
      "28 SOFTMAX_GRAD (26,27,1) I8[64,10]/1 16 15",
    ]);
    assert.equal(program.witness, 24);
    assert.equal(program.target, 1);
  });

  it("differentiates with gates inside the products, and not into the data", () => {
    assert.deepEqual(listing(program.tapes[0]).slice(29), [
      "29 RELAYOUT (28) I8[10,64]/1 1 1 64 10 0 1 3 2",
      "30 RELAYOUT (20) I8[84,64]/1 1 1 64 84 0 1 3 2",
      "31 MATMUL (29,30) I32[10,84]/1 8 -26",
      "32 STORE (31) I32[10,84]/1 1 8",
      "33 ROW_SUM (29) I32[10]/1 8 -26",
      "34 STORE (33) I32[10]/1 1 9",
      "35 RELAYOUT (23) I8[84,10]/1 1 1 10 84 0 1 3 2",
      "36 MATMUL (28,35,20) I8[64,84]/1 2 0",
      "37 RELAYOUT (36) I8[84,64]/1 1 1 64 84 0 1 3 2",
      "38 RELAYOUT (16) I8[120,64]/1 1 1 64 120 0 1 3 2",
      "39 MATMUL (37,38) I32[84,120]/1 8 -26",
      "40 STORE (39) I32[84,120]/1 1 6",
      "41 ROW_SUM (37) I32[84]/1 8 -26",
      "42 STORE (41) I32[84]/1 1 7",
      "43 RELAYOUT (19) I8[120,84]/1 1 1 84 120 0 1 3 2",
      "44 MATMUL (36,43,16) I8[64,120]/1 2 0",
      "45 RELAYOUT (44) I8[120,64]/1 1 1 64 120 0 1 3 2",
      "46 RELAYOUT (12) I8[400,64]/1 1 1 64 400 0 1 3 2",
      "47 MATMUL (45,46) I32[120,400]/1 8 -26",
      "48 STORE (47) I32[120,400]/1 1 4",
      "49 ROW_SUM (45) I32[120]/1 8 -26",
      "50 STORE (49) I32[120]/1 1 5",
      "51 RELAYOUT (15) I8[400,120]/1 1 1 120 400 0 1 3 2",
      "52 MATMUL (44,51,12) I8[64,400]/1 2 0",
      "53 RELAYOUT (52) I8[64,5,5,16]/2 64 5 5 16 0 1 2 3",
      "54 MAX_POOL_GRAD (53,11) I8[64,10,10,16]/2 0 2 2 2 2 0 0 0 0",
      "55 RELAYOUT (54) I8[16,64,10,10]/2 64 10 10 16 3 0 1 2",
      "56 RELAYOUT (5) I8[6,64,14,14]/2 64 14 14 6 3 0 1 2",
      "57 CONV_WEIGHT_GRAD (56,55) I32[16,5,5,6]/3 -26 1 1 0 0 0 0 1",
      "58 STORE (57) I32[16,5,5,6]/3 1 2",
      "59 RELAYOUT (55) I8[16,6400]/1 16 64 10 10 0 1 2 3",
      "60 ROW_SUM (59) I32[16]/1 8 -26",
      "61 STORE (60) I32[16]/1 1 3",
      "62 RELAYOUT (9) I8[6,5,5,16]/3 1 16 25 6 0 3 2 1",
      "63 CONV_INPUT_GRAD (54,62,5) I8[64,14,14,6]/2 2 0 1 1 0 0 0 0 1",
      "64 MAX_POOL_GRAD (63,6) I8[64,28,28,6]/2 0 2 2 2 2 0 0 0 0",
      "65 RELAYOUT (64) I8[6,64,28,28]/2 64 28 28 6 3 0 1 2",
      "66 RELAYOUT (0) I16[1,64,28,28]/2 64 28 28 1 3 0 1 2",
      "67 CONV_WEIGHT_GRAD (66,65) I32[6,5,5,1]/3 -26 1 1 2 2 2 2 1",
      "68 STORE (67) I32[6,5,5,1]/3 1 0",
      "69 RELAYOUT (65) I8[6,50176]/1 6 64 28 28 0 1 2 3",
      "70 ROW_SUM (69) I32[6]/1 8 -26",
      "71 STORE (70) I32[6]/1 1 1",
    ]);
  });

  it("reduces and updates every slot", () => {
    assert.deepEqual(listing(program.tapes[1]).slice(0, 3), [
      "0 ACCUMULATE () I32[6,5,5,1]/3 0",
      "1 STORE (0) I32[6,5,5,1]/3 2 0",
      "2 ACCUMULATE () I32[6]/1 1",
    ]);
    assert.equal(program.tapes[1].length, 20);
    assert.deepEqual(listing(program.tapes[2]).slice(7, 14), [
      "7 LOAD () I32[6]/1 2 1",
      "8 LOAD () I32[6]/1 0 11",
      "9 LOAD () I32[6]/1 0 1",
      "10 SGD_MOMENTUM (7,8,9) I32[6]/1 58982 16 0 16",
      "11 STORE (10) I32[6]/1 0 11",
      "12 SGD_WEIGHT (9,10) I32[6]/1 16",
      "13 STORE (12) I32[6]/1 0 1",
    ]);
    assert.equal(program.tapes[2].length, 70);
  });

  it("holds weights and biases by layer, then the momenta, drawn from the layer's fan-in", () => {
    assert.deepEqual(
      program.state.slice(0, 10).map(({ name, initializer }) => [name, initializer]),
      [
        ["conv1", 25],
        ["conv2", 150],
        ["fc1", 400],
        ["fc2", 120],
        ["fc3", 84],
      ].flatMap(([layer, fanIn]) => [
        [`${layer}.weight`, { kind: "uniform", fanIn }],
        [`${layer}.bias`, { kind: "uniform", fanIn }],
      ]),
    );
    for (const [slot, weight] of program.state.slice(0, 10).entries()) {
      const momentum = program.state[10 + slot]!;
      assert.deepEqual([weight.role, weight.exponent], ["weight", -28]);
      assert.deepEqual(
        { ...momentum, name: "" },
        { name: "", role: "momentum", layout: weight.layout, exponent: -26, initializer: { kind: "zero" } },
      );
    }
    assert.deepEqual(
      program.gradients,
      program.state.slice(0, 10).map(({ layout }) => layout),
    );
  });
});

describe("models exported by PyTorch", () => {
  const options: Record<BuiltInModelName, [object, Omit<CompileOptions, "model" | "bits">]> = {
    "softmax-regression": [{}, flat],
    mlp: [{ hidden: [32] }, flat],
    lenet5: [{}, mnist],
    "residual-cnn": [{}, mnist],
  };
  for (const [name, [built, shared]] of Object.entries(options))
    for (const bits of [8, 16] as const)
      it(`${name}: E${bits} tapes equal those of the built-in model`, () => {
        const file = readOnnx(
          readFileSync(new URL(`../../../fixtures/models/${name}.onnx`, import.meta.url)),
        );
        const exported = compile({ model: file, bits, ...shared });
        const own = compile({ model: buildModel(name, built), bits, ...shared });
        assert.deepEqual(exported.tapes, own.tapes);
        assert.deepEqual(exported.gradients, own.gradients);
        assert.ok(
          exported.state.every(
            ({ role, initializer }) => role === "momentum" || initializer.kind === "given",
          ),
        );
        const drawn = compile({ model: file, bits, ...shared, initialize: "seed" });
        assert.deepEqual(
          drawn.state.map(({ initializer }) => initializer),
          own.state.map(({ initializer }) => initializer),
        );
      });
});

describe("what the compiler chooses", () => {
  it("leaves a pool apart whose element could not open within 6 KiB", () => {
    const wide = model([64, 8, 8], (graph, x, p) => {
      const a = graph.op("Conv", [x, p(8, 64, 5, 5), p(8)], window([5, 5]));
      const b = graph.op("MaxPool", [a], window([2, 2], [2, 2]));
      return [graph.op("Gemm", [graph.op("Flatten", [b]), p(3, 32)], gemm), [3]];
    });
    const program = small(wide, {
      input: {
        offset: 0,
        encoding: "u8",
        multiply: 1,
        add: 0,
        exponent: 0,
        layout: "NCHW",
        shape: [64, 8, 8],
      },
    });
    assert.equal(only(program, "CONV")[0]!.attributes.pool, 1);
    assert.equal(only(program, "CONV_POOL_INDEX").length, 0);
    assert.equal(only(program, "MAX_POOL").length, 1);
    assert.equal(only(program, "MAX_POOL_INDEX").length, 1);
  });

  it("leaves a pool apart whose element would be too many runs of products for one transaction", () => {
    // One channel, 15² sums of as many rows of products as the kernel has.
    const poolOf = (kernel: number) => {
      const shape = [1, kernel + 14, kernel + 14];
      const net = model(shape, (graph, x, p) => {
        const a = graph.op("Conv", [x, p(1, 1, kernel, kernel), p(1)], window([kernel, kernel]));
        const b = graph.op("MaxPool", [a], window([15, 15], [15, 15]));
        return [graph.op("Gemm", [graph.op("Flatten", [b]), p(3, 1)], gemm), [3]];
      });
      const program = small(net, { input: { ...flat.input, layout: "NCHW", shape } });
      return only(program, "CONV")[0]!.attributes.pool;
    };
    assert.ok(15 ** 2 * 9 <= limits.openedRuns && 15 ** 2 * 10 > limits.openedRuns);
    assert.deepEqual([poolOf(9), poolOf(10)], [15, 1]);
  });

  it("takes no index of a pool over the data", () => {
    const pooled = model([2, 6, 6], (graph, x, p) => {
      const a = graph.op("MaxPool", [x], window([2, 2], [2, 2]));
      return [graph.op("Gemm", [graph.op("Flatten", [a]), p(3, 18)], gemm), [3]];
    });
    const program = small(pooled);
    assert.equal(only(program, "MAX_POOL_INDEX").length, 0);
    assert.equal(only(program, "MAX_POOL_GRAD").length, 0);
  });

  it("does not fuse over a value that something else reads", () => {
    const shared = model([2, 6, 6], (graph, x, p) => {
      const a = graph.op("Conv", [x, p(2, 2, 1, 1)]);
      const b = graph.op("Add", [graph.op("Relu", [a]), a]);
      return [graph.op("Gemm", [graph.op("Flatten", [b]), p(3, 72)], gemm), [3]];
    });
    const program = small(shared);
    assert.equal(only(program, "CONV")[0]!.attributes.flags & flags.relu, 0);
    assert.equal(only(program, "RELU").length, 1);
    assert.equal(only(program, "GATE").length, 1);
  });

  it("gates a value that several operations read once, behind the sum of its gradients", () => {
    const residual = compile({ model: buildModel("residual-cnn"), bits: 16, ...mnist });
    const [gate] = only(residual, "GATE");
    assert.equal(only(residual, "GATE").length, 1);
    const sum = residual.tapes[0][gate!.inputs[0]!]!;
    assert.equal(sum.opcode, "ADD");
    const [skip, branch] = sum.inputs.map((index) => residual.tapes[0][index]!);
    assert.equal(skip!.opcode, "MAX_POOL_GRAD");
    assert.equal(branch!.opcode, "CONV_INPUT_GRAD");
    assert.equal(branch!.inputs.length, 2);
  });

  it("gives probabilities more bits for many classes, and requantises them when they exceed the mantissa", () => {
    const bitsOf = (bits: 8 | 16, classes: number) => {
      const regression = model([8], (graph, x, p) => [graph.op("Gemm", [x, p(classes, 8)], gemm), [classes]]);
      const program = compile({
        ...flat,
        model: regression,
        bits,
        input: { ...flat.input, shape: [8] },
        target: { offset: 8, encoding: "i16", classes },
      });
      const { flags: bit, probabilityBits } = only(program, "SOFTMAX_GRAD")[0]!.attributes;
      return [bit, probabilityBits];
    };
    assert.deepEqual(bitsOf(16, 16), [0, 15]);
    assert.deepEqual(bitsOf(16, 17), [flags.quantize, 16]);
    assert.deepEqual(bitsOf(8, 2), [flags.quantize, 15]);
    assert.deepEqual(bitsOf(8, 1000), [flags.quantize, 21]);
  });

  it("reads each way in which samples may lie", () => {
    const images = model([2, 6, 6], (graph, x, p) => [
      graph.op("Gemm", [graph.op("Flatten", [x]), p(3, 72)], gemm),
      [3],
    ]);
    const first = (input: Partial<CompileOptions["input"]>, bits: 8 | 16 = 16) => {
      const program = small(images, {
        bits,
        input: {
          offset: 0,
          encoding: "u8",
          multiply: 1,
          add: 0,
          exponent: 0,
          layout: "NCHW",
          shape: [2, 6, 6],
          ...input,
        },
      });
      return listing(program.tapes[0].filter(({ opcode }) => opcode !== "LOAD")).slice(0, 3);
    };
    assert.deepEqual(first({}), [
      "0 INPUT () I16[4,2,6,6]/2 0 0 1 0 0 0",
      "1 RELAYOUT (0) I16[4,6,6,2]/2 4 2 6 6 0 2 3 1",
      "2 INPUT () U8[4]/1 72 0 1 0 0 3",
    ]);
    assert.equal(first({ layout: "NHWC", shape: [6, 6, 2] })[0], "0 INPUT () I16[4,6,6,2]/2 0 0 1 0 0 0");
    assert.equal(first({ encoding: "i8" }, 8)[0], "0 INPUT () I16[4,2,6,6]/2 0 1 1 0 0 0");
    assert.equal(
      first({ add: -128, multiply: 1, encoding: "u8" }, 8)[0],
      "0 INPUT () I16[4,2,6,6]/2 0 0 1 -128 0 0",
    );
    assert.equal(first({ encoding: "i32" })[0], "0 INPUT () I32[4,2,6,6]/2 0 3 1 0 0 0");
    assert.equal(
      first({ encoding: "u8", multiply: 0, add: 127 }, 8)[0],
      "0 INPUT () I8[4,2,6,6]/2 0 0 0 127 0 0",
    );
  });

  it("passes weight decay and shifts on to every parameter", () => {
    const program = compile({
      ...flat,
      model: buildModel("softmax-regression"),
      bits: 8,
      optimizer: {
        momentum: 100,
        weightDecay: 7,
        momentumShift: 15,
        weightDecayShift: 14,
        learningRateShift: 20,
      },
    });
    const nodes = program.tapes[2].filter(({ opcode }) => opcode.startsWith("SGD"));
    assert.deepEqual(
      nodes.map(({ attributes }) => Object.values(attributes)),
      [[100, 15, 7, 14], [20], [100, 15, 7, 14], [20]],
    );
  });

  it("takes the batch of the export for the micro-batch in a Reshape", () => {
    const reshaped = model([2, 6, 6], (graph, x, p) => {
      const flattened = graph.op("Reshape", [x, graph.int64([batch, 72])], { allowzero: attribute.int(0) });
      return [graph.op("Gemm", [flattened, p(3, 72)], gemm), [3]];
    });
    assert.deepEqual(only(small(reshaped, { microBatch: 16 }), "MATMUL")[0]!.output.shape, [16, 3]);
  });
});
