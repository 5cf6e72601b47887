import { flags, type TapeNode } from "../../../core/exact/tape/types.ts";
import {
  biased,
  finished,
  firstMaximumOver,
  fixed,
  gated,
  maximumOver,
  reshape,
  transpose,
} from "./arithmetic.ts";
import { type Accumulators, type Lowering, once, type Value } from "./lowering.ts";
import { type Contraction, contracted, convGrid, shape4 } from "./products.ts";

/** Matrix products and convolutions: sums of products, then what the node makes of them. */

export function lowerContraction(lowering: Lowering, node: Contraction, inputs: readonly Value[]): Value {
  const [a, b] = inputs as [Value, Value];
  return completed(lowering, node, contracted(lowering, node, a, b), inputs);
}

/** A contraction's tensor from its sums of products: bias, pooling, gate, relu and finish. */
export function completed(
  lowering: Lowering,
  node: Contraction,
  sums: string,
  inputs: readonly Value[],
): Value {
  const { builder } = lowering;
  const [a, b, ...optional] = inputs as [Value, Value, ...Value[]];
  const exponent = builder.op("Add", [a.exponent, b.exponent]);
  switch (node.opcode) {
    case "CONV_POOL_INDEX": {
      // The bias of a channel is the same for a whole block and moves no maximum; so it is left out.
      const mantissas = firstMaximumOver(builder, blocks(lowering, node, inputs, sums), 3);
      return { mantissas, exponent: builder.int64([0], []), layout: node.output };
    }
    case "CONV_WEIGHT_GRAD": {
      const result = fixed(builder, { mantissas: sums, exponent }, node.attributes.exponent);
      return { ...result, layout: node.output };
    }
    case "CONV": {
      const { pool } = node.attributes;
      const mantissas = pool === 1 ? sums : maximumOver(builder, blocks(lowering, node, inputs, sums), 3);
      return flagged(lowering, node, { mantissas, exponent }, optional);
    }
    default:
      return flagged(lowering, node, { mantissas: sums, exponent }, optional);
  }
}

/** Bias, gate and relu as the flags say, then the finish. Optional inputs stand in this order. */
function flagged(
  lowering: Lowering,
  node: TapeNode<"MATMUL" | "CONV" | "CONV_INPUT_GRAD">,
  sums: Accumulators,
  optional: readonly Value[],
): Value {
  const { builder } = lowering;
  const { flags: flagBits, exponent: target } = node.attributes;
  const rest = [...optional];
  let accumulators = sums;
  if ((flagBits & flags.bias) !== 0) accumulators = biased(lowering, accumulators, rest.shift()!);
  if ((flagBits & flags.gate) !== 0) {
    const mantissas = gated(builder, accumulators.mantissas, rest.shift()!);
    accumulators = { ...accumulators, mantissas };
  }
  if ((flagBits & flags.relu) !== 0) {
    accumulators = { ...accumulators, mantissas: builder.op("Relu", [accumulators.mantissas]) };
  }
  return finished(lowering, accumulators, node.output, flagBits, target);
}

/** [N, OH, OW, O] as pooling blocks [N, ⌊OH/k⌋, ⌊OW/k⌋, k², O], each block in row-major order. */
function blocks(
  lowering: Lowering,
  node: TapeNode<"CONV" | "CONV_POOL_INDEX">,
  inputs: readonly Value[],
  sums: string,
): string {
  const { builder } = lowering;
  const { pool } = node.attributes;
  const [gridH, gridW] = convGrid(node, inputs[0]!.layout.shape, inputs[1]!.layout.shape);
  const [n, pooledH, pooledW, outputs] = shape4(node.output.shape);
  return once(lowering, `blocks ${sums} ${pool}`, () => {
    let whole = sums;
    if (pooledH * pool !== gridH || pooledW * pool !== gridW) {
      const starts = builder.int64([0, 0]);
      const ends = builder.int64([pooledH * pool, pooledW * pool]);
      whole = builder.op("Slice", [sums, starts, ends, builder.int64([1, 2])]);
    }
    const split = reshape(builder, whole, [n * pooledH, pool, pooledW, pool, outputs]);
    const grouped = transpose(builder, split, [0, 2, 1, 3, 4]);
    return reshape(builder, grouped, [n, pooledH, pooledW, pool * pool, outputs]);
  });
}
