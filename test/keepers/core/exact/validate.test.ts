import assert from "node:assert/strict";
import { test } from "node:test";
import { accumulatorBound, openingBytes } from "../../../../keepers/src/core/exact/tape/bounds.ts";
import { VoidProgramError } from "../../../../keepers/src/core/exact/tape/errors.ts";
import { tapeFacts } from "../../../../keepers/src/core/exact/tape/facts.ts";
import type { Dtype } from "../../../../keepers/src/core/exact/tape/types.ts";
import { validateProgram } from "../../../../keepers/src/core/exact/tape/validate.ts";
import { recordedRefusals } from "../refusals.ts";
import { layoutOf } from "./cases-random.ts";
import { type AnyNode, places, validProgram } from "./validate-program.ts";
import { at, changed, feed, give, refuserWith, set, type Tapes } from "./void-programs.ts";

const throws = recordedRefusals("exact/validate");
const refuses = refuserWith(throws);

for (const bits of [8, 16] as const) {
  test(`E${bits}: the program that all others differ from is valid`, () =>
    validateProgram(validProgram(bits)));
}

test("a refusal names tape, node, opcode, rule and remedy", () => {
  const program = changed(16, ([tape]) => {
    tape[places.logits]!.inputs = [9, 12];
  });
  throws(
    () => validateProgram(program),
    (error) =>
      error instanceof VoidProgramError &&
      error.message === "tape 0, node 13 (MATMUL): it has 2 inputs and takes 3 [inputs]" &&
      error.next !== undefined &&
      error.place.node === 13,
  );
});

refuses("an unknown opcode", "opcode", (tapes) => {
  at("relu")(tapes).opcode = "SIGMOID";
});
refuses("a name that every object has as opcode", "opcode", (tapes) => {
  at("relu")(tapes).opcode = "constructor";
});
refuses("data read in the optimiser", "opcode", (tapes) => {
  tapes[2].push(structuredClone(at("input")(tapes)));
});
refuses("SGD in the micro-batch", "opcode", (tapes) => {
  at("relu")(tapes).opcode = "SGD_WEIGHT";
  Object.assign(at("relu")(tapes).attributes, { learningRateShift: 16 });
});
refuses("a sum over micro-batches inside one", "opcode", (tapes) => {
  tapes[0].push({ opcode: "ACCUMULATE", inputs: [], output: layoutOf("I32", [3]), attributes: { slot: 2 } });
});

refuses("an input that comes later", "inputs", feed("relu", [places.add]));
refuses("itself as input", "inputs", feed("relu", [places.relu]));
refuses("a negative input", "inputs", feed("relu", [-1]));
refuses("a broken index", "inputs", feed("relu", [0.5]));
refuses("too many inputs", "inputs", feed("relu", [4, 4]));
refuses("one term in a sum", "inputs", feed("add", [6]));
refuses("six terms in a sum", "inputs", feed("add", [6, 6, 6, 6, 6, 7]));
refuses("no bias where its flag is set", "inputs", set("conv", { flags: 5 }));
refuses("a gate that its flag does not announce", "inputs", feed("flatGrad", [17, 24, 9]));
refuses("the maximum of other values under EXP", "inputs", (tapes) => {
  tapes[0].splice(places.rowMax, 1, {
    opcode: "ROW_MAX",
    inputs: [places.loadWeights],
    output: layoutOf("I32", [3]),
    attributes: {},
  });
});
refuses("another divisor under SOFTMAX_GRAD", "inputs", feed("gradient", [15, 14, 1]));

refuses("a missing attribute", "attribute", (tapes) => {
  delete at("conv")(tapes).attributes.groups;
});
refuses("an attribute that is no integer", "attribute", set("conv", { padTop: 0.5 }));
refuses("an attribute beyond int32", "attribute", set("logits", { exponent: 2 ** 31 }));
refuses("a stride of zero", "attribute", set("conv", { strideH: 0 }));
refuses("a negative pad", "attribute", set("kernelGrad", { padLeft: -1 }));
refuses("a pool of zero", "attribute", set("conv", { pool: 0 }));
refuses("groups that do not divide the outputs", "attribute", set("conv", { groups: 3 }));
refuses("zero groups", "attribute", set("conv", { groups: 0 }));
refuses("a flag that the opcode does not have", "attribute", set("add", { flags: 16 }));
refuses("an unknown flag", "attribute", set("logits", { flags: 9 | 32 }));
refuses("an unknown encoding", "attribute", set("input", { encoding: 4 }));
refuses("scaled 32-bit values", "attribute", (tapes) => {
  set("input", { encoding: 3, multiply: 2 })(tapes);
  give("input", "I32", [4, 6, 6, 1])(tapes);
});
refuses("an axis named twice", "attribute", set("gradientT", { axis2: 2 }));
refuses("a pad as large as the kernel of a pool", "attribute", set("average", { padTop: 1 }));
refuses("a shift of 33 in SGD", "attribute", (tapes) => {
  tapes[2][3]!.attributes.momentumShift = 33;
});
refuses("a momentum of 17 bits", "attribute", (tapes) => {
  tapes[2][3]!.attributes.momentum = 65_536;
});

