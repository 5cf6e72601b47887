import { elementCount } from "../../core/exact/ops/tensor.ts";
import { dtypeBytes, leafGeometry, maxLeafBytes } from "../../core/exact/packing.ts";
import type { Layout, Program } from "../../core/exact/tape/types.ts";
import { depthOf } from "../../core/merkle/binary-tree.ts";
import { hashBytes } from "../../core/merkle/keccak.ts";
import { treesKept } from "./computed-step.ts";
import { mostOpened } from "./gradients-held.ts";
import { stepsKept } from "./own-run.ts";
import { statesKept } from "./replayer.ts";
import { microBatchesKept, partsKept } from "./traced-step.ts";

/** Commitment, its part of the tree above, and exponent. */
const bytesOfPlace = 2 * hashBytes + 4;
/** An element of a gradient, with its exponent. */
const bytesOfElement = 12;

/**
 * Bytes that a run which disputes are played from holds besides what computing a micro-batch takes (`estimateMemory`): for each
 * of the steps that it keeps the list, the tensors of tapes 1 and 2, and what moves asked about.
 *
 * @param microBatches M, which the list grows with
 */
export function bytesOfDisputes({ tapes, state, gradients }: Program, microBatches: number): number {
  const [tape, reduction, optimizer] = tapes;
  const places = microBatches * tape.length + reduction.length + optimizer.length;
  const microBatch = sum(tape.map(({ output }) => bytesOf(output)));
  // What is loaded or stored shares the memory of what it is loaded from.
  const made = [...reduction, ...optimizer].filter(({ opcode }) => opcode !== "LOAD" && opcode !== "STORE");
  const end = sum(made.map(({ output }) => bytesOf(output)));
  const whole = Math.min(microBatches, microBatchesKept) * microBatch;
  const parts =
    microBatches <= microBatchesKept
      ? 0
      : partsKept * Math.max(microBatch, ofGradients(gradients, microBatches));
  const largest = Math.max(...tapes.flat().map(({ output }) => leafGeometry(output).packedBytes));
  const slots = sum(state.map(({ layout }) => bytesOf(layout)));
  const sums = sum(gradients.map((layout) => 8 * elementCount(layout)));
  const step = places * bytesOfPlace + end + Math.max(whole, parts) + treesKept * largest;
  return stepsKept * step + (statesKept + stepsKept) * slots + sums;
}

/** What a move about a mean holds of the gradients: one element of each, and the leaf around it where it may be opened. */
function ofGradients(gradients: readonly Layout[], microBatches: number): number {
  const depth = Math.max(0, ...gradients.map((layout) => depthOf(leafGeometry(layout).leaves)));
  const opened = Math.min(microBatches, mostOpened) * (maxLeafBytes + (depth + 1) * hashBytes);
  return microBatches * bytesOfElement + opened;
}

function bytesOf(layout: Layout): number {
  return elementCount(layout) * dtypeBytes[layout.dtype];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
