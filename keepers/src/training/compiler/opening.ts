import type { MantissaBits } from "../../core/exact/tape/types.ts";
import type { OpOf, Shape } from "./graph.ts";

/** Bytes of leaves that one element may need: `docs/exact-ops.md`, section 6. */
const openingLimit = 6144;
const chunkBytes = 1024;
const leafBytes = 256;

/**
 * Whether an element of a convolution with a pool, the index of its maximum included, opens at once: the leaves that
 * hold the patch, the row of weights and the bias, with inputs of 16 bits where they might be so wide.
 */
export function pooledSumOpens(op: OpOf<"conv">, input: Shape, bits: MantissaBits): boolean {
  const [, , width, channels] = input;
  const [, kernelHeight, kernelWidth, perGroup] = op.weight.shape;
  const [strideHeight, strideWidth] = op.window.stride;
  const patchRows = (op.pool - 1) * strideHeight + kernelHeight!;
  const patchColumns = Math.min((op.pool - 1) * strideWidth + kernelWidth!, width!);
  const patch = rowsBytes(patchRows, width! * channels! * 2, patchColumns * channels! * 2);
  const weightBytes = kernelHeight! * kernelWidth! * perGroup! * (bits / 8);
  const bias = op.bias === undefined ? 0 : rowsBytes(1, op.shape[3]! * 4, 4);
  return patch + rowsBytes(1, weightBytes, weightBytes) + bias <= openingLimit;
}

/** Most bytes of leaves that hold `used` adjacent bytes of each of `rows` adjacent rows of `rowBytes`. */
function rowsBytes(rows: number, rowBytes: number, used: number): number {
  const padded = Math.ceil(rowBytes / 32) * 32;
  if (padded > chunkBytes) {
    const chunks = Math.min(Math.ceil(padded / chunkBytes), Math.floor((used - 2) / chunkBytes) + 2);
    return rows * Math.min(padded, chunks * chunkBytes);
  }
  const perLeaf = padded > leafBytes ? 1 : 2 ** Math.floor(Math.log2(leafBytes / padded));
  return (Math.ceil((rows - 1) / perLeaf) + 1) * perLeaf * padded;
}
