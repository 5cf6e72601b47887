import { candidatesOf, finishOf } from "../../core/exact/ops/evaluate.ts";
import { operationOf } from "../../core/exact/ops/table.ts";
import type { Program, TapeNode } from "../../core/exact/tape/types.ts";

/** Terms of sums that are computed in a second, element by element, by the slowest machine that is reckoned with. */
const termsPerSecond = 40e6;
/** Terms that an element takes as long as besides its own, and as many more for each input: it is computed and rounded by itself. */
const termsOfElement = 40;
const termsOfInput = 20;

/**
 * Seconds that the slowest move of a dispute over a program takes besides its step: a tensor's exponent is defended by an
 * element that needs it, and where weights and data were made for it only the last of all that are computed does.
 */
export function secondsOfWitness(program: Program): number {
  const most = program.tapes.flatMap((tape) => tape.map((node) => termsOf(program, tape, node)));
  return Math.max(...most) / termsPerSecond;
}

/** Terms behind all elements of a node whose exponent is to be defended, with what they take besides. */
function termsOf({ bits, microBatch }: Program, tape: readonly TapeNode[], node: TapeNode): number {
  if (finishOf(node).kind !== "requantize") return 0;
  const layouts = node.inputs.map((input) => tape[input]!.output);
  const terms = operationOf(node.opcode).sums?.terms({ bits, microBatch }, node, layouts) ?? 1;
  const elements = node.output.shape.reduce((product, length) => product * length, 1);
  return elements * (terms * candidatesOf(node) + termsOfElement + termsOfInput * node.inputs.length);
}
