import { bytesToHex, type Hex, hexToBytes } from "viem";
import { BadInputError } from "../errors.ts";
import { DataRootHasher, traceLength } from "./commitment.ts";
import { leafGeometry, packTensor, unpackTensor } from "./packing.ts";
import type { Program } from "./tape/types.ts";

/**
 * What a provider stores as the result of a job: a dataset that holds a folder of files, which follow one another in the order of
 * their names, from the first byte of the first object on (docs/exact-ops.md, section 8). The last state comes first: contracts
 * hold its bytes against the committed state by their place alone. Then for every leaf of the trace its state root and h, 64
 * bytes; the SHA-256 of this file is the `leavesDigest` of the commitment. Then the state at some leaves between, in the same
 * form, so that whoever checks an interval need not begin at the first step; the leaf's state root says whether it is
 * right.
 */
export const resultFiles = { state: "0-state", leaves: "1-leaves" } as const;

/** States between the first and the last that are stored with a result: so often the room of the last one, at most. */
export const mostCheckpoints = 4;

/** Digits of the greatest number of a leaf, so that names sort as their numbers do. */
const leafDigits = 10;

/** Name of the file with the state at a leaf. */
export function checkpointFile(leaf: number): string {
  return `2-state-${String(leaf).padStart(leafDigits, "0")}`;
}

/** Leaves whose states are stored with a result, ascending, as even as they can be. */
export function checkpointLeaves({ steps, interval }: { readonly steps: number; readonly interval: number }) {
  const intervals = traceLength(steps, interval) - 1;
  const count = Math.min(mostCheckpoints, intervals - 1);
  return Array.from({ length: count }, (_, i) => Math.floor(((i + 1) * intervals) / (count + 1)));
}

const hashBytes = 32;
/** Of a slot in the directory: data root, exponent, and where its tensor begins. */
export const directoryEntry = { bytes: 64, exponentAt: 32, offsetAt: 48 } as const;
const { bytes: entryBytes, exponentAt, offsetAt } = directoryEntry;

/** A leaf of a trace, opened; h is zero for leaf 0. */
export type OpenedLeaf = { readonly stateRoot: Hex; readonly h: Hex };

/** Bytes of the file of a state of this program. */
export function stateFileBytes({ state }: Program): number {
  return state.reduce((sum, { layout }) => sum + entryBytes + leafGeometry(layout).packedBytes, 0);
}

/** Bytes of the file of the leaves of a trace. */
export function leavesFileBytes(steps: number, interval: number): number {
  return 2 * hashBytes * traceLength(steps, interval);
}

/** Where each slot's tensor lies in the file of a state: one after another, behind the directory. */
export function tensorPlaces({ state }: Program): { readonly start: number; readonly end: number }[] {
  let end = entryBytes * state.length;
  return state.map(({ layout }) => {
    const start = end;
    end += leafGeometry(layout).packedBytes;
    return { start, end };
  });
}

/**
 * The file of a state: the directory, then every slot's tensor, packed as its leaves are.
 *
 * @throws BadInputError for what is no state of this program
 */
export function encodeState(program: Program, state: readonly Int32Array[]): Uint8Array {
  if (state.length !== program.state.length) {
    throw new BadInputError(`A state has ${program.state.length} slots here, not ${state.length}.`);
  }
  const bytes = new Uint8Array(stateFileBytes(program));
  const view = new DataView(bytes.buffer);
  for (const [slot, { start, end }] of tensorPlaces(program).entries()) {
    const { layout, exponent } = program.state[slot]!;
    packTensor(layout, state[slot]!, undefined, bytes.subarray(start, end));
    writeEntry(view, slot, new DataRootHasher(layout).root(state[slot]!), exponent, start);
  }
  return bytes;
}

/** @throws BadInputError for bytes that are no state of this program, and where directory and tensors contradict each other */
export function decodeState(program: Program, bytes: Uint8Array): Int32Array[] {
  const expected = stateFileBytes(program);
  if (bytes.length !== expected) {
    throw new BadInputError(`The state has ${bytes.length} bytes, not the ${expected} of this program.`);
  }
  const entry = new Uint8Array(entryBytes);
  const view = new DataView(entry.buffer);
  return tensorPlaces(program).map(({ start, end }, slot) => {
    const { layout, exponent } = program.state[slot]!;
    const mantissas = unpackTensor(layout, bytes.subarray(start, end)) as Int32Array;
    writeEntry(view, 0, new DataRootHasher(layout).root(mantissas), exponent, start);
    if (entry.some((byte, i) => byte !== bytes[entryBytes * slot + i])) {
      throw new BadInputError(
        `The directory of the state says something else of slot ${slot} than its tensor.`,
      );
    }
    return mantissas;
  });
}

/** Data root, exponent as int128, start as uint128, big-endian. */
function writeEntry(view: DataView, slot: number, root: Uint8Array, exponent: number, start: number): void {
  const at = entryBytes * slot;
  new Uint8Array(view.buffer, view.byteOffset + at, hashBytes).set(root);
  view.setBigInt64(at + exponentAt, exponent < 0 ? -1n : 0n);
  view.setBigInt64(at + exponentAt + 8, BigInt(exponent));
  view.setBigUint64(at + offsetAt, 0n);
  view.setBigUint64(at + offsetAt + 8, BigInt(start));
}

export function encodeLeaves(leaves: readonly OpenedLeaf[]): Uint8Array {
  const bytes = new Uint8Array(2 * hashBytes * leaves.length);
  for (const [i, { stateRoot, h }] of leaves.entries()) {
    bytes.set(hexToBytes(stateRoot), 2 * hashBytes * i);
    bytes.set(hexToBytes(h), 2 * hashBytes * i + hashBytes);
  }
  return bytes;
}

/** @throws BadInputError for bytes that are not as many leaves as such a trace has */
export function decodeLeaves(
  bytes: Uint8Array,
  { steps, interval }: { readonly steps: number; readonly interval: number },
): OpenedLeaf[] {
  const expected = leavesFileBytes(steps, interval);
  if (bytes.length !== expected) {
    throw new BadInputError(`The file of leaves has ${bytes.length} bytes, not ${expected}.`);
  }
  return Array.from({ length: traceLength(steps, interval) }, (_, i) => {
    const at = 2 * hashBytes * i;
    return {
      stateRoot: bytesToHex(bytes.subarray(at, at + hashBytes)),
      h: bytesToHex(bytes.subarray(at + hashBytes, at + 2 * hashBytes)),
    };
  });
}
