import type { MantissaBits, Program, TapeNode } from "../../../../keepers/src/core/exact/tape/types.ts";
import { layoutOf } from "./cases-random.ts";
import { type AnyNode, places, validProgram } from "./validate-program.ts";

const still = { padTop: 0, padLeft: 0, padBottom: 0, padRight: 0 };
const each = { strideH: 1, strideW: 1, ...still };

/** The small network of `validProgram`, and behind it every opcode that it does not have, at the edges of the rules. */
export function everyOpcode(bits: MantissaBits): Program {
  const B = bits === 8 ? "I8" : "I16";
  const program = structuredClone(validProgram(bits));
  const tape = program.tapes[0] as unknown as AnyNode[];
  const push = (node: AnyNode): number => tape.push(node) - 1;
  const image = layoutOf(B, [4, 4, 4, 2]);
  const window = { kernelH: 3, kernelW: 2, ...each };
  const kernel = push({
    opcode: "RELAYOUT",
    inputs: [
      push({
        opcode: "LOAD",
        inputs: [],
        output: layoutOf("I32", [3, 8]),
        attributes: { space: 0, slot: 1 },
      }),
    ],
    output: layoutOf("I32", [8, 3]),
    attributes: { view0: 1, view1: 1, view2: 3, view3: 8, axis0: 0, axis1: 1, axis2: 3, axis3: 2 },
  });
  push({ opcode: "SHIFT", inputs: [kernel], output: layoutOf("I32", [8, 3]), attributes: { exponent: -20 } });
  // What a convolution sends back to its image.
  const back = push({
    opcode: "REQUANTIZE",
    inputs: [places.loadKernel],
    output: layoutOf(B, [2, 3, 3, 1], 3),
    attributes: {},
  });
  const turned = push({
    opcode: "RELAYOUT",
    inputs: [back],
    output: layoutOf(B, [1, 3, 3, 2], 3),
    attributes: { view0: 2, view1: 3, view2: 3, view3: 1, axis0: 3, axis1: 1, axis2: 2, axis3: 0 },
  });
  const gradient = layoutOf(B, [4, 4, 4, 1]);
  push({
    opcode: "CONV_INPUT_GRAD",
    inputs: [places.gate, turned],
    output: gradient,
    attributes: { flags: 0, exponent: 0, ...each, groups: 1 },
  });
  const pooled = push({
    opcode: "MAX_POOL",
    inputs: [places.poolGrad],
    output: layoutOf(B, [4, 2, 3, 2]),
    attributes: window,
  });
  const where = push({
    opcode: "MAX_POOL_INDEX",
    inputs: [places.poolGrad],
    output: layoutOf("U8", [4, 2, 3, 2]),
    attributes: window,
  });
  push({
    opcode: "MAX_POOL_GRAD",
    inputs: [pooled, where],
    output: image,
    attributes: { flags: 0, ...window },
  });
  // Six pixels are no power of two: a mean over them is a division.
  const mean = push({
    opcode: "AVERAGE_POOL",
    inputs: [places.poolGrad],
    output: layoutOf(B, [4, 2, 3, 2]),
    attributes: window,
  });
  push({ opcode: "AVERAGE_POOL_GRAD", inputs: [mean], output: image, attributes: { flags: 0, ...window } });
  push({
    opcode: "AVERAGE_POOL_GRAD",
    inputs: [mean, places.poolGrad],
    output: image,
    attributes: { flags: 2, ...window },
  });
  push({
    opcode: "MSE_GRAD",
    inputs: [places.flat, places.flatGrad],
    output: layoutOf(B, [4, 8]),
    attributes: {},
  });
  const thirds = push({
    opcode: "RELAYOUT",
    inputs: [places.gradient],
    output: layoutOf(B, [4, 3]),
    attributes: { view0: 1, view1: 1, view2: 4, view3: 3, axis0: 0, axis1: 1, axis2: 2, axis3: 3 },
  });
  push({ opcode: "MSE_GRAD", inputs: [thirds, thirds], output: layoutOf(B, [4, 3]), attributes: {} });
  push({
    opcode: "ADD",
    inputs: [6, 6, 7, 7, 8],
    output: layoutOf(B, [4, 2, 2, 2]),
    attributes: { flags: 0 },
  });
  // All of an image in one block, and rows of labels of four bytes.
  const all = { flags: 4, exponent: 0, ...each, groups: 1, pool: 4 };
  push({ opcode: "CONV", inputs: [0, 3], output: layoutOf(B, [4, 1, 1, 2]), attributes: all });
  push({
    opcode: "INPUT",
    inputs: [],
    output: layoutOf("U32", [4]),
    attributes: { offset: 36, encoding: 3, multiply: 1, add: 0, exponent: 0, classes: 70_000 },
  });
  return { ...program, tapes: [tape as unknown as TapeNode[], program.tapes[1], program.tapes[2]] };
}
