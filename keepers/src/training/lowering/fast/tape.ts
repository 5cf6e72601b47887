import { type Opcode, spaces, type TapeNode } from "../../../core/exact/tape/types.ts";
import type { Context } from "./context.ts";
import { convInputGradient } from "./conv-input-gradient.ts";
import { convWeightGradient } from "./conv-weight-gradient.ts";
import { type ConvResult, convolution } from "./convolution.ts";
import { add, gate, relu, requantizeBatch, rowMax, rowSum, shift } from "./elementwise.ts";
import type { Value } from "./emitter.ts";
import { NoFastRule } from "./errors.ts";
import { input } from "./input.ts";
import { matmul } from "./linear.ts";
import { exp, meanSquareGradient, softmaxGradient } from "./loss.ts";
import { averagePool, averagePoolGradient, maxPool, maxPoolGradient } from "./pooling.ts";
import { type FastTensor, type GradientTensor, identity, permuted, relayoutBatch } from "./tensors.ts";
import type { PooledWindows } from "./windows.ts";

/** Nodes of the micro-batch tape that a gradient or the witness depends on. */
export function liveNodes(tape: readonly TapeNode[], witness: number): boolean[] {
  const live = tape.map((node, index) => node.opcode === "STORE" || index === witness);
  for (let index = tape.length - 1; index >= 0; index--) {
    if (live[index]) for (const source of tape[index]!.inputs) live[source] = true;
  }
  return live;
}

export type MicroBatch = { readonly gradients: readonly GradientTensor[]; readonly witness: FastTensor };

/**
 * Lowers the micro-batch tape.
 * @param objects bytes [N, objectBytes]
 * @throws NoFastRule for a tape that the rules do not cover.
 */
export function lowerMicroBatch(ctx: Context, objects: Value): MicroBatch {
  const { program } = ctx;
  const tape = program.tapes[0];
  const live = liveNodes(tape, program.witness);
  const tensors: FastTensor[] = [];
  const gradients: GradientTensor[] = [];
  const pools = new Map<string, PooledWindows>();
  const convolutions = new Map<string, ConvResult>();
  tape.forEach((node, index) => {
    if (!live[index]) return;
    const inputs = node.inputs.map((source) => tensors[source]!);
    const shapes = node.inputs.map((source) => tape[source]!.output.shape);
    if (node.opcode === "STORE") {
      const [tensor] = inputs;
      if (node.attributes.space !== spaces.microBatchGradient || tensor?.kind !== "gradient")
        throw new NoFastRule("a store of something else than a gradient");
      gradients[node.attributes.slot] = tensor;
      return;
    }
    tensors[index] = lowerNode(ctx, node, inputs, shapes, { objects, pools, convolutions });
  });
  for (let slot = 0; slot < program.gradients.length; slot++) {
    if (gradients[slot] === undefined) throw new NoFastRule("a gradient that is not stored");
  }
  return { gradients, witness: tensors[program.witness]! };
}

type Shared = {
  readonly objects: Value;
  readonly pools: Map<string, PooledWindows>;
  readonly convolutions: Map<string, ConvResult>;
};

type Size = [number, number, number];

function lowerNode(
  ctx: Context,
  node: TapeNode,
  inputs: readonly FastTensor[],
  shapes: readonly (readonly number[])[],
  { objects, pools, convolutions }: Shared,
): FastTensor {
  const image = shapes[0]?.slice(1) as Size;
  const pool = (of: TapeNode<"MAX_POOL"> | TapeNode<"MAX_POOL_INDEX">) =>
    once(pools, key(of), () => maxPool(ctx, of, inputs, image));
  const conv = (of: TapeNode<"CONV"> | TapeNode<"CONV_POOL_INDEX">) =>
    once(convolutions, key(of), () => {
      const [, kernelH, kernelW] = shapes[1]!;
      return convolution(ctx, of, inputs, image, [kernelH!, kernelW!]);
    });
  switch (node.opcode) {
    case "INPUT":
      return input(ctx, node, objects);
    case "LOAD": {
      if (node.attributes.space !== spaces.state) throw new NoFastRule("a load of a gradient");
      const size = node.output.shape.reduce((product, n) => product * n, 1);
      return { kind: "slot", slot: node.attributes.slot, quantized: false, order: identity(size) };
    }
    case "RELAYOUT":
      return relayout(ctx, node, inputs[0]!);
    case "REQUANTIZE":
      return inputs[0]?.kind === "slot" ? { ...inputs[0], quantized: true } : requantizeBatch(ctx, inputs);
    case "SHIFT":
      return shift(ctx, node, inputs);
    case "MATMUL":
      return matmul(ctx, node, inputs);
    case "CONV":
      return conv(node).tensor;
    case "CONV_POOL_INDEX":
      return { kind: "index", windows: conv(node).windows! };
    case "CONV_INPUT_GRAD": {
      const [, kernelH, kernelW] = shapes[1]!;
      return convInputGradient(ctx, node, inputs, image, [kernelH!, kernelW!]);
    }
    case "CONV_WEIGHT_GRAD": {
      const [channels, , height, width] = shapes[0]!;
      const [, , sizeH, sizeW] = shapes[1]!;
      return convWeightGradient(ctx, node, inputs, [height!, width!, channels!], [sizeH!, sizeW!]);
    }
    case "ROW_SUM":
      return rowSum(ctx, node, inputs);
    case "ROW_MAX":
      return rowMax(ctx, node, inputs);
    case "ADD":
      return add(ctx, node, inputs);
    case "RELU":
      return relu(ctx, inputs);
    case "GATE":
      return gate(ctx, inputs);
    case "MAX_POOL":
      return pool(node).pooled;
    case "MAX_POOL_INDEX":
      return { kind: "index", windows: pool(node) };
    case "MAX_POOL_GRAD":
      return maxPoolGradient(ctx, node, inputs);
    case "AVERAGE_POOL":
      return averagePool(ctx, node, inputs, image);
    case "AVERAGE_POOL_GRAD":
      return averagePoolGradient(ctx, node, inputs, [image[0], image[1]]);
    case "EXP":
      return exp(ctx, node, inputs);
    case "SOFTMAX_GRAD":
      return softmaxGradient(ctx, node, inputs);
    case "MSE_GRAD":
      return meanSquareGradient(ctx, node, inputs);
    default:
      throw new NoFastRule(`${node.opcode satisfies Opcode} in the micro-batch tape`);
  }
}

/** What two nodes must share to be the same pool: a pool and the index of its maxima are computed together. */
function key({ inputs, attributes }: TapeNode): string {
  return `${inputs} ${JSON.stringify(attributes)}`;
}

function once<T>(known: Map<string, T>, name: string, make: () => T): T {
  const before = known.get(name);
  if (before !== undefined) return before;
  const made = make();
  known.set(name, made);
  return made;
}

function relayout(ctx: Context, node: TapeNode<"RELAYOUT">, x: FastTensor): FastTensor {
  const { view0, view1, view2, view3, axis0, axis1, axis2, axis3 } = node.attributes;
  const [view, axes] = [
    [view0, view1, view2, view3],
    [axis0, axis1, axis2, axis3],
  ];
  switch (x.kind) {
    case "batch":
      return relayoutBatch(x, ctx.batch, view, axes);
    case "slot":
      return { ...x, order: permuted(view, axes).map((source) => x.order[source]!) };
    default:
      throw new NoFastRule("a relayout of a gradient or of positions");
  }
}
