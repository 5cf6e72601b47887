import { test } from "node:test";
import type { Dtype } from "../../../../keepers/src/core/exact/tape/types.ts";
import { validateProgram } from "../../../../keepers/src/core/exact/tape/validate.ts";
import { recordedRefusals } from "../refusals.ts";
import { layoutOf } from "./cases-random.ts";
import { changed, type Draft, feed, give, refuserWith, set, type Tapes } from "./void-programs.ts";

const refuses = refuserWith(recordedRefusals("exact/validate-edges"));

/** A node behind all others of tape 0. */
const then =
  (
    opcode: string,
    inputs: number[],
    output: [Dtype, number[], number?],
    attributes: Record<string, number>,
  ) =>
  (tapes: Tapes) => {
    tapes[0].push({ opcode, inputs, output: layoutOf(...output), attributes });
  };
const still = { strideH: 1, strideW: 1, padTop: 0, padLeft: 0, padBottom: 0, padRight: 0 };
const conv = { flags: 4, exponent: 0, ...still, groups: 1, pool: 2 };
const pool = { kernelH: 2, kernelW: 2, ...still };

refuses("blocks of five in four rows of sums", "shape", set("conv", { pool: 5 }));
for (const [name, height, width] of [
  ["higher", 4, 6],
  ["wider", 6, 4],
] as const) {
  refuses(`a block that is ${name} than the sums`, "shape", (tapes) => {
    const image = structuredClone(tapes[0][0]!);
    image.output = layoutOf("I16", [4, height, width, 1]);
    const at = tapes[0].push(image) - 1;
    then("CONV", [at, 3], ["I16", [4, 1, 1, 2]], { ...conv, pool: 3 })(tapes);
  });
}
refuses(
  "an index without a block",
  "attribute",
  then("CONV_POOL_INDEX", [0, 3], ["U8", [4, 4, 4, 2]], { ...conv, pool: 1 }),
);
refuses("a pad to the right as wide as the kernel", "attribute", set("average", { padRight: 1 }));
refuses("a pad to the left as wide as the kernel", "attribute", set("average", { padLeft: 1 }));
refuses("a pad below as high as the kernel", "attribute", set("average", { padBottom: 1 }));
refuses("a pool of two tensors", "inputs", then("MAX_POOL", [4, 4], ["I16", [4, 1, 1, 2]], pool));
refuses("a pool of wide values", "dtype", then("MAX_POOL", [2], ["I32", [2, 2, 2, 1]], pool));
refuses("a pool of a matrix", "shape", then("MAX_POOL", [9], ["I16", [4, 8]], pool));
refuses("a pool of kernels", "row-axes", then("MAX_POOL", [3], ["I16", [2, 2, 2, 1]], pool));
refuses("a pool with another output", "shape", then("MAX_POOL", [4], ["I16", [4, 2, 2, 2]], pool));
refuses("indices of a pool as values", "dtype", then("MAX_POOL_INDEX", [4], ["I16", [4, 1, 1, 2]], pool));
refuses("a kernel without height", "attribute", set("average", { kernelH: 0 }));
refuses("a kernel without width", "attribute", set("average", { kernelW: 0 }));
refuses(
  "a routed gradient of a matrix",
  "shape",
  then("MAX_POOL_GRAD", [27, 5], ["I16", [4, 32]], { flags: 0, ...pool }),
);
refuses(
  "a routed gradient without its routes",
  "dtype",
  then("MAX_POOL_GRAD", [27, 4], ["I16", [4, 3, 3, 2]], { flags: 0, ...pool }),
);
refuses(
  "a mean's gradient of two tensors",
  "inputs",
  then("AVERAGE_POOL_GRAD", [27, 5], ["I16", [4, 3, 3, 2]], { flags: 0, ...pool }),
);
const sendBack = { flags: 0, exponent: 0, ...still, groups: 1 };
refuses(
  "a convolution sent back to a matrix",
  "shape",
  then("CONV_INPUT_GRAD", [27, 3], ["I16", [4, 32]], sendBack),
);
refuses(
  "a convolution sent back through the kernels of the way there",
  "shape",
  then("CONV_INPUT_GRAD", [27, 3], ["I16", [4, 4, 4, 2]], sendBack),
);
refuses(
  "a convolution sent back as wide values",
  "dtype",
  then("CONV_INPUT_GRAD", [2, 3], ["I16", [4, 4, 4, 2]], sendBack),
);
refuses("a gradient of kernels that are a matrix", "shape", give("kernelGrad", "I32", [2, 9]));
refuses("a squared error of one tensor", "inputs", then("MSE_GRAD", [9], ["I16", [4, 8]], {}));
refuses("a squared error of images", "shape", then("MSE_GRAD", [4, 4], ["I16", [4, 2, 2, 2]], {}));
refuses("an exponential at another exponent", "exponent", then("EXP", [22, 14], ["U32", [4, 3]], {}));
refuses("a rounding of two tensors", "inputs", then("SHIFT", [2, 2], ["I32", [2, 3, 3, 1]], { exponent: 0 }));
refuses("a maximum of two tensors", "inputs", then("ROW_MAX", [13, 13], ["I32", [4]], {}));
refuses("a maximum of images", "shape", then("ROW_MAX", [4], ["I16", [4]], {}));
refuses("a sum of images", "shape", then("ROW_SUM", [4], ["I64", [4]], { flags: 0, exponent: 0 }));
refuses("a fixed sum that is left exact", "dtype", give("biasGrad", "I64", [3]));
refuses("rows of a bias that no sample has", "shape", feed("logits", [12, 12, 11]));
refuses("an axis of five", "attribute", set("gradientT", { axis0: 4 }));
refuses("negative offsets", "attribute", set("input", { offset: -1 }));
refuses("a negative number of classes", "attribute", set("labels", { classes: -1 }));
refuses("labels with something added", "label", set("labels", { add: 1 }));
refuses("32-bit values with something added", "attribute", (tapes) => {
  set("input", { encoding: 3, add: 1 })(tapes);
  give("input", "I32", [4, 6, 6, 1])(tapes);
});
refuses("values of an unsigned type", "dtype", give("input", "U8", [4, 6, 6, 1]));
refuses("a negative slot", "slot", set("loadKernel", { slot: -1 }));
refuses("the first slot behind the last", "slot", set("loadKernel", { slot: 6 }));
refuses("a profile of twelve bits", "program", (_, program) => {
  (program as { bits: number }).bits = 12;
});
refuses("two tapes", "program", (tapes) => {
  tapes.pop();
});
refuses("a micro-batch of none", "limit", (_, program) => {
  program.microBatch = 0;
});
refuses("a micro-batch of half a sample", "limit", (_, program) => {
  program.microBatch = 0.5;
});
refuses("a micro-batch of 2^21", "limit", (_, program) => {
  program.microBatch = 2 ** 21;
});
const slot = (change: object) => (_: Tapes, program: Draft) => {
  program.state = program.state.map((each, i) => (i === 2 ? ({ ...each, ...change } as typeof each) : each));
};
refuses("a state of 16 bits", "dtype", slot({ layout: layoutOf("I16", [3]) }));
refuses("a state of no shape", "shape", slot({ layout: layoutOf("I32", []) }));
refuses("a state with half an element", "shape", slot({ layout: layoutOf("I32", [0.5]) }));
refuses("a state of too many elements", "limit", slot({ layout: layoutOf("I32", [65_536, 32_769]) }));
refuses("a state in rows of four axes", "row-axes", slot({ layout: layoutOf("I32", [1, 1, 1, 3], 4) }));
refuses("a state drawn with no fan-in", "program", slot({ initializer: { kind: "uniform", fanIn: 0 } }));
refuses(
  "a state drawn with half a fan-in",
  "program",
  slot({ initializer: { kind: "uniform", fanIn: 1.5 } }),
);
refuses(
  "fewer given values than elements",
  "shape",
  slot({ initializer: { kind: "given", mantissas: new Int32Array(2) } }),
);
refuses("a gradient of 16 bits", "dtype", (_, program) => {
  program.gradients = program.gradients.with(2, layoutOf("I16", [3]));
});
refuses("a gradient of no shape", "shape", (_, program) => {
  program.gradients = program.gradients.with(2, layoutOf("I32", []));
});
refuses("65,537 slots", "limit", (_, program) => {
  program.state = new Array(65_537).fill(program.state[0]);
});
refuses("65,537 gradients", "limit", (_, program) => {
  program.gradients = new Array(65_537).fill(program.gradients[0]);
});
for (const mark of ["witness", "target"] as const) {
  for (const node of [-1, 0.5, 33]) {
    refuses(`node ${node} as ${mark}`, "program", (_, program) => {
      program[mark] = node;
    });
  }
}

test("what stands at the edge of a rule is valid: given values, the least fan-in, the first and last node", () => {
  const given = new Int32Array(3).fill(-(2 ** 31) + 1);
  validateProgram(changed(16, slot({ initializer: { kind: "given", mantissas: given } })));
  validateProgram(changed(16, slot({ initializer: { kind: "uniform", fanIn: 1 } })));
  for (const witness of [0, 32]) {
    validateProgram(
      changed(16, (_, program) => {
        program.witness = witness;
      }),
    );
  }
  const wide = changed(16, (tapes) => {
    give("labels", "U32", [4])(tapes);
  });
  validateProgram(wide);
});
