import { fixedExponents, log2Exact, rndNumber, satNumber } from "../../core/exact/format.ts";
import { evaluateNode } from "../../core/exact/ops/evaluate.ts";
import { stateTensors } from "../../core/exact/ops/step.ts";
import { elementCount, newMantissas, readerOf } from "../../core/exact/ops/tensor.ts";
import type { OperationContext } from "../../core/exact/ops/types.ts";
import {
  type Layout,
  type Program,
  spaces,
  type TapeNode,
  type Tensor,
} from "../../core/exact/tape/types.ts";

/** Milliseconds for which nodes are computed without giving way to other work. */
const longestTurn = 20;

/**
 * Tapes 1 and 2 of a step: what the gradients of its micro-batches make of the state. Their opcodes are computed in float64,
 * where every value is an integer below 2^52; the bits are those of the definition, which computes in `bigint` and takes some
 * ten times as long.
 */

/** The node that stores a slot of a space. */
export function storeNode(tape: readonly TapeNode[], space: number, slot: number): number {
  return tape.findIndex(
    ({ opcode, attributes }) =>
      opcode === "STORE" &&
      (attributes as { space: number; slot: number }).space === space &&
      (attributes as { space: number; slot: number }).slot === slot,
  );
}

/** Sums of the gradients of micro-batches: below 2^20 · 2^31 in magnitude, so that a float64 holds each. */
export class GradientSums {
  readonly sums: readonly Float64Array[];
  readonly #stores: readonly number[];

  constructor({ gradients, tapes }: Program) {
    this.sums = gradients.map((layout) => new Float64Array(elementCount(layout)));
    this.#stores = gradients.map((_, slot) => storeNode(tapes[0], spaces.microBatchGradient, slot));
  }

  /** @param tensors of tape 0 of a micro-batch, by node */
  add(tensors: readonly Tensor[]): void {
    for (const [slot, sum] of this.sums.entries()) {
      const { mantissas } = tensors[this.#stores[slot]!]!;
      for (let i = 0; i < sum.length; i++) sum[i]! += mantissas[i]!;
    }
  }
}

export type EndOfStepParameters = {
  readonly program: Program;
  /** The state before the step. */
  readonly state: readonly Int32Array[];
  readonly gradients: GradientSums;
  /** M, a power of two: how many micro-batches the sums are over. */
  readonly microBatches: number;
  /** LR of the step, an unsigned 16-bit integer over 2^rL. */
  readonly learningRate: number;
};

/**
 * Every tensor of tapes 1 and 2, by node. What is loaded or stored as it is shares the memory of what it was loaded from: the
 * state too, which must not be changed. Other work goes on between two nodes.
 */
export async function endOfStep({
  program,
  state,
  gradients,
  microBatches,
  learningRate,
}: EndOfStepParameters): Promise<{ reduction: Tensor[]; optimizer: Tensor[] }> {
  const { bits, microBatch, tapes } = program;
  const shift = log2Exact(microBatches)!;
  const reduction = await evaluate({ bits, microBatch }, tapes[1], (node) =>
    node.opcode === "ACCUMULATE"
      ? mean(gradients.sums[node.attributes.slot]!, shift, node.output)
      : undefined,
  );
  const slots = stateTensors(program, state);
  const slotOf = (space: number, slot: number) =>
    space === spaces.state ? slots[slot]! : reduction[storeNode(tapes[1], space, slot)]!;
  const context: OperationContext = {
    ...{ bits, microBatch, learningRate },
    slot: (space, slot) => readerOf(slotOf(space, slot)),
  };
  const optimizer = await evaluate(context, tapes[2], (node, inputs) => {
    switch (node.opcode) {
      case "LOAD":
        return shared(slotOf(node.attributes.space, node.attributes.slot), node.output);
      case "SGD_MOMENTUM":
        return momentum(node, inputs);
      case "SGD_WEIGHT":
        return weight(node, inputs, learningRate);
      default:
        return undefined;
    }
  });
  return { reduction, optimizer };
}

/** Evaluates the nodes of a tape in order: by the definition where there is no quicker way. */
async function evaluate(
  context: OperationContext,
  tape: readonly TapeNode[],
  quickly: (node: TapeNode, inputs: readonly Tensor[]) => Tensor | undefined,
): Promise<Tensor[]> {
  const tensors: Tensor[] = [];
  let since = performance.now();
  for (const node of tape) {
    const inputs = node.inputs.map((index) => tensors[index]!);
    const stored = node.opcode === "STORE" ? shared(inputs[0]!, node.output) : undefined;
    tensors.push(stored ?? quickly(node, inputs) ?? evaluateNode(context, node, inputs));
    if (performance.now() - since < longestTurn) continue;
    // The page computes steps, too: what gives way must be there in a browser.
    await new Promise((done) => setTimeout(done));
    since = performance.now();
  }
  return tensors;
}

/** The same tensor under another node, where it is of the same type. */
function shared({ layout: { dtype }, exponent, mantissas }: Tensor, layout: Layout): Tensor | undefined {
  if (dtype !== "I32" || layout.dtype !== "I32") return undefined;
  return { layout, exponent, mantissas };
}

function mean(sums: Float64Array, shift: number, layout: Layout): Tensor {
  const mantissas = newMantissas(layout);
  for (let i = 0; i < sums.length; i++) mantissas[i] = rndNumber(sums[i]!, shift);
  return { layout, exponent: fixedExponents.gradient, mantissas };
}

function momentum(node: TapeNode<"SGD_MOMENTUM">, inputs: readonly Tensor[]): Tensor {
  const [g, v, w] = inputs.map(({ mantissas }) => mantissas) as [Int32Array, Int32Array, Int32Array];
  const { momentum: kept, momentumShift, weightDecay, weightDecayShift } = node.attributes;
  const mantissas = newMantissas(node.output);
  for (let i = 0; i < mantissas.length; i++) {
    const decay = rndNumber(w[i]! * weightDecay, weightDecayShift + 2);
    mantissas[i] = satNumber(g[i]! + rndNumber(v[i]! * kept, momentumShift) + decay);
  }
  return { layout: node.output, exponent: fixedExponents.gradient, mantissas };
}

function weight(node: TapeNode<"SGD_WEIGHT">, inputs: readonly Tensor[], learningRate: number): Tensor {
  const [w, v] = inputs.map(({ mantissas }) => mantissas) as [Int32Array, Int32Array];
  const { learningRateShift } = node.attributes;
  const mantissas = newMantissas(node.output);
  for (let i = 0; i < mantissas.length; i++)
    mantissas[i] = satNumber(w[i]! - rndNumber(4 * v[i]! * learningRate, learningRateShift));
  return { layout: node.output, exponent: fixedExponents.weight, mantissas };
}
