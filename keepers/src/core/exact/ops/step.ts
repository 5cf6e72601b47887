import { BadInputError } from "../../errors.ts";
import { type Program, spaces, type TapeNode, type Tensor } from "../tape/types.ts";
import { evaluateNode } from "./evaluate.ts";
import { readerOf } from "./tensor.ts";
import type { OperationContext } from "./types.ts";

export type TapeResult = {
  /** One tensor per node. */
  readonly tensors: readonly Tensor[];
  /** What the tape stored, by slot. */
  readonly stored: ReadonlyMap<number, Tensor>;
};

/** Evaluates the nodes of a valid tape in order. */
export function runTape(context: OperationContext, tape: readonly TapeNode[]): TapeResult {
  const tensors: Tensor[] = [];
  const stored = new Map<number, Tensor>();
  for (const node of tape) {
    const tensor = evaluateNode(
      context,
      node,
      node.inputs.map((index) => tensors[index]!),
    );
    tensors.push(tensor);
    if (node.opcode === "STORE") stored.set(node.attributes.slot, tensor);
  }
  return { tensors, stored };
}

/** Slots as tensors: what LOAD of space 0 gives. */
export function stateTensors(program: Program, state: readonly Int32Array[]): Tensor[] {
  return program.state.map(({ layout, exponent, name }, slot) => {
    const mantissas = state[slot];
    if (mantissas === undefined) throw new BadInputError(`the state lacks slot ${slot} (${name})`);
    return { layout, exponent, mantissas };
  });
}

export type StepResult = {
  /** Tensors of tape 0, by micro-batch and node. */
  readonly microBatches: readonly (readonly Tensor[])[];
  /** Tensors of tape 1. */
  readonly reduction: readonly Tensor[];
  /** Tensors of tape 2. */
  readonly optimizer: readonly Tensor[];
  /** The state after the step, one array per slot. */
  readonly state: Int32Array[];
};

export type RunStepParameters = {
  readonly program: Program;
  /** The state before the step, one array per slot. */
  readonly state: readonly Int32Array[];
  /** M × N whole objects, one after another, in the order of the batch. */
  readonly objects: Uint8Array;
  /** Bytes of one object. */
  readonly objectBytes: number;
  /** LR of the step, an unsigned 16-bit integer over 2^rL. */
  readonly learningRate: number;
};

/** Reader of the objects of micro-batch j. */
function objectsOf({ program, objects, objectBytes }: RunStepParameters, j: number) {
  return (row: number): Uint8Array => {
    const at = (j * program.microBatch + row) * objectBytes;
    return objects.subarray(at, at + objectBytes);
  };
}

/** Tape 0 for micro-batch j: every tensor, and the gradients it stores. */
export function runMicroBatch(parameters: RunStepParameters, j: number): TapeResult {
  const { program, state } = parameters;
  const slots = stateTensors(program, state);
  return runTape(
    {
      bits: program.bits,
      microBatch: program.microBatch,
      object: objectsOf(parameters, j),
      slot: (_space, slot) => readerOf(slots[slot]!),
    },
    program.tapes[0],
  );
}

/**
 * One training step by the definition: slow, for disputes and tests.
 *
 * Throws BadInputError when the objects are no whole micro-batches or a label is outside its classes.
 */
export function runStep(parameters: RunStepParameters): StepResult {
  const { program, state, objects, objectBytes, learningRate } = parameters;
  const microBatchBytes = program.microBatch * objectBytes;
  const count = objects.length / microBatchBytes;
  if (!Number.isInteger(count) || count < 1) {
    throw new BadInputError(`${objects.length} bytes of objects are no micro-batches of ${microBatchBytes}`);
  }
  const { bits, microBatch } = program;
  const runs = Array.from({ length: count }, (_, j) => runMicroBatch(parameters, j));
  const reduction = runTape(
    { bits, microBatch, gradients: (slot) => runs.map(({ stored }) => readerOf(stored.get(slot)!)) },
    program.tapes[1],
  );
  const slots = stateTensors(program, state);
  const optimizer = runTape(
    {
      bits,
      microBatch,
      slot: (space, slot) => readerOf(space === spaces.state ? slots[slot]! : reduction.stored.get(slot)!),
      learningRate,
    },
    program.tapes[2],
  );
  return {
    microBatches: runs.map(({ tensors }) => tensors),
    reduction: reduction.tensors,
    optimizer: optimizer.tensors,
    state: program.state.map((_, slot) => Int32Array.from(optimizer.stored.get(slot)!.mantissas)),
  };
}
