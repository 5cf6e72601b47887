import { concatBytes } from "@noble/hashes/utils.js";
import { BadInputError } from "../errors.ts";
import { cellBytes, type PoseidonKernel, poseidonKernel } from "../poseidon/kernel.ts";
import { depthOf, levelsAbove } from "./binary-tree.ts";
import { hashBytes, leafHash } from "./keccak.ts";
import { bundleDepth, QuaternaryTree } from "./quaternary-tree.ts";

/** Depth of a slice in the possession tree, and in the transport tree of a bundle of several slices. */
const slicePossessionDepth = 5;
const sliceTransportDepth = 10;
/** Cells that are committed to together: 4^5 = 2^10, so that both trees are joined from slices. */
export const sliceCells = 1024;
export const sliceBytes = sliceCells * cellBytes;
/** Cells of a full bundle. */
export const bundleCells = 16384;

/** Leaves of consecutive cells and the nodes above them, levels lowest first; plain data, so that it can cross between threads. */
export type SliceCommitment = {
  /** Poseidon digests of the cells, 32 bytes each. */
  possessionLeaves: Uint8Array;
  /** keccak leaves of the cells, 32 bytes each. */
  transportLeaves: Uint8Array;
  /** Up to the root of the slice's part of the possession tree. */
  possessionInner: readonly Uint8Array[];
  /** The same of the transport tree; none above the only cell of a bundle. */
  transportInner: readonly Uint8Array[];
};

/** The buffers of a commitment that another thread made: it hands them over. */
export function buffersOf(commitment: SliceCommitment): ArrayBuffer[] {
  return Object.values(commitment)
    .flat()
    .map((part: Uint8Array) => part.buffer as ArrayBuffer);
}

/**
 * Commits to up to 1024 cells of a bundle.
 *
 * @param bytes the slice's bytes; the last cell of a bundle is padded with zeros here
 * @param only whether the bundle has no other slice: its transport tree is then no deeper than its cells need
 */
export function commitSlice(
  bytes: Uint8Array,
  only: boolean,
  kernel: PoseidonKernel = poseidonKernel(),
): SliceCommitment {
  const count = Math.ceil(bytes.length / cellBytes);
  if (count < 1 || count > sliceCells)
    throw new BadInputError(`a slice has 1 to ${sliceCells} cells, not ${count}`);
  let cells = bytes;
  if (bytes.length % cellBytes !== 0) {
    cells = new Uint8Array(count * cellBytes);
    cells.set(bytes);
  }
  const possessionLeaves = kernel.hashCells(cells);
  const transportLeaves = new Uint8Array(count * hashBytes);
  for (let i = 0; i < count; i++) {
    const cell = cells.subarray(i * cellBytes, (i + 1) * cellBytes);
    leafHash(cell, transportLeaves.subarray(i * hashBytes, (i + 1) * hashBytes));
  }
  const possessionInner = new QuaternaryTree(possessionLeaves, slicePossessionDepth, { kernel }).inner;
  const transportInner = levelsAbove(transportLeaves, 0, only ? depthOf(count) : sliceTransportDepth);
  return { possessionLeaves, transportLeaves, possessionInner, transportInner };
}

/** The leaves of a bundle and all nodes above them, from those of its slices, in order; all but the last are full. */
export function joinSlices(slices: readonly SliceCommitment[], kernel?: PoseidonKernel): SliceCommitment {
  const possessionLeaves = concatBytes(...slices.map((slice) => slice.possessionLeaves));
  const transportLeaves = concatBytes(...slices.map((slice) => slice.transportLeaves));
  const possession = joinLevels(slices.map((slice) => slice.possessionInner));
  const { inner } = new QuaternaryTree(possession.at(-1)!, bundleDepth - slicePossessionDepth, {
    baseDepth: slicePossessionDepth,
    kernel,
  });
  const transport = joinLevels(slices.map((slice) => slice.transportInner));
  // The only slice of a bundle is no deeper than its cells need: nothing is above it.
  if (slices.length > 1) transport.push(...levelsAbove(transport.at(-1)!, sliceTransportDepth));
  return {
    possessionLeaves,
    transportLeaves,
    possessionInner: [...possession, ...inner],
    transportInner: transport,
  };
}

/** Each level of all slices, side by side. */
function joinLevels(slices: readonly (readonly Uint8Array[])[]): Uint8Array[] {
  const [first = []] = slices;
  return first.map((_, level) => concatBytes(...slices.map((levels) => levels[level]!)));
}