refuses("wide operands of a product", "dtype", feed("logits", [9, 10, 11]));
refuses("16-bit terms in E8", "dtype", feed("relu", [0]), 8);
refuses("an unknown type", "dtype", (tapes) => {
  at("relu")(tapes).output = { ...at("relu")(tapes).output, dtype: "F32" as Dtype };
});
refuses("an 8-bit result in E16", "dtype", give("add", "I8", [4, 2, 2, 2]));
refuses("a B-bit result with the flag fixed", "dtype", give("logits", "I16", [4, 3]));
refuses("a gate of indices", "dtype", feed("gate", [26, 5]));
refuses("labels of a signed type", "dtype", give("labels", "I16", [4]));
refuses("a relayout that changes the type", "dtype", give("gradientT", "I8", [3, 4]));
refuses("unsigned values requantised", "dtype", (tapes) => {
  tapes[0].push({ opcode: "REQUANTIZE", inputs: [15], output: layoutOf("I16", [4, 3]), attributes: {} });
});

refuses("a matrix of another depth", "shape", feed("flatGrad", [17, 19]));
refuses("terms of another shape", "shape", feed("gate", [26, 9]));
refuses("a view of other elements", "shape", set("flat", { view0: 5 }));
refuses("a view of nothing", "shape", set("flat", { view0: -4, view1: -2 }));
refuses("an output of other elements", "shape", give("flat", "I16", [4, 9]));
refuses("an empty dimension", "shape", give("relu", "I16", [4, 2, 0, 2]));
refuses("rank five", "shape", give("relu", "I16", [1, 4, 2, 2, 2]));
refuses("rank zero", "shape", give("relu", "I16", []));
refuses("a kernel larger than the image", "shape", (tapes) => {
  give("input", "I16", [4, 2, 2, 1])(tapes);
});
refuses("a bias of another length", "shape", feed("logits", [9, 12, 10]));
refuses("a label for every element", "shape", (tapes) => {
  give("labels", "U8", [4, 1])(tapes);
});
refuses("rows that are no samples", "shape", give("input", "I16", [2, 12, 6, 1]));
refuses("a tensor that is not the slot's", "shape", set("loadKernel", { slot: 1 }));

refuses("weights as rows of two axes", "row-axes", give("kernel", "I16", [2, 3, 3, 1], 2));
refuses("images as rows of three axes", "row-axes", give("input", "I16", [4, 6, 6, 1], 3));
refuses("a matrix as one row", "row-axes", give("relu", "I16", [4, 2], 2));

refuses("a micro-batch of three", "limit", (_, program) => {
  program.microBatch = 3;
});
refuses("2^31 elements and more", "limit", give("relu", "I16", [65_536, 65_536, 1, 1]));
refuses("a kernel of 256 pixels", "limit", (tapes, program) => {
  const kernel = layoutOf("I32", [2, 16, 16, 1], 3);
  program.state = program.state.map((slot, i) => (i === 0 ? { ...slot, layout: kernel } : slot));
  give("input", "I16", [4, 32, 32, 1])(tapes);
  give("loadKernel", "I32", [2, 16, 16, 1], 3)(tapes);
  give("kernel", "I16", [2, 16, 16, 1], 3)(tapes);
});
refuses("65,537 nodes", "limit", (tapes) => {
  const extra = at("relu")(tapes);
  for (let i = tapes[0].length; i <= 65_536; i++) tapes[0].push(extra);
});

refuses("bytes in an 8-bit type", "range", give("input", "I8", [4, 6, 6, 1]));
refuses("int16 as it is in I16: −2^15 does not fit", "range", set("input", { encoding: 2, add: 0 }));
refuses("a multiple that leaves I16", "range", set("input", { multiply: 129 }));
refuses("more classes than a byte has", "range", set("labels", { classes: 257, encoding: 2 }));
refuses("the exact gradient, −2^15 included, copied by a gate", "range", (tapes) => {
  tapes[0].push({ opcode: "GATE", inputs: [17, 17], output: layoutOf("I16", [4, 3]), attributes: {} });
});
refuses("a first value of −2^31", "range", (_, program) => {
  const mantissas = new Int32Array(3).fill(-(2 ** 31));
  program.state = program.state.map((slot, i) =>
    i === 2 ? { ...slot, initializer: { kind: "given", mantissas } } : slot,
  );
});

