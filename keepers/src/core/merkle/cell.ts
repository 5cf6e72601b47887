import { BadInputError } from "../errors.ts";
import { cellBytes } from "../poseidon/kernel.ts";
import { toInteger } from "./quaternary-tree.ts";

const elementBytes = 31;

/** Cell `index` of a bundle, 496 bytes, padded with zeros when it is the last. */
export function cellOf(bundle: Uint8Array, index: number): Uint8Array {
  const part = bundle.subarray(index * cellBytes, (index + 1) * cellBytes);
  if (index < 0 || part.length === 0) throw new BadInputError(`the bundle has no cell ${index}`);
  const cell = new Uint8Array(cellBytes);
  cell.set(part);
  return cell;
}

/** The sixteen field elements of a cell: big-endian integers of 31 bytes. */
export function cellElements(cell: Uint8Array): bigint[] {
  if (cell.length !== cellBytes) throw new BadInputError(`a cell has ${cellBytes} bytes, not ${cell.length}`);
  return Array.from({ length: cellBytes / elementBytes }, (_, i) =>
    toInteger(cell.subarray(i * elementBytes, (i + 1) * elementBytes)),
  );
}
