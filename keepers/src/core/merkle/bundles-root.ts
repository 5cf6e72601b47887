import { BadInputError } from "../errors.ts";
import { BinaryTree } from "./binary-tree.ts";
import { hashBytes, leafHash } from "./keccak.ts";

/** Both roots of a bundle, 32 bytes each. */
export type BundleRoots = { poseidonRoot: Uint8Array; transportRoot: Uint8Array };

/** Leaf of `bundlesRoot`: H(0x00 ‖ uint32 bundleIndex ‖ poseidonRoot ‖ transportRoot). */
export function bundleLeaf(bundleIndex: number, { poseidonRoot, transportRoot }: BundleRoots): Uint8Array {
  if (!Number.isInteger(bundleIndex) || bundleIndex < 0 || bundleIndex > 0xffffffff) {
    throw new BadInputError(`${bundleIndex} is not a bundle index`);
  }
  if (poseidonRoot.length !== hashBytes || transportRoot.length !== hashBytes) {
    throw new BadInputError("a bundle's roots have 32 bytes each");
  }
  const bytes = new Uint8Array(4 + 2 * hashBytes);
  new DataView(bytes.buffer).setUint32(0, bundleIndex);
  bytes.set(poseidonRoot, 4);
  bytes.set(transportRoot, 4 + hashBytes);
  return leafHash(bytes);
}

/** The tree over all bundles of a dataset, in the order of their indices; its root is `bundlesRoot`. */
export function bundlesTree(bundles: readonly BundleRoots[]): BinaryTree {
  const leaves = new Uint8Array(bundles.length * hashBytes);
  bundles.forEach((roots, index) => {
    leaves.set(bundleLeaf(index, roots), index * hashBytes);
  });
  return new BinaryTree(leaves);
}