refuses("labels beyond the classes of the logits", "label", set("labels", { classes: 4 }));
refuses("scaled labels", "label", set("labels", { multiply: 2 }));
refuses("values as labels", "label", (_, program) => {
  program.target = places.input;
});
refuses("labels as targets of a mean squared error", "label", (_, program) => {
  program.loss = "mean-squared-error";
});

refuses("P below 15", "probability-bits", set("gradient", { probabilityBits: 14, flags: 16 }));
refuses("P above 22", "probability-bits", set("gradient", { probabilityBits: 23, flags: 16 }));
refuses("an exact gradient at P = 16", "probability-bits", set("gradient", { probabilityBits: 16 }));
refuses("an exact gradient in E8", "probability-bits", set("gradient", { flags: 0 }), 8);

refuses("a slot that is never stored", "slot", (tapes) => {
  tapes[0].splice(places.storeKernel, 1);
});
refuses("a slot stored twice", "slot", (tapes) => {
  tapes[0].push(structuredClone(at("storeKernel")(tapes)));
});
refuses("a weight loaded after it was stored", "slot", (tapes) => {
  tapes[2].push(structuredClone(tapes[2][2]!));
});
refuses("a slot that does not exist", "slot", set("loadKernel", { slot: 6 }));
refuses("gradients loaded in the micro-batch", "slot", set("loadKernel", { space: 1 }));
refuses("state stored by the micro-batch", "slot", set("storeKernel", { space: 0 }));
refuses("a momentum that is dropped", "slot", (tapes) => {
  tapes[2].splice(18, 1);
  tapes[2][18]!.inputs = [16, 17];
  tapes[2][19]!.inputs = [18];
});

refuses("a gradient at another exponent", "exponent", set("kernelGrad", { exponent: -25 }));
refuses("logits at another exponent", "exponent", set("logits", { exponent: -17 }));
refuses("a weight at the exponent of momenta", "exponent", (_, program) => {
  program.state = program.state.map((slot, i) => (i === 2 ? { ...slot, exponent: -26 } : slot));
});
refuses("a momentum as bias", "exponent", set("loadBias", { slot: 5 }));
refuses("weights and momenta in each other's place", "exponent", (tapes) => {
  tapes[2][3]!.inputs = [0, 2, 1];
});
refuses("products of products until exponents leave int32", "exponent", (tapes) => {
  const output = layoutOf("I16", [4, 4]);
  const square = { flags: 0, exponent: 0 };
  tapes[0].push({ opcode: "MATMUL", inputs: [9, 9], output, attributes: square });
  for (let i = 0; i < 40; i++) {
    const last = tapes[0].length - 1;
    tapes[0].push({ opcode: "MATMUL", inputs: [last, last], output, attributes: square });
  }
});

/** A product of two tensors of this depth, operands of 16 bits. */
function deepProduct(tapes: Tapes, rows: number, depth: number): void {
  const input = structuredClone(at("input")(tapes));
  const first = tapes[0].length;
  tapes[0].push(
    {
      ...input,
      output: layoutOf("I16", [4, rows * depth]),
      attributes: { ...input.attributes, encoding: 2, multiply: 0, add: 32_767 },
    },
    {
      opcode: "RELAYOUT",
      inputs: [first],
      output: layoutOf("I16", [4 * rows, depth]),
      attributes: {
        view0: 1,
        view1: 1,
        view2: 4,
        view3: rows * depth,
        axis0: 0,
        axis1: 1,
        axis2: 2,
        axis3: 3,
      },
    },
    {
      opcode: "MATMUL",
      inputs: [first + 1, first + 1],
      output: layoutOf("I16", [4 * rows, 4 * rows]),
      attributes: { flags: 0, exponent: 0 },
    },
  );
}

