import { readFile } from "node:fs/promises";
import { scalarField } from "../../keepers/src/core/groth16/field.ts";
import { readLittleEndian } from "../../keepers/src/core/groth16/montgomery.ts";
import { CircuitSetupError } from "./errors.ts";

/** The three matrices of a rank-1 constraint system `A·w ∘ B·w = C·w`, in file order. */
export type Matrix = 0 | 1 | 2;

export type R1csHeader = {
  wires: number;
  /** Outputs and public inputs; wire 0 is the constant 1 and wires 1 … publicSignals follow it. */
  publicSignals: number;
  privateInputs: number;
  constraints: number;
};

/** A constraint system as circom writes it (https://github.com/iden3/r1csfile, version 1), read term by term. */
export type R1cs = {
  header: R1csHeader;
  /** Calls `visit` for each non-zero coefficient, constraint by constraint, A before B before C. */
  forEachTerm(visit: (matrix: Matrix, constraint: number, wire: number, value: bigint) => void): void;
};

const magic = 0x73633172;
const headerSection = 1;
const constraintSection = 2;
const bytesPerField = 32;

/** @throws CircuitSetupError when the file is not an r1cs file over BN254's scalar field. */
export async function readR1csHeader(path: string): Promise<R1csHeader> {
  return readR1cs(await readFile(path)).header;
}

/** @throws CircuitSetupError when the bytes are not an r1cs file over BN254's scalar field. */
export function readR1cs(bytes: Uint8Array): R1cs {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(0, true) !== magic || view.getUint32(4, true) !== 1) {
    throw new CircuitSetupError("The file is not an r1cs file of version 1.");
  }
  const sections = new Map<number, number>();
  let position = 12;
  for (let remaining = view.getUint32(8, true); remaining > 0; remaining--) {
    sections.set(view.getUint32(position, true), position + 12);
    position += 12 + Number(view.getBigUint64(position + 4, true));
  }
  const start = sections.get(headerSection);
  const terms = sections.get(constraintSection);
  if (start === undefined || terms === undefined)
    throw new CircuitSetupError("The r1cs file lacks a section.");
  const fieldBytes = view.getUint32(start, true);
  if (fieldBytes !== bytesPerField || readLittleEndian(bytes, start + 4) !== scalarField) {
    throw new CircuitSetupError("The constraint system is not over BN254's scalar field.");
  }
  const count = (index: number): number => view.getUint32(start + 4 + bytesPerField + 4 * index, true);
  const header: R1csHeader = {
    wires: count(0),
    publicSignals: count(1) + count(2),
    privateInputs: count(3),
    constraints: view.getUint32(start + 4 + bytesPerField + 24, true),
  };
  return { header, forEachTerm: (visit) => visitTerms(bytes, terms, header.constraints, visit) };
}

function visitTerms(
  bytes: Uint8Array,
  start: number,
  constraints: number,
  visit: (matrix: Matrix, constraint: number, wire: number, value: bigint) => void,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let position = start;
  for (let constraint = 0; constraint < constraints; constraint++) {
    for (const matrix of [0, 1, 2] as const) {
      const terms = view.getUint32(position, true);
      position += 4;
      for (let term = 0; term < terms; term++) {
        visit(matrix, constraint, view.getUint32(position, true), readLittleEndian(bytes, position + 4));
        position += 4 + bytesPerField;
      }
    }
  }
}
