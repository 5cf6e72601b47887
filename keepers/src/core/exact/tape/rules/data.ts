import { encodingWidths } from "../../ops/input.ts";
import { dtypeRange, inputRange } from "../ranges.ts";
import { type Layout, spaces } from "../types.ts";
import type { NodeCheck } from "./node-check.ts";

export function input(check: NodeCheck<"INPUT">): void {
  check.count(0);
  const { output, attributes } = check.node;
  const { encoding, multiply, add, classes } = attributes;
  check.within("offset", 0, 2 ** 31 - 1);
  check.within("encoding", 0, encodingWidths.length - 1);
  check.within("classes", 0, 2 ** 31 - 1);
  const labels = classes > 0;
  const plain = multiply === 1 && add === 0;
  if (labels) {
    check.require(
      output.dtype === "U8" || output.dtype === "U32",
      "dtype",
      `labels are U8 or U32, not ${output.dtype}`,
    );
    check.require(plain, "label", "labels are taken as they are: multiply must be 1, add must be 0");
  } else {
    check.require(
      ["I8", "I16", "I32"].includes(output.dtype),
      "dtype",
      `its output is ${output.dtype}; values are I8, I16 or I32`,
    );
    check.require(
      encoding !== 3 || plain,
      "attribute",
      "32-bit values are taken as they are: multiply must be 1, add must be 0",
    );
  }
  const range = inputRange(attributes);
  const most = dtypeRange(output.dtype);
  check.require(
    range.min >= most.min && range.max <= most.max,
    "range",
    `its values reach from ${range.min} to ${range.max}; ${output.dtype} holds ${most.min} to ${most.max}`,
    "choose a wider type, or another multiply and add",
  );
  check.require(
    output.shape[0] === check.program.microBatch,
    "shape",
    `its output has ${output.shape[0]} rows and the micro-batch ${check.program.microBatch}`,
  );
  check.output(output.dtype, output.shape);
}

/** Spaces that a tape may read and the one that it writes. */
const access = [
  { reads: [spaces.state], writes: spaces.microBatchGradient },
  { reads: [], writes: spaces.stepGradient },
  { reads: [spaces.state, spaces.stepGradient], writes: spaces.state },
] as const satisfies readonly { reads: readonly number[]; writes: number }[];

function slotLayout(check: NodeCheck, space: number, slot: number): Layout {
  const { state, gradients } = check.program;
  const layouts = space === spaces.state ? state.map(({ layout }) => layout) : gradients;
  check.require(
    slot >= 0 && slot < layouts.length,
    "slot",
    `there is no slot ${slot} among the ${layouts.length} of space ${space}`,
  );
  return layouts[slot]!;
}

export function load(check: NodeCheck<"LOAD">): void {
  check.count(0);
  const { space, slot } = check.node.attributes;
  const reads: readonly number[] = access[check.tape]!.reads;
  check.require(reads.includes(space), "slot", `tape ${check.tape} must not load from space ${space}`);
  const { dtype, shape, rowAxes } = slotLayout(check, space, slot);
  check.output(dtype, shape, rowAxes);
}

export function store(check: NodeCheck<"STORE">): void {
  check.count(1);
  const { space, slot } = check.node.attributes;
  check.require(
    space === access[check.tape]!.writes,
    "slot",
    `tape ${check.tape} must not store to space ${space}`,
  );
  const { dtype, shape, rowAxes } = slotLayout(check, space, slot);
  check.dtype(0, dtype);
  check.shape(0, shape);
  check.rows(0, rowAxes);
  check.exponent(0, space === spaces.state ? check.program.state[slot]!.exponent : -26);
  check.output(dtype, shape, rowAxes);
}

export function accumulate(check: NodeCheck<"ACCUMULATE">): void {
  check.count(0);
  const { slot } = check.node.attributes;
  const { dtype, shape, rowAxes } = slotLayout(check, spaces.microBatchGradient, slot);
  check.output(dtype, shape, rowAxes);
}

/** The space that a tape writes. */
export function writtenSpace(tape: number): number {
  return access[tape]!.writes;
}
