import type { Program, TapeNode, Tensor } from "../../core/exact/tape/types.ts";

/** Where a tensor of a step stands. Tapes 1 and 2 run once in a step: their micro-batch is 0. */
export type Place = { readonly tape: 0 | 1 | 2; readonly microBatch: number; readonly node: number };

/** All tensors of a step in the order in which they come about: tape 0 for each micro-batch, tape 1, tape 2. */
export function placesOf({ tapes }: Program, microBatches: number): Place[] {
  const places: Place[] = [];
  for (let microBatch = 0; microBatch < microBatches; microBatch++) {
    for (let node = 0; node < tapes[0].length; node++) places.push({ tape: 0, microBatch, node });
  }
  for (const tape of [1, 2] as const) {
    for (let node = 0; node < tapes[tape].length; node++) places.push({ tape, microBatch: 0, node });
  }
  return places;
}

/** The place of a tensor by its number in that order. */
export function placeAt({ tapes: [tape, reduction] }: Program, microBatches: number, number: number): Place {
  const first = microBatches * tape.length;
  if (number < first) {
    return { tape: 0, microBatch: Math.floor(number / tape.length), node: number % tape.length };
  }
  const node = number - first;
  if (node < reduction.length) return { tape: 1, microBatch: 0, node };
  return { tape: 2, microBatch: 0, node: node - reduction.length };
}

/** The node at a place. */
export function nodeAt({ tapes }: Program, { tape, node }: Place): TapeNode {
  return tapes[tape][node]!;
}

/** Every tensor of one step. */
export type StepTensors = {
  /** Of tape 0, by micro-batch and node. */
  readonly microBatches: readonly (readonly Tensor[])[];
  readonly reduction: readonly Tensor[];
  readonly optimizer: readonly Tensor[];
};

export function tensorAt({ microBatches, reduction, optimizer }: StepTensors, place: Place): Tensor {
  if (place.tape === 0) return microBatches[place.microBatch]![place.node]!;
  return (place.tape === 1 ? reduction : optimizer)[place.node]!;
}

const tapeNames = ["micro-batch", "reduction", "optimiser"] as const;

/** A place in words. */
export function describePlace(program: Program, place: Place): string {
  const where = place.tape === 0 ? `, micro-batch ${place.microBatch}` : "";
  return `${tapeNames[place.tape]} tape${where}, node ${place.node} (${nodeAt(program, place).opcode})`;
}
