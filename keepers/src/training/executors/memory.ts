import type { Layout, Program, TapeNode } from "../../core/exact/tape/types.ts";
import { elementCount } from "../onnx/types.ts";
import { ModelTooLargeError } from "./errors.ts";
import type { ExecutorOptions } from "./types.ts";

/** Bytes that training or tracing a program takes in an engine, by what they hold. */
export type MemoryEstimate = {
  /** Weights, momenta and gradients, the old ones beside the new. */
  readonly state: number;
  /** Tensors of one micro-batch, in float64, each with two intermediates of its size. */
  readonly activations: number;
  /** Copies of the pixels under the windows, for the node that has most of them. */
  readonly workspace: number;
  /** Constants of the graph, and its bytes. */
  readonly graph: number;
  /** Objects of the steps that one run of the engine makes. */
  readonly objects: number;
  /** The engine itself. */
  readonly engine: number;
  readonly total: number;
};

const doubleBytes = 8;
const indexBytes = 4;
/** The columns, the same by groups, and what the engine's arena keeps of another node's. */
const columnCopies = 5;
/** The written model, the engine's copy of it, and the constants it unpacks. */
const graphCopies = 3;
const graphNodeBytes = 2048;
/** What a session of a small program was seen to take: ONNX Runtime 1.30 on Linux. */
const engineBytes = 48 * 2 ** 20;
const pieceBytes = 4 * 2 ** 20;

/**
 * Estimates the memory of a program before anything is allocated. It counts the float64 carriers of the open
 * lowering, which are the largest; what a graph frees early is counted all the same.
 */
export function estimateMemory(
  program: Program,
  { objectBytes, microBatches }: Pick<ExecutorOptions, "objectBytes" | "microBatches">,
): MemoryEstimate {
  const bytes = (layouts: readonly Layout[], width: number) =>
    layouts.reduce((sum, { shape }) => sum + elementCount(shape) * width, 0);
  const slots = program.state.map(({ layout }) => layout);
  const [tape, reduction, optimizer] = program.tapes;
  const columns = tape.map((node) => windowElements(program, node));
  const state = bytes(slots, 2 * 4 + 2 * doubleBytes) + bytes(program.gradients, 4 + 2 * doubleBytes);
  const activations = bytes(
    tape.map(({ output }) => output),
    3 * doubleBytes,
  );
  const workspace = Math.max(0, ...columns) * doubleBytes * columnCopies;
  const constants = columns.reduce((sum, count) => sum + (count / program.microBatch) * indexBytes, 0);
  const nodes = tape.length + reduction.length + optimizer.length;
  const graph = graphCopies * (constants + nodes * graphNodeBytes);
  const step = program.microBatch * microBatches * objectBytes;
  const objects = step + stepsAtOnce(program, { objectBytes, microBatches }) * step;
  const total = engineBytes + state + activations + workspace + graph + objects;
  return { state, activations, workspace, graph, objects, engine: engineBytes, total };
}

/** Steps whose objects are handed to an engine in one piece: as many as fit a few MiB. */
export function stepsAtOnce(
  { microBatch }: Program,
  { objectBytes, microBatches }: Pick<ExecutorOptions, "objectBytes" | "microBatches">,
): number {
  return Math.max(1, Math.floor(pieceBytes / (microBatch * microBatches * objectBytes)));
}

/** @throws ModelTooLargeError when the program needs more than `options.memoryLimit` bytes. */
export function checkMemory(program: Program, options: ExecutorOptions): void {
  const { memoryLimit } = options;
  if (memoryLimit === undefined) return;
  const { total } = estimateMemory(program, options);
  if (total > memoryLimit) throw new ModelTooLargeError(total, memoryLimit);
}

/** Elements of the pixels under all windows of a node; 0 for one without windows. */
function windowElements(program: Program, node: TapeNode): number {
  const { tapes } = program;
  const shapeOf = (input: number) => tapes[0][node.inputs[input]!]!.output.shape;
  switch (node.opcode) {
    case "CONV":
    case "CONV_POOL_INDEX": {
      const [outputs, ...kernel] = shapeOf(1) as [number, number, number, number];
      const { pool, groups } = node.attributes;
      return (elementCount(node.output.shape) / outputs) * pool * pool * elementCount(kernel) * groups;
    }
    case "CONV_INPUT_GRAD": {
      const [channels, ...kernel] = shapeOf(1) as [number, number, number, number];
      return (elementCount(node.output.shape) / channels) * elementCount(kernel) * node.attributes.groups;
    }
    case "CONV_WEIGHT_GRAD": {
      const [outputs] = node.output.shape as [number];
      const [, ...places] = shapeOf(1) as [number, number, number, number];
      return (elementCount(node.output.shape) / outputs) * elementCount(places) * node.attributes.groups;
    }
    case "MAX_POOL":
    case "MAX_POOL_INDEX":
    case "AVERAGE_POOL":
    case "MAX_POOL_GRAD":
    case "AVERAGE_POOL_GRAD":
      return elementCount(node.output.shape) * node.attributes.kernelH * node.attributes.kernelW;
    default:
      return 0;
  }
}
