import { bytesToHex, type Hex, hexToBytes } from "viem";
import { traceLeaf } from "../../core/exact/commitment.ts";
import type { BinaryTree } from "../../core/merkle/binary-tree.ts";
import { leafHash } from "../../core/merkle/keccak.ts";
import type { LeafClaim } from "./claimed-run.ts";
import { siblingsOf, treeOf } from "./nodes.ts";

/** A leaf with its siblings (`TraceLeaf`). */
export type LeafOpening = {
  readonly stateRoot: Hex;
  readonly witnessHash: Hex;
  readonly siblings: readonly Hex[];
};

const trees = new WeakMap<readonly LeafClaim[], BinaryTree>();

/** Tree of a trace: the leaves that were published, or those that a run committed to. */
export function traceTreeOf(leaves: readonly LeafClaim[]): BinaryTree {
  let tree = trees.get(leaves);
  if (tree === undefined) {
    const hashes = leaves.map(({ stateRoot, h }) =>
      bytesToHex(leafHash(traceLeaf(hexToBytes(stateRoot), hexToBytes(h)))),
    );
    tree = treeOf(hashes);
    trees.set(leaves, tree);
  }
  return tree;
}

export function openLeaf(leaves: readonly LeafClaim[], leaf: number): LeafOpening {
  const { stateRoot, h } = leaves[leaf]!;
  return { stateRoot, witnessHash: h, siblings: siblingsOf(traceTreeOf(leaves), leaf) };
}
