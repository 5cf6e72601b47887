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

/**
 * The leaves before and after an interval, with what their openings have in common said once: where the two meet neither
 * needs a sibling, and above it only the first one has any.
 */
export function openNeighbours(leaves: readonly LeafClaim[], interval: number): [LeafOpening, LeafOpening] {
  const [before, next] = [openLeaf(leaves, interval), openLeaf(leaves, interval + 1)];
  let meet = 0;
  while (((interval >> meet) & 1) === 1) meet++;
  return [
    { ...before, siblings: before.siblings.filter((_, level) => level !== meet) },
    { ...next, siblings: next.siblings.slice(0, meet) },
  ];
}

export function openLeaf(leaves: readonly LeafClaim[], leaf: number): LeafOpening {
  const { stateRoot, h } = leaves[leaf]!;
  return { stateRoot, witnessHash: h, siblings: siblingsOf(traceTreeOf(leaves), leaf) };
}
