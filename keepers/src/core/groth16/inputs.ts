import { BadInputError } from "../errors.ts";
import { scalarField } from "./field.ts";

/** Challenged cells in one proof (q in storage protocol, section 6). */
export const challengesPerProof = 16;

/** Field elements in a cell. */
export const elementsPerCell = 16;

/** Bundle roots under a covering root. */
export const rootsPerCover = 64;

/** Index bits and words of each circuit that opens cells. */
export const openingCircuits = {
  possession: { depth: 7, indicesPerWord: 16 },
  covering: { depth: 10, indicesPerWord: 8 },
} as const;

export type OpeningCircuit = keyof typeof openingCircuits;

/** A challenged cell with its path. */
export type OpenedCell = {
  /** 14 bits in a bundle; `bundle · 2^14 + cell` under a covering root. */
  index: number;
  /** The cell's 16 elements. */
  elements: readonly bigint[];
  /** All four children of each node on the path, from the leaf's parent up to the root. */
  children: readonly (readonly bigint[])[];
};

/** Named input signals of a circuit, as its witness generator takes them. */
export type CircuitInput = { [signal: string]: bigint | readonly bigint[] | readonly CircuitValue[] };
export type CircuitValue = bigint | readonly CircuitValue[];

export type OpeningParameters = {
  /** Poseidon root of the bundle, or the covering root. */
  root: bigint;
  rho: bigint;
  /** Sixteen, in the order of their indices j. */
  cells: readonly OpenedCell[];
};

/**
 * Inputs of `possession.circom` or `covering.circom`.
 * @throws BadInputError when a count, an index or an element is out of range.
 */
export function openingInput(circuit: OpeningCircuit, parameters: OpeningParameters): CircuitInput {
  const { depth, indicesPerWord } = openingCircuits[circuit];
  const { root, rho, cells } = parameters;
  assertCount(cells.length, challengesPerProof, "cells");
  for (const { elements, children } of cells) {
    assertCount(elements.length, elementsPerCell, "elements in a cell");
    assertCount(children.length, depth, "levels in a path");
    for (const node of children) assertCount(node.length, 4, "children of a node");
  }
  const indices = packIndices(
    cells.map(({ index }) => index),
    2 * depth,
    indicesPerWord,
  );
  const input = {
    root,
    indices,
    rho,
    cells: cells.map(({ elements }) => elements),
    children: cells.map(({ children }) => children),
  };
  assertElements(Object.values(input));
  return input;
}

export type RegistrationParameters = {
  rho: bigint;
  /** At most 64 bundle roots; the rest of the cover is 0. */
  roots: readonly bigint[];
};

/**
 * Inputs of `registration.circom`.
 * @throws BadInputError when there are more than 64 roots, none, or one is not a field element.
 */
export function registrationInput({ rho, roots }: RegistrationParameters): CircuitInput {
  if (roots.length < 1 || roots.length > rootsPerCover) {
    throw new BadInputError(`A cover has 1 to ${rootsPerCover} bundles, not ${roots.length}.`);
  }
  const padded = [...roots, ...new Array<bigint>(rootsPerCover - roots.length).fill(0n)];
  assertElements([rho, padded]);
  return { rho, roots: padded };
}

/**
 * `Σ index_j · 2^(bits·j)` over each `perWord` indices.
 * @throws BadInputError when an index does not fit its bits.
 */
export function packIndices(indices: readonly number[], bits: number, perWord: number): bigint[] {
  const words = new Array<bigint>(Math.ceil(indices.length / perWord)).fill(0n);
  for (const [j, index] of indices.entries()) {
    if (!Number.isInteger(index) || index < 0 || index >= 2 ** bits) {
      throw new BadInputError(`The index ${index} does not fit ${bits} bits.`);
    }
    const word = Math.floor(j / perWord);
    words[word] = words[word]! | (BigInt(index) << BigInt(bits * (j % perWord)));
  }
  return words;
}

/** `Σ elements_i · rho^i mod r`, what the circuits put out as `evaluation`. */
export function evaluate(elements: readonly bigint[], rho: bigint): bigint {
  return elements.reduceRight((sum, element) => (sum * rho + element) % scalarField, 0n);
}

function assertCount(found: number, expected: number, what: string): void {
  if (found !== expected) throw new BadInputError(`Expected ${expected} ${what}, found ${found}.`);
}

function assertElements(value: CircuitValue): void {
  if (typeof value !== "bigint") {
    for (const item of value) assertElements(item);
  } else if (value < 0n || value >= scalarField) {
    throw new BadInputError("A signal is not a canonical element of the scalar field.");
  }
}
