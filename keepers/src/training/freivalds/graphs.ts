import type { Program, TapeNode } from "../../core/exact/tape/types.ts";
import { cast, reshape, rounded, scalar, transpose } from "../lowering/open/arithmetic.ts";
import { completed } from "../lowering/open/contractions.ts";
import { lowerNode } from "../lowering/open/lower-node.ts";
import { openLowering, putOut } from "../lowering/open/lower-open.ts";
import type { Lowering, Value } from "../lowering/open/lowering.ts";
import { type Contraction, contracted } from "../lowering/open/products.ts";
import { GraphBuilder } from "../onnx/builder.ts";
import { elementCount, type OnnxModel } from "../onnx/types.ts";
import { type Check, type HandedSums, handedSums } from "./contractions.ts";
import { isNarrow } from "./serialize.ts";

/**
 * The graphs of both sides, for one micro-batch. Inputs are those of the open lowering; besides, in the order of
 * `handedSums`: `sums<i>` (int32 where the bound is below 2^31, otherwise float64) and `vectors<i>` (float64
 * [vectors, length]). `check<i>` is a float64 scalar, 0 when the combined sums are those of the combined operand.
 */
export const freivaldsNames = {
  sums: (i: number) => `sums${i}`,
  vectors: (i: number) => `vectors${i}`,
  check: (i: number) => `check${i}`,
} as const;

/** The element type in which sums cross a graph's border. */
export function sumDtype(sums: HandedSums): "int32" | "float64" {
  return isNarrow(sums) ? "int32" : "float64";
}

/** What a provider runs: tape 0, of which the sums are put out. */
export function lowerSums(program: Program, { objectBytes }: { objectBytes: number }): OnnxModel {
  const builder = new GraphBuilder("sums");
  const lowering = openLowering(builder, program, { objectBytes });
  const values = lowerAll(program.tapes[0], (node, inputs) => lowerNode(lowering, node, inputs));
  for (const [i, sums] of handedSums(program).entries()) {
    const { node, shape } = sums;
    const [a, b] = node.inputs as [number, number];
    const made = contracted(lowering, node, values[a]!, values[b]!);
    const dtype = sumDtype(sums);
    const crossing = dtype === "int32" ? builder.op("Cast", [made], { to: { type: "int", value: 6 } }) : made;
    builder.output(freivaldsNames.sums(i), crossing, dtype, shape);
  }
  return builder.build();
}

/** What a validator runs: tape 0 with every sum taken as claimed, one check for each, and the given nodes put out. */
export function lowerVerification(
  program: Program,
  checks: readonly Check[],
  { objectBytes, nodes }: { objectBytes: number; nodes: readonly number[] },
): OnnxModel {
  const builder = new GraphBuilder("verification");
  const lowering = openLowering(builder, program, { objectBytes });
  const claimed = new Map<number, string>();
  for (const [i, { sums }] of checks.entries()) {
    const dtype = sumDtype(sums);
    const input = builder.input(freivaldsNames.sums(i), dtype, sums.shape);
    const value = dtype === "int32" ? cast(builder, input, "float64") : input;
    for (const index of sums.nodes) claimed.set(index, value);
  }
  const values = lowerAll(program.tapes[0], (node, inputs, index) => {
    const sums = claimed.get(index);
    return sums === undefined
      ? lowerNode(lowering, node, inputs)
      : completed(lowering, node as Contraction, sums, inputs);
  });
  for (const [i, check] of checks.entries()) {
    const { index, node } = check.sums;
    const [a, b] = node.inputs as [number, number];
    const { vectors, length } = check.plan;
    const matrix = builder.input(freivaldsNames.vectors(i), "float64", [vectors, length]);
    const difference = lowerCheck(lowering, check, [values[a]!, values[b]!], claimed.get(index)!, matrix);
    builder.output(freivaldsNames.check(i), difference, "float64", []);
  }
  putOut(builder, nodes, (index) => values[index]!);
  return builder.build();
}

function lowerAll(
  tape: readonly TapeNode[],
  lower: (node: TapeNode, inputs: readonly Value[], index: number) => Value,
): Value[] {
  const values: Value[] = [];
  for (const [index, node] of tape.entries()) {
    values.push(
      lower(
        node,
        node.inputs.map((input) => values[input]!),
        index,
      ),
    );
  }
  return values;
}

