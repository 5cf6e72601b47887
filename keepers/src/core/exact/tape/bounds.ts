import { encodingWidths } from "../ops/input.ts";
import { operationOf } from "../ops/table.ts";
import { shape4 } from "../ops/window.ts";
import { dtypeBytes, leafGeometry, maxLeafBytes } from "../packing.ts";
import { tapeFacts } from "./facts.ts";
import type { Layout, Program, TapeNode } from "./types.ts";

/**
 * Largest magnitude that an accumulator of a node can take, for the worst mantissas and any exponents.
 *
 * @param tape 0 to 2
 * @param index of a node of a valid tape
 */
export function accumulatorBound(program: Program, tape: number, index: number): bigint {
  return tapeFacts(program, program.tapes[tape]!.slice(0, index + 1))[index]!.bound;
}

/** Whether a dispute may narrow the node's sum to ranges of its terms; otherwise an element opens at once. */
export function narrows(node: TapeNode): boolean {
  // The largest of several sums cannot be narrowed as one sum can.
  if (node.opcode === "CONV_POOL_INDEX") return false;
  if (node.opcode === "CONV" && node.attributes.pool > 1) return false;
  return operationOf(node.opcode).sums !== undefined;
}

/**
 * Runs of adjacent products that a contract multiplies for an element that it computes at once: of a convolution with a pool a
 * row of the kernel in each of its sums, or a place of the kernel where groups part the channels. 0 elsewhere.
 *
 * @param inputs of a node whose shapes are right
 */
export function openedRuns(node: TapeNode, inputs: readonly Layout[]): number {
  if (narrows(node) || (node.opcode !== "CONV" && node.opcode !== "CONV_POOL_INDEX")) return 0;
  const { pool, groups } = node.attributes;
  const [, kernelH, kernelW] = shape4(inputs[1]!);
  return pool ** 2 * kernelH * (groups > 1 ? kernelW : 1);
}

/** Bytes of the largest leaf of a tensor. */
function leafOf(layout: Layout): number {
  return leafGeometry(layout).leafBytes(0);
}

/** Most bytes of leaves that hold `elements` adjacent elements in each of `rows` adjacent rows. */
function rowsOf(layout: Layout, rows: number, elements: number): number {
  const geometry = leafGeometry(layout);
  const { rowBytes, rowsPerLeaf, chunksPerRow } = geometry;
  if (chunksPerRow === 1) {
    const leaves = Math.min(Math.ceil((rows - 1) / rowsPerLeaf) + 1, geometry.leaves);
    return leaves * geometry.leafBytes(0);
  }
  const width = dtypeBytes[layout.dtype];
  const used = Math.min(elements, geometry.rowElements) * width;
  // At worst the first element stands at the end of its chunk.
  const chunks = Math.min(Math.ceil((maxLeafBytes - width + used) / maxLeafBytes), chunksPerRow);
  return rows * Math.min(chunks * maxLeafBytes, rowBytes);
}

function wholeRows(layout: Layout, rows: number): number {
  return rowsOf(layout, rows, leafGeometry(layout).rowElements);
}

/** A block of `height` × `width` pixels of an image tensor [N, H, W, C], `channels` adjacent ones of each. */
function patch(layout: Layout, height: number, width: number, channels: number): number {
  const [, most, wide, depth] = shape4(layout);
  const columns = Math.min(width, wide);
  return rowsOf(layout, Math.min(height, most), (columns - 1) * depth + channels);
}

function sum(layouts: readonly Layout[]): number {
  return layouts.reduce((total, layout) => total + leafOf(layout), 0);
}

/**
 * Most bytes of leaves that must be opened to recompute one output element of a node at once (`docs/exact-ops.md`,
 * section 6). An INPUT opens bytes of an object instead: those of one raw value.
 *
 * @param index of a node whose shapes are right
 * @param microBatches M, which decides how much ACCUMULATE reads
 */
export function openingBytes(program: Program, tape: number, index: number, microBatches = 1): number {
  const node = program.tapes[tape]![index]!;
  const inputs = node.inputs.map((input) => program.tapes[tape]![input]!.output);
  return openingOf(node, inputs, microBatches);
}

/** `openingBytes` of a node by itself. */
export function openingOf(node: TapeNode, inputs: readonly Layout[], microBatches = 1): number {
  const [first, second] = [inputs[0]!, inputs[1]!];
  switch (node.opcode) {
    case "INPUT":
      return encodingWidths[node.attributes.encoding]!;
    case "LOAD":
      return leafOf(node.output);
    case "ACCUMULATE":
      return microBatches * leafOf(node.output);
    case "MATMUL":
      return wholeRows(first, 1) + wholeRows(second, 1) + sum(inputs.slice(2));
    case "CONV":
    case "CONV_POOL_INDEX": {
      const { strideH, strideW, pool } = node.attributes;
      const [, kernelH, kernelW, channels] = shape4(second);
      const height = (pool - 1) * strideH + kernelH;
      const width = (pool - 1) * strideW + kernelW;
      return patch(first, height, width, channels) + wholeRows(second, 1) + sum(inputs.slice(2));
    }
    case "CONV_INPUT_GRAD": {
      const { strideH, strideW } = node.attributes;
      const [, kernelH, kernelW, outputs] = shape4(second);
      const opened = patch(first, Math.ceil(kernelH / strideH), Math.ceil(kernelW / strideW), outputs);
      return opened + wholeRows(second, 1) + sum(inputs.slice(2));
    }
    case "CONV_WEIGHT_GRAD": {
      const [, samples] = shape4(first);
      return wholeRows(first, samples) + wholeRows(second, samples);
    }
    case "ROW_SUM":
    case "ROW_MAX":
      return wholeRows(first, 1);
    case "MAX_POOL":
    case "MAX_POOL_INDEX":
    case "AVERAGE_POOL":
      return patch(first, node.attributes.kernelH, node.attributes.kernelW, 1);
    case "MAX_POOL_GRAD":
    case "AVERAGE_POOL_GRAD": {
      const { kernelH, kernelW, strideH, strideW } = node.attributes;
      const windows = [Math.ceil(kernelH / strideH), Math.ceil(kernelW / strideW)] as const;
      const routed = node.opcode === "MAX_POOL_GRAD" ? inputs.slice(0, 2) : inputs.slice(0, 1);
      const read = routed.reduce((total, layout) => total + patch(layout, ...windows, 1), 0);
      return read + sum(inputs.slice(routed.length));
    }
    default:
      return sum(inputs);
  }
}
