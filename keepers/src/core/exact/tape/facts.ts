import {
  alignBits,
  biasMax,
  fixedExponents,
  guardBits,
  leastExponent,
  log2Exact,
  requantizeShift,
} from "../format.ts";
import { limits } from "../limits.ts";
import { finishOf } from "../ops/evaluate.ts";
import { operationOf } from "../ops/table.ts";
import { dtypeRange, type MantissaRange, mantissaRange } from "./ranges.ts";
import { flags, type Layout, type Program, spaces, type TapeNode } from "./types.ts";

/** What holds for a node whatever the data: for the worst mantissas at any exponents that can occur. */
export type NodeFacts = {
  readonly range: MantissaRange;
  /** Least and greatest exponent of the output; equal where the tape fixes it. */
  readonly exponents: readonly [number, number];
  /** Of the accumulators. */
  readonly accumulatorExponents: readonly [number, number];
  /** Largest magnitude of what is rounded, sums before a division and its guard bits included. */
  readonly bound: bigint;
};

type Worst = { readonly bound: bigint; readonly exponents: readonly [number, number] };

const wholeNumbers: readonly [number, number] = [0, 0];

/** Largest magnitude of a mantissa. */
function magnitude({ range }: NodeFacts): bigint {
  return BigInt(Math.max(Math.abs(range.min), Math.abs(range.max)));
}

function moved([low, high]: readonly [number, number], by: number): readonly [number, number] {
  return [low + by, high + by];
}

function always(exponent: number): readonly [number, number] {
  return [exponent, exponent];
}

/** What a division by n makes of a bound: its numerator 2·A·2^GUARD + n must stay exact too. */
function divided({ bound, exponents }: Worst, n: number): Worst {
  const power = log2Exact(n);
  if (power !== undefined) return { bound, exponents: moved(exponents, -power) };
  return {
    bound: ((2n * bound) << BigInt(guardBits)) + BigInt(n),
    exponents: moved(exponents, -guardBits),
  };
}

function spread(facts: readonly NodeFacts[]): readonly [number, number] {
  return [
    Math.min(...facts.map(({ exponents }) => exponents[0])),
    Math.max(...facts.map(({ exponents }) => exponents[1])),
  ];
}

function windowArea({ kernelH, kernelW }: { kernelH: number; kernelW: number }): bigint {
  return BigInt(kernelH * kernelW);
}

/** Terms of a contraction or of a row's sum. */
export function termsOfSum(program: Program, node: TapeNode, inputs: readonly Layout[]): number {
  return operationOf(node.opcode).sums!.terms(
    { bits: program.bits, microBatch: program.microBatch },
    node,
    inputs,
  );
}