refuses("a product of 2^23 terms of 16 bits: 2^53", "bound", (tapes) => deepProduct(tapes, 1, 2 ** 23));
refuses("2^25 terms", "limit", (tapes) => deepProduct(tapes, 1, 2 ** 25));
test("a product of 2^22 terms of 32767² stays below 2^52 and is valid", () => {
  const program = changed(16, (tapes) => deepProduct(tapes, 1, 2 ** 22));
  validateProgram(program);
  const last = program.tapes[0].length - 1;
  assert.equal(accumulatorBound(program, 0, last), 2n ** 22n * 32767n ** 2n);
});
refuses("the same with a bias of up to 2^40 beside it", "bound", (tapes, program) => {
  deepProduct(tapes, 1, 2 ** 22);
  const output = layoutOf("I32", [4]);
  const slot = program.state.length;
  program.state = [
    ...program.state,
    { name: "bias", role: "weight", layout: output, exponent: -28, initializer: { kind: "zero" } },
  ];
  const product = tapes[0].pop()!;
  const bias = tapes[0].length;
  tapes[0].push(
    { opcode: "LOAD", inputs: [], output, attributes: { space: 0, slot } },
    { ...product, inputs: [...product.inputs, bias], attributes: { flags: 1, exponent: 0 } },
  );
});

refuses("the maximum of a row of 1,600 logits", "opening", (tapes) => {
  const input = structuredClone(at("input")(tapes));
  input.attributes.encoding = 3;
  input.attributes.add = 0;
  input.output = layoutOf("I32", [4, 1600]);
  const first = tapes[0].length;
  tapes[0].push(input, { opcode: "ROW_MAX", inputs: [first], output: layoutOf("I32", [4]), attributes: {} });
});
refuses("a pool over wide rows of many channels", "opening", (tapes) => {
  const input = structuredClone(at("input")(tapes));
  input.output = layoutOf("I16", [4, 8, 8, 512]);
  const pool = {
    strideH: 1,
    strideW: 1,
    padTop: 0,
    padLeft: 0,
    padBottom: 0,
    padRight: 0,
    kernelH: 7,
    kernelW: 1,
  };
  const first = tapes[0].length;
  tapes[0].push(input, {
    opcode: "MAX_POOL",
    inputs: [first],
    output: layoutOf("I16", [4, 2, 8, 512]),
    attributes: pool,
  });
});

/** A convolution of 4 output channels with a pool, over an image of its own. */
const pooled =
  (kernel: [number, number], image: [number, number, number], pool: number) => (tapes: Tapes) => {
    const [height, width] = kernel;
    const [images, weights] = [0, 1].map(() => structuredClone(at("input")(tapes))) as [AnyNode, AnyNode];
    images.output = layoutOf("I16", [4, ...image]);
    weights.output = layoutOf("I16", [4, height, width, 1]);
    const first = tapes[0].length;
    const view = { view0: 4, view1: height, view2: width, view3: 1, axis0: 0, axis1: 1, axis2: 2, axis3: 3 };
    const turned = {
      opcode: "RELAYOUT",
      inputs: [first + 1],
      output: layoutOf("I16", [4, height, width, 1], 3),
    };
    const blocks = [0, 1].map((axis) => Math.floor((image[axis]! - kernel[axis]! + 1) / pool));
    tapes[0].push(images, weights, { ...turned, attributes: view });
    tapes[0].push({
      opcode: "CONV",
      inputs: [first, first + 2],
      output: layoutOf("I16", [4, ...blocks, 4]),
      attributes: {
        ...{
          flags: 0,
          exponent: 0,
          strideH: 1,
          strideW: 1,
          padTop: 0,
          padLeft: 0,
          padBottom: 0,
          padRight: 0,
        },
        ...{ groups: image[2], pool },
      },
    });
  };
for (const [name, kernel, image, side, less] of [
  ["tall kernels", [150, 1], [164, 15, 1], 15, 3],
  ["kernels of one channel each", [8, 8], [15, 15, 4], 8, 5],
] as const) {
  refuses(`a maximum of sums of too many runs: ${name}`, "opening", pooled([...kernel], [...image], side));
  test(`valid: a maximum of fewer sums: ${name}`, () =>
    validateProgram(changed(16, pooled([...kernel], [...image], less))));
}

test("bounds, ranges and exponents follow from the inputs' ranges", () => {
  const program = validProgram(16);
  const facts = tapeFacts(program, program.tapes[0]);
  // 9 pixels of at most 222 by weights of 32767.
  assert.equal(facts[places.conv]!.bound, 9n * 222n * 32767n);
  assert.deepEqual(facts[places.logits]!.exponents, [-16, -16]);
  assert.deepEqual(facts[places.kernel]!.exponents, [-28, -28 + 17]);
  assert.deepEqual(facts[places.gradientT]!.range, { min: -(2 ** 15), max: 2 ** 15 - 1 });
  assert.equal(openingBytes(program, 0, places.logits), 128 + 96 + 32);
});
