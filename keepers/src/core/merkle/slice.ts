import { BadInputError } from "../errors.ts";
import { cellBytes, digestBytes, type PoseidonKernel, poseidonKernel } from "../poseidon/kernel.ts";
import { depthOf, joinRoots } from "./binary-tree.ts";
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

/** Leaves and subtree roots of consecutive cells; plain data, so that it can cross between threads. */
export type SliceCommitment = {
  /** Poseidon digests of the cells, 32 bytes each. */
  possessionLeaves: Uint8Array;
  /** keccak leaves of the cells, 32 bytes each. */
  transportLeaves: Uint8Array;
  possessionRoot: Uint8Array;
  transportRoot: Uint8Array;
};

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
  const possessionRoot = new QuaternaryTree(possessionLeaves, slicePossessionDepth, { kernel }).root;
  const transportRoot = joinRoots(transportLeaves, 0, only ? depthOf(count) : sliceTransportDepth);
  return { possessionLeaves, transportLeaves, possessionRoot, transportRoot };
}

/** Both roots of a bundle from those of its slices, in order; all but the last are full. */
export function joinSlices(
  slices: readonly Pick<SliceCommitment, "possessionRoot" | "transportRoot">[],
  kernel?: PoseidonKernel,
): { poseidonRoot: Uint8Array; transportRoot: Uint8Array } {
  const list = (pick: (slice: (typeof slices)[number]) => Uint8Array): Uint8Array => {
    const roots = new Uint8Array(slices.length * digestBytes);
    slices.forEach((slice, i) => {
      roots.set(pick(slice), i * digestBytes);
    });
    return roots;
  };
  const possession = new QuaternaryTree(
    list((slice) => slice.possessionRoot),
    bundleDepth - slicePossessionDepth,
    { baseDepth: slicePossessionDepth, kernel },
  );
  const transportRoot = joinRoots(
    list((slice) => slice.transportRoot),
    sliceTransportDepth,
  );
  return { poseidonRoot: possession.root, transportRoot };
}
