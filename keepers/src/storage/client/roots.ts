import { bytesToHex, type Hex, hexToBytes } from "viem";
import type { Manifest } from "../../core/dataset/manifest.ts";
import { cellBytes } from "../../core/dataset/shape.ts";
import { BinaryTree, joinRoots } from "../../core/merkle/binary-tree.ts";
import { bundlesTree } from "../../core/merkle/bundles-root.ts";
import { hashBytes, leafHash } from "../../core/merkle/keccak.ts";

/** The tree that ties each bundle's two roots to the anchor. */
export type BundlesTree = {
  root: Hex;
  /** Siblings of a bundle's leaf, from the leaf up. */
  proof(bundleIndex: number): Hex[];
};

/** What of a manifest, or of the event of an anchor, its tree is made of. */
export type RootedBundles = {
  readonly bundles: readonly Pick<Manifest["bundles"][number], "poseidonRoot" | "transportRoot">[];
};

export function manifestTree(manifest: RootedBundles): BundlesTree {
  const tree = bundlesTree(
    manifest.bundles.map(({ poseidonRoot, transportRoot }) => ({
      poseidonRoot: hexToBytes(poseidonRoot as Hex),
      transportRoot: hexToBytes(transportRoot as Hex),
    })),
  );
  return {
    root: bytesToHex(tree.root),
    proof: (bundleIndex) => tree.proof(bundleIndex).map((sibling) => bytesToHex(sibling)),
  };
}

/** The keccak root of a bundle's cells, without the Poseidon one, which takes far longer. */
export function transportRootOf(bundle: Uint8Array): Hex {
  return bytesToHex(joinRoots(cellLeaves(bundle)));
}

/** The keccak tree over a bundle's cells. */
export function transportTreeOf(bundle: Uint8Array): BinaryTree {
  return new BinaryTree(cellLeaves(bundle));
}

function cellLeaves(bundle: Uint8Array): Uint8Array {
  const cells = Math.ceil(bundle.length / cellBytes);
  const leaves = new Uint8Array(cells * hashBytes);
  const last = new Uint8Array(cellBytes);
  last.set(bundle.subarray((cells - 1) * cellBytes));
  for (let i = 0; i < cells; i++) {
    const cell = i === cells - 1 ? last : bundle.subarray(i * cellBytes, (i + 1) * cellBytes);
    leafHash(cell, leaves.subarray(i * hashBytes, (i + 1) * hashBytes));
  }
  return leaves;
}
