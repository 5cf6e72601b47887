import { type ContractionBounds, planVectors, type VectorPlan } from "../../core/exact/freivalds/vectors.ts";
import { mantissaRange } from "../../core/exact/tape/ranges.ts";
import type { Program } from "../../core/exact/tape/types.ts";
import {
  type Contraction,
  contractionKey,
  convGrid,
  isContraction,
  shape4,
} from "../lowering/open/products.ts";
import { elementCount } from "../onnx/types.ts";
import { BoundError } from "./errors.ts";

/** The sums of products of a node of tape 0; of a CONV and its CONV_POOL_INDEX there is one entry. */
export type HandedSums = {
  /** Index of the first node that has these sums, and that node. */
  readonly index: number;
  readonly node: Contraction;
  /** Indices of all nodes that have them. */
  readonly nodes: readonly number[];
  /** Shape of the sums: of a pooled CONV those before pooling. */
  readonly shape: readonly number[];
  /** Products of one sum. */
  readonly terms: number;
  /** Largest magnitude of a sum, below 2^52. */
  readonly bound: number;
};

/** Along which free axis a check combines: it is axis 0 of the operand, and the first or last axis of the sums. */
export type Side = {
  readonly operand: 0 | 1;
  /** Groups of the operand that are combined each by itself. */
  readonly groups: number;
  /** Groups of that axis of the sums. */
  readonly sumGroups: number;
  readonly axis: "first" | "last";
};

export type Check = { readonly sums: HandedSums; readonly side: Side; readonly plan: VectorPlan };

/** Sums are below this: the tape's own limit. */
const sumLimit = 2 ** 52;

/** Relative costs per element, in multiply-adds: gathering windows, splitting into limbs. */
const gatherCost = 4;
const splitCost = 8;

/**
 * Contractions of tape 0 in order.
 * @throws BoundError for a program whose sums could leave their carrier.
 */
export function handedSums(program: Program): HandedSums[] {
  const tape = program.tapes[0];
  const found = new Map<string, HandedSums & { nodes: number[] }>();
  for (const [index, node] of tape.entries()) {
    if (!isContraction(node)) continue;
    const [a, b] = node.inputs as [number, number];
    const key = contractionKey(node, a, b);
    const known = found.get(key);
    if (known !== undefined) {
      known.nodes.push(index);
      continue;
    }
    const { shape, terms } = sumShape(node, tape[a]!.output.shape, tape[b]!.output.shape);
    const bound = terms * magnitude(program, a) * magnitude(program, b);
    if (bound >= sumLimit) throw new BoundError(index, node.opcode);
    found.set(key, { index, node, nodes: [index], shape, terms, bound });
  }
  return [...found.values()];
}

/** How each contraction is checked: along the side and with the vectors that cost least. */
export function planChecks(program: Program, errorBits: number): Check[] {
  return handedSums(program).map((sums) => {
    const candidates = sidesOf(sums.node).flatMap((side) => {
      const bounds = boundsOf(program, sums, side);
      const { operand, groups } = side;
      const [size] = operandShape(program, sums, operand) as [number];
      return planVectors(bounds, size / groups, errorBits).map((plan) => ({ sums, side, plan }));
    });
    const costs = candidates.map((check) => costOf(program, check));
    return candidates[costs.indexOf(Math.min(...costs))]!;
  });
}

/** Multiply-adds that a check takes, roughly. */
export function costOf(program: Program, { sums, side, plan }: Check): number {
  const { node, shape, terms } = sums;
  const count = elementCount(shape);
  const operand = elementCount(operandShape(program, sums, side.operand));
  const columns = plan.vectors * (plan.limbBits > 0 ? 2 : 1);
  const share = columns / plan.length;
  let cost = plan.vectors * operand + columns * count + share * count * terms;
  if (plan.limbBits > 0) cost += splitCost * (count + (plan.vectors / plan.length) * operand);
  if (node.opcode !== "MATMUL") {
    // The windows are gathered from the first operand.
    cost += gatherCost * windowElements(sums) * (side.operand === 0 ? share : 1);
  }
  return cost;
}

function windowElements({ node, shape, terms }: HandedSums): number {
  const count = elementCount(shape) * terms;
  if (node.opcode === "MATMUL") return 0;
  const { groups } = node.attributes;
  return (count / (node.opcode === "CONV_WEIGHT_GRAD" ? shape[0]! : shape.at(-1)!)) * groups;
}

function sidesOf(node: Contraction): readonly [Side, Side] {
  const groups = node.opcode === "MATMUL" ? 1 : node.attributes.groups;
  if (node.opcode === "CONV_WEIGHT_GRAD") {
    return [
      { operand: 0, groups, sumGroups: 1, axis: "last" },
      { operand: 1, groups, sumGroups: groups, axis: "first" },
    ];
  }
  return [
    { operand: 0, groups: 1, sumGroups: 1, axis: "first" },
    { operand: 1, groups, sumGroups: groups, axis: "last" },
  ];
}

function boundsOf(program: Program, { node, terms }: HandedSums, { operand }: Side): ContractionBounds {
  const [combined, other] = [node.inputs[operand]!, node.inputs[1 - operand]!];
  return { terms, combined: magnitude(program, combined), other: magnitude(program, other) };
}

function operandShape(program: Program, { node }: HandedSums, operand: 0 | 1): readonly number[] {
  return program.tapes[0][node.inputs[operand]!]!.output.shape;
}

/** Largest magnitude of a mantissa of a node of tape 0. */
function magnitude(program: Program, index: number): number {
  const { min, max } = mantissaRange(program.tapes[0], index);
  return Math.max(-min, max);
}

function sumShape(
  node: Contraction,
  a: readonly number[],
  b: readonly number[],
): { shape: readonly number[]; terms: number } {
  switch (node.opcode) {
    case "MATMUL":
      return { shape: node.output.shape, terms: a[1]! };
    case "CONV":
    case "CONV_POOL_INDEX":
      return { shape: [a[0]!, ...convGrid(node, a, b), b[0]!], terms: elementCount(b.slice(1)) };
    case "CONV_INPUT_GRAD":
      return { shape: node.output.shape, terms: elementCount(b.slice(1)) };
    case "CONV_WEIGHT_GRAD": {
      const [, samples, height, width] = shape4(b);
      return { shape: node.output.shape, terms: samples * height * width };
    }
  }
}
