import { bytesToHex, type Hex, hexToBytes } from "viem";
import { BadInputError } from "../errors.ts";
import { traceLength } from "./commitment.ts";
import { elementsOf } from "./packing.ts";
import type { Program } from "./tape/types.ts";

/**
 * What a provider stores as the result of a job: a dataset that holds a folder of files. `state`: the mantissas of every
 * slot in order, int32, little-endian. `leaves`: for every leaf of the trace its state root and h, 64 bytes; the SHA-256 of
 * this file is the `leavesDigest` of the commitment. `state-<leaf>`: the state at some leaves between, as `state`, so that
 * whoever checks an interval need not begin at the first step; the leaf's state root says whether it is right.
 */
export const resultFiles = { state: "state", leaves: "leaves" } as const;

/** States between the first and the last that are stored with a result: so often the room of the last one, at most. */
export const mostCheckpoints = 4;

/** Name of the file with the state at a leaf. */
export function checkpointFile(leaf: number): string {
  return `${resultFiles.state}-${leaf}`;
}

/** Leaves whose states are stored with a result, ascending, as even as they can be. */
export function checkpointLeaves({ steps, interval }: { readonly steps: number; readonly interval: number }) {
  const intervals = traceLength(steps, interval) - 1;
  const count = Math.min(mostCheckpoints, intervals - 1);
  return Array.from({ length: count }, (_, i) => Math.floor(((i + 1) * intervals) / (count + 1)));
}

const hashBytes = 32;
const mantissaBytes = 4;
const forbidden = -(2 ** 31);

/** A leaf of a trace, opened; h is zero for leaf 0. */
export type OpenedLeaf = { readonly stateRoot: Hex; readonly h: Hex };

/** Bytes of the file of a state of this program. */
export function stateFileBytes({ state }: Program): number {
  return mantissaBytes * state.reduce((sum, { layout }) => sum + elementsOf(layout.shape), 0);
}

/** Bytes of the file of the leaves of a trace. */
export function leavesFileBytes(steps: number, interval: number): number {
  return 2 * hashBytes * traceLength(steps, interval);
}

export function encodeState(state: readonly Int32Array[]): Uint8Array {
  const bytes = new Uint8Array(mantissaBytes * state.reduce((sum, { length }) => sum + length, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const slot of state) {
    for (const mantissa of slot) {
      view.setInt32(at, mantissa, true);
      at += mantissaBytes;
    }
  }
  return bytes;
}

/** @throws BadInputError for bytes that are no state of this program */
export function decodeState(program: Program, bytes: Uint8Array): Int32Array[] {
  const expected = stateFileBytes(program);
  if (bytes.length !== expected) {
    throw new BadInputError(`The state has ${bytes.length} bytes, not the ${expected} of this program.`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  return program.state.map(({ layout }) => {
    const slot = new Int32Array(elementsOf(layout.shape));
    for (let i = 0; i < slot.length; i++, at += mantissaBytes) slot[i] = view.getInt32(at, true);
    if (slot.includes(forbidden)) throw new BadInputError("The state holds -2^31, which is no weight.");
    return slot;
  });
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