/** Largest difference between the combined sums and the sums of the combined operand. */
function lowerCheck(
  lowering: Lowering,
  { sums, side, plan }: Check,
  operands: readonly [Value, Value],
  claimed: string,
  matrix: string,
): string {
  const { builder } = lowering;
  const { limbBits, vectors } = plan;
  const columns = vectors * (limbBits > 0 ? 2 : 1);
  const operand = operands[side.operand];
  const [size, ...rest] = operand.layout.shape as [number, ...number[]];
  const inner = elementCount(rest);
  const grouped = reshape(builder, operand.mantissas, [side.groups, size / side.groups, inner]);
  const combined = inLimbs(builder, builder.op("MatMul", [matrix, grouped]), limbBits, 1);
  const shape = [side.groups * columns, ...rest];
  const thin: Value = {
    mantissas: reshape(builder, combined, shape),
    exponent: operand.exponent,
    layout: { ...operand.layout, shape },
  };
  const [a, b] = side.operand === 0 ? [thin, operands[1]] : [operands[0], thin];
  const expected = contracted(lowering, sums.node, a, b);
  const found = combinedSums(builder, { sums, side, plan }, claimed, matrix);
  const difference = builder.op("Sub", [reshape(builder, expected, found.shape), found.value]);
  const whole = limbBits > 0 ? joined(builder, difference, found, limbBits) : difference;
  return builder.op("ReduceMax", [builder.op("Abs", [whole])], { keepdims: { type: "int", value: 0 } });
}

type Combined = { readonly value: string; readonly shape: readonly number[]; readonly axis: number };

/** The claimed sums, combined: [groups, columns, inner], or [outer, columns] along the last axis. */
function combinedSums(
  builder: GraphBuilder,
  { sums, side, plan }: Check,
  claimed: string,
  matrix: string,
): Combined {
  const { limbBits, vectors, length } = plan;
  const columns = vectors * (limbBits > 0 ? 2 : 1);
  const count = elementCount(sums.shape);
  const first = side.axis === "first";
  const axis = first ? 1 : 2;
  const view = first
    ? [side.sumGroups, length, count / side.sumGroups / length]
    : [1, count / length, length];
  const seen = reshape(builder, claimed, view);
  const factor = first ? matrix : transpose(builder, matrix, [1, 0]);
  const parts = limbBits > 0 ? limbs(builder, seen, limbBits) : [seen];
  const products = parts.map((part) => builder.op("MatMul", first ? [factor, part] : [part, factor]));
  const shape = first ? [side.sumGroups, columns, view[2]!] : [1, view[1]!, columns];
  return { value: concatenated(builder, products, axis), shape, axis };
}

/** upper·2^bits + lower of differences whose columns are those of the upper limbs, then of the lower. */
function joined(builder: GraphBuilder, value: string, { shape, axis }: Combined, bits: number): string {
  const half = shape[axis]! / 2;
  const slice = (from: number) =>
    builder.op("Slice", [value, builder.int64([from]), builder.int64([from + half]), builder.int64([axis])]);
  // The product is exact; the sum is 0 only where the limbs cancel, because rounding never makes 0 of another number.
  return builder.op("Add", [builder.op("Mul", [slice(0), scalar(builder, 2 ** bits)]), slice(half)]);
}

function inLimbs(builder: GraphBuilder, value: string, bits: number, axis: number): string {
  return bits === 0 ? value : concatenated(builder, limbs(builder, value, bits), axis);
}

/** value = upper·2^bits + lower, −2^(bits − 1) ≤ lower < 2^(bits − 1). */
function limbs(builder: GraphBuilder, value: string, bits: number): [upper: string, lower: string] {
  const upper = rounded(builder, value, bits);
  const lower = builder.op("Sub", [value, builder.op("Mul", [upper, scalar(builder, 2 ** bits)])]);
  return [upper, lower];
}

function concatenated(builder: GraphBuilder, parts: readonly string[], axis: number): string {
  if (parts.length === 1) return parts[0]!;
  return builder.op("Concat", parts, { axis: { type: "int", value: axis } });
}
