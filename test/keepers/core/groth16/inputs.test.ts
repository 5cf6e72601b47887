import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import { scalarField } from "../../../../keepers/src/core/groth16/field.ts";
import type { OpeningParameters } from "../../../../keepers/src/core/groth16/inputs.ts";
import {
  evaluate,
  openingInput,
  packIndices,
  registrationInput,
} from "../../../../keepers/src/core/groth16/inputs.ts";
import { recordedRefusals } from "../refusals.ts";

const throws = recordedRefusals("groth16/inputs");

function opening(depth: number, index: number): OpeningParameters {
  const children = Array.from({ length: depth }, () => [1n, 2n, 3n, 4n]);
  const elements = Array.from({ length: 16 }, (_, i) => BigInt(i));
  return { root: 7n, rho: 9n, cells: Array.from({ length: 16 }, () => ({ index, elements, children })) };
}

describe("inputs of the circuits", () => {
  it("pack indices lowest first, as the protocol sums them", () => {
    assert.deepEqual(packIndices([1, 2, 3], 14, 16), [1n + (2n << 14n) + (3n << 28n)]);
    assert.deepEqual(packIndices([5, 6, 7, 8], 20, 2), [5n + (6n << 20n), 7n + (8n << 20n)]);
    assert.equal((openingInput("covering", opening(10, 2 ** 20 - 1)).indices as bigint[]).length, 2);
    assert.equal((openingInput("possession", opening(7, 2 ** 14 - 1)).indices as bigint[]).length, 1);
  });

  it("refuse an index that does not fit", () => {
    for (const index of [2 ** 14, -1, 0.5, Number.NaN]) {
      throws(() => openingInput("possession", opening(7, index)), BadInputError);
    }
  });

  it("refuse other counts of cells, elements, levels and children", () => {
    const valid = opening(7, 3);
    const cell = valid.cells[0]!;
    const variants: OpeningParameters[] = [
      { ...valid, cells: valid.cells.slice(1) },
      { ...valid, cells: valid.cells.with(2, { ...cell, elements: cell.elements.slice(1) }) },
      { ...valid, cells: valid.cells.with(2, { ...cell, children: cell.children.slice(1) }) },
      { ...valid, cells: valid.cells.with(2, { ...cell, children: cell.children.with(1, [1n]) }) },
    ];
    for (const variant of variants) throws(() => openingInput("possession", variant), BadInputError);
  });

  it("refuse what is not a canonical field element", () => {
    for (const value of [-1n, scalarField]) {
      throws(() => openingInput("possession", { ...opening(7, 3), rho: value }), BadInputError);
      throws(() => registrationInput({ rho: 1n, roots: [value] }), BadInputError);
    }
  });

  it("pad a cover with zero roots and refuse none and more than 64", () => {
    assert.deepEqual(registrationInput({ rho: 3n, roots: [5n] }).roots, [
      5n,
      ...new Array<bigint>(63).fill(0n),
    ]);
    throws(() => registrationInput({ rho: 3n, roots: [] }), BadInputError);
    throws(() => registrationInput({ rho: 3n, roots: new Array<bigint>(65).fill(1n) }), BadInputError);
  });

  it("evaluate a polynomial with the first element as its constant term", () => {
    assert.equal(evaluate([3n, 5n, 7n], 10n), 753n);
    assert.equal(evaluate([scalarField - 1n, 1n], 2n), 1n);
  });
});
