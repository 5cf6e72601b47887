import { bytesToHex, type Hex } from "viem";
import { tensorCommitment, tensorTree } from "../../core/exact/commitment.ts";
import { elementOf } from "../../core/exact/ops/evaluate.ts";
import { readerOf } from "../../core/exact/ops/tensor.ts";
import type { OperationContext, TensorReader } from "../../core/exact/ops/types.ts";
import { leafGeometry } from "../../core/exact/packing.ts";
import { encodeDescriptor, programLeafIndex, programTree } from "../../core/exact/tape/descriptor.ts";
import { mantissaRange } from "../../core/exact/tape/ranges.ts";
import { type Program, spaces, type Tensor } from "../../core/exact/tape/types.ts";
import { nodeAt, type Place, type StepTensors, tensorAt } from "./place.ts";
import { storeNode } from "./trace-step.ts";

/** One leaf of a tensor, and the way to its data root. */
export type LeafOpening = { readonly leaf: number; readonly bytes: Hex; readonly proof: readonly Hex[] };

/** Leaves of one tensor. */
export type TensorOpening = {
  readonly exponent: number;
  readonly dataRoot: Hex;
  /** What the provider committed to for this tensor. */
  readonly commitment: Hex;
  readonly leaves: readonly LeafOpening[];
};

/** All that is needed to check one output element of one node, and nothing else: `docs/exact-ops.md`, section 6. */
export type ElementOpening = {
  readonly place: Place;
  /** Row-major index into the node's output. */
  readonly element: number;
  readonly descriptor: { readonly bytes: Hex; readonly index: number; readonly proof: readonly Hex[] };
  readonly inputs: readonly TensorOpening[];
  /** The slot that a LOAD reads. */
  readonly slot?: TensorOpening;
  /** The slot in each micro-batch, which an ACCUMULATE reads. */
  readonly gradients?: readonly TensorOpening[];
  /** The object that an INPUT reads. */
  readonly object?: { readonly row: number; readonly bytes: Hex };
  /** LR of the step, for SGD_WEIGHT. */
  readonly learningRate?: number;
  /** The output as it was claimed. */
  readonly output: TensorOpening;
};

export type OpenElementParameters = {
  readonly program: Program;
  readonly place: Place;
  readonly element: number;
  /** Tensors of the step; those before `place` are agreed upon. */
  readonly tensors: StepTensors;
  /** The output as it was claimed. */
  readonly claimed: Tensor;
  /** The state before the step. */
  readonly state: readonly Int32Array[];
  /** The step's objects, M × N of them. */
  readonly objects: Uint8Array;
  readonly objectBytes: number;
  readonly learningRate: number;
};

/**
 * Opens one element: the definition is evaluated once with readers that note which mantissas it asks for, and the leaves
 * that hold those are opened. Sums that are longer than one opening are opened whole here.
 */
export function openElement(parameters: OpenElementParameters): ElementOpening {
  const { program, place, element, tensors, claimed, objects, objectBytes, learningRate } = parameters;
  const node = nodeAt(program, place);
  const tape = program.tapes[place.tape];
  const inputs = node.inputs.map(
    (input) => new NotingReader(tensorAt(tensors, { ...place, node: input }), mantissaRange(tape, input)),
  );
  const operands = otherOperands(parameters);
  let object: ElementOpening["object"];
  const context: OperationContext = {
    bits: program.bits,
    microBatch: program.microBatch,
    object: (row) => {
      const at = (place.microBatch * program.microBatch + row) * objectBytes;
      const bytes = objects.subarray(at, at + objectBytes);
      object = { row, bytes: bytesToHex(bytes) };
      return bytes;
    },
    slot: () => operands.slot!,
    gradients: () => operands.gradients!,
    learningRate,
  };
  elementOf(context, node, inputs, element);
  const output = new NotingReader(claimed, mantissaRange(tape, place.node));
  output.at(element);
  const tree = programTree(program);
  const index = programLeafIndex(program, place.tape, place.node);
  return {
    place,
    element,
    descriptor: {
      bytes: bytesToHex(encodeDescriptor(program, place.tape, place.node)),
      index,
      proof: tree.proof(index).map((hash) => bytesToHex(hash)),
    },
    inputs: inputs.map((reader) => reader.opening()),
    ...(operands.slot !== undefined && { slot: operands.slot.opening() }),
    ...(operands.gradients !== undefined && {
      gradients: operands.gradients.map((reader) => reader.opening()),
    }),
    ...(object !== undefined && { object }),
    ...(node.opcode === "SGD_WEIGHT" && { learningRate }),
    output: output.opening(),
  };
}

/** What LOAD and ACCUMULATE read: slots of the state, of the step's gradient, of each micro-batch's gradient. */
function otherOperands({ program, place, tensors, state }: OpenElementParameters): {
  slot?: NotingReader;
  gradients?: NotingReader[];
} {
  const node = nodeAt(program, place);
  if (node.opcode === "LOAD") {
    const { space, slot } = node.attributes;
    if (space === spaces.state) {
      const { layout, exponent } = program.state[slot]!;
      return { slot: new NotingReader({ layout, exponent, mantissas: state[slot]! }) };
    }
    return { slot: new NotingReader(tensors.reduction[storeNode(program.tapes[1], space, slot)]!) };
  }
  if (node.opcode !== "ACCUMULATE") return {};
  const stored = storeNode(program.tapes[0], spaces.microBatchGradient, node.attributes.slot);
  return { gradients: tensors.microBatches.map((ofTape) => new NotingReader(ofTape[stored]!)) };
}

/** Reads a tensor and notes which of its leaves were needed. */
class NotingReader implements TensorReader {
  readonly layout: Tensor["layout"];
  readonly exponent: number;
  readonly #tensor: Tensor;
  readonly #reader: TensorReader;
  readonly #range: { min: number; max: number } | undefined;
  readonly #leaves = new Set<number>();
  readonly #locate: (element: number) => { leaf: number };

  constructor(tensor: Tensor, range?: { min: number; max: number }) {
    this.layout = tensor.layout;
    this.exponent = tensor.exponent;
    this.#tensor = tensor;
    this.#reader = readerOf(tensor);
    this.#range = range;
    this.#locate = leafGeometry(tensor.layout).locate;
  }

  readonly at = (index: number): number => {
    this.#leaves.add(this.#locate(index).leaf);
    return this.#reader.at(index);
  };

  opening(): TensorOpening {
    const { layout, mantissas, exponent } = this.#tensor;
    const tree = tensorTree({ layout, mantissas, range: this.#range });
    return {
      exponent,
      dataRoot: bytesToHex(tree.root),
      commitment: bytesToHex(tensorCommitment(tree.root, exponent)),
      leaves: [...this.#leaves]
        .sort((a, b) => a - b)
        .map((leaf) => ({
          leaf,
          bytes: bytesToHex(tree.leaf(leaf)),
          proof: tree.proof(leaf).map((hash) => bytesToHex(hash)),
        })),
    };
  }
}
