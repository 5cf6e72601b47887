import { dtypeBytes, leafGeometry, maxLeafBytes } from "../../core/exact/packing.ts";
import type { Layout, MantissaBits } from "../../core/exact/tape/types.ts";
import type { Op, OpOf } from "./graph.ts";
import { dataLayout, mantissaDtype, parameterLayout } from "./layouts.ts";

/** Bytes of leaves that one element may need: `docs/exact-ops.md`, section 6. */
const openingLimit = 6144;

/**
 * Whether an element of a convolution with a pool, the index of its maximum included, opens at once: the leaves that
 * hold the patch, the row of weights and the bias, in the worst place.
 */
export function pooledSumOpens(op: OpOf<"conv">, ops: readonly Op[], bits: MantissaBits): boolean {
  const { shape } = ops[op.x]!;
  const [, , width, channels] = shape;
  const [outputs, kernelHeight, kernelWidth, perGroup] = op.weight.shape;
  const [strideHeight, strideWidth] = op.window.stride;
  const rows = (op.pool - 1) * strideHeight + kernelHeight!;
  const columns = Math.min((op.pool - 1) * strideWidth + kernelWidth!, width!);
  const weightElements = kernelHeight! * kernelWidth! * perGroup!;
  const pixels = isData(ops, op.x) ? "I16" : mantissaDtype(bits);
  const patch = spanBytes(dataLayout(pixels, shape), rows, columns * channels!);
  const weights = spanBytes(parameterLayout(mantissaDtype(bits), op.weight.shape), 1, weightElements);
  const bias = op.bias === undefined ? 0 : spanBytes(parameterLayout("I32", [outputs!]), 1, 1);
  return patch + weights + bias <= openingLimit;
}

/** Whether a value is the data as it came, which may have 16 bits in E8 too. */
function isData(ops: readonly Op[], value: number): boolean {
  const op = ops[value]!;
  return op.kind === "input" || (op.kind === "relayout" && isData(ops, op.x));
}

/** Most bytes of leaves that hold `elements` adjacent elements of each of `rows` adjacent rows. */
function spanBytes(layout: Layout, rows: number, elements: number): number {
  const { rowBytes, rowsPerLeaf, chunksPerRow } = leafGeometry(layout);
  if (chunksPerRow === 1) return (Math.ceil((rows - 1) / rowsPerLeaf) + 1) * rowsPerLeaf * rowBytes;
  const chunks = Math.floor(((elements - 1) * dtypeBytes[layout.dtype]) / maxLeafBytes) + 2;
  return rows * Math.min(rowBytes, chunks * maxLeafBytes);
}