/** The worst accumulator of a node whose shapes are right. */
function worst(
  program: Program,
  node: TapeNode,
  facts: readonly NodeFacts[],
  layouts: readonly Layout[],
): Worst {
  const { bits } = program;
  const first = facts[0];
  const logN = log2Exact(program.microBatch)!;
  switch (node.opcode) {
    case "INPUT":
      return {
        bound: magnitudeOf(dtypeRange(node.output.dtype)),
        exponents: always(node.attributes.exponent),
      };
    case "LOAD": {
      const { space, slot } = node.attributes;
      const exponent = space === spaces.state ? program.state[slot]!.exponent : fixedExponents.gradient;
      return { bound: magnitudeOf(dtypeRange("I32")), exponents: always(exponent) };
    }
    case "STORE":
    case "RELAYOUT":
    case "REQUANTIZE":
    case "SHIFT":
    case "ROW_MAX":
    case "RELU":
    case "GATE":
    case "MAX_POOL":
      return { bound: magnitude(first!), exponents: first!.exponents };
    case "MAX_POOL_INDEX":
      return { bound: windowArea(node.attributes), exponents: wholeNumbers };
    case "MATMUL":
    case "CONV":
    case "CONV_POOL_INDEX":
    case "CONV_INPUT_GRAD":
    case "CONV_WEIGHT_GRAD": {
      const second = facts[1]!;
      const terms = BigInt(termsOfSum(program, node, layouts));
      const biased = "flags" in node.attributes && (node.attributes.flags & flags.bias) !== 0;
      return {
        bound: terms * magnitude(first!) * magnitude(second) + (biased ? biasMax(bits) : 0n),
        exponents: [first!.exponents[0] + second.exponents[0], first!.exponents[1] + second.exponents[1]],
      };
    }
    case "ROW_SUM":
      return {
        bound: BigInt(termsOfSum(program, node, layouts)) * magnitude(first!),
        exponents: first!.exponents,
      };
    case "ADD":
      return {
        bound: facts.reduce((sum, input) => sum + (magnitude(input) << BigInt(alignBits)), 0n),
        exponents: spread(facts),
      };
    case "MAX_POOL_GRAD":
      return { bound: windowArea(node.attributes) * magnitude(first!), exponents: first!.exponents };
    case "AVERAGE_POOL":
    case "AVERAGE_POOL_GRAD": {
      const area = windowArea(node.attributes);
      return divided({ bound: area * magnitude(first!), exponents: first!.exponents }, Number(area));
    }
    case "EXP":
      return { bound: 2n ** 30n, exponents: always(-30) };
    case "SOFTMAX_GRAD": {
      const { probabilityBits } = node.attributes;
      return { bound: 2n ** BigInt(probabilityBits), exponents: always(-probabilityBits - logN) };
    }
    case "MSE_GRAD": {
      const difference = (magnitude(first!) + magnitude(facts[1]!)) << BigInt(alignBits);
      const exponents = moved(spread(facts), 1 - logN);
      return divided({ bound: difference, exponents }, node.output.shape[1]!);
    }
    case "ACCUMULATE":
      return {
        bound: BigInt(limits.microBatches) * magnitudeOf(dtypeRange("I32")),
        exponents: always(fixedExponents.gradient),
      };
    case "SGD_MOMENTUM": {
      const [g, v, w] = facts.map(magnitude) as [bigint, bigint, bigint];
      const { momentum, weightDecay } = node.attributes;
      return {
        bound: g + v * BigInt(momentum) + w * BigInt(weightDecay),
        exponents: always(fixedExponents.gradient),
      };
    }
    case "SGD_WEIGHT":
      return {
        bound: magnitude(first!) + 4n * magnitude(facts[1]!) * BigInt(limits.factor),
        exponents: always(fixedExponents.weight),
      };
  }
}

function magnitudeOf({ min, max }: MantissaRange): bigint {
  return BigInt(Math.max(Math.abs(min), Math.abs(max)));
}

function exponentsAfterFinish(
  program: Program,
  node: TapeNode,
  { bound, exponents }: Worst,
): readonly [number, number] {
  if (node.opcode === "CONV_POOL_INDEX") return wholeNumbers;
  const finish = finishOf(node);
  if (finish.kind === "fixed") return always(finish.exponent);
  if (finish.kind === "exact") return exponents;
  const [low, high] = exponents;
  const largestShift = requantizeShift(bound, 0, program.bits);
  return [Math.max(low, leastExponent), Math.max(high + largestShift, leastExponent)];
}

/**
 * Facts of one node from those of its inputs. Its attributes and shapes must have been checked.
 *
 * @param facts one per input
 * @param layouts one per input
 */
export function factsOf(
  program: Program,
  node: TapeNode,
  facts: readonly NodeFacts[],
  layouts: readonly Layout[],
): NodeFacts {
  const accumulators = worst(program, node, facts, layouts);
  return {
    // A copy has the range of what it copies; one node looks no further back than its input.
    range: node.opcode === "RELAYOUT" ? facts[0]!.range : mantissaRange([node], 0),
    exponents: exponentsAfterFinish(program, node, accumulators),
    accumulatorExponents: accumulators.exponents,
    bound: accumulators.bound,
  };
}

/** Facts of every node of a tape whose nodes have all been checked. */
export function tapeFacts(program: Program, tape: readonly TapeNode[]): NodeFacts[] {
  const facts: NodeFacts[] = [];
  for (const node of tape) {
    facts.push(
      factsOf(
        program,
        node,
        node.inputs.map((input) => facts[input]!),
        node.inputs.map((input) => tape[input]!.output),
      ),
    );
  }
  return facts;
}
