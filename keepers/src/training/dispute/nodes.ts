import { bytesToHex, type Hex, hexToBytes, zeroHash } from "viem";
import { absentRoot, BinaryTree } from "../../core/merkle/binary-tree.ts";
import { leafHash, nodeHash } from "../../core/merkle/keccak.ts";

/** Going down trees as `contracts/disputes/Narrowing.sol` does: the provider posts a lower level, the challenger names. */

const mostLevels = 7;
const mostLeaves = 192;

/** Levels from a node `level` levels above the leaves to those that are posted next. */
export function levelsDown(level: number, leaves: number): number {
  if (leaves <= mostLeaves) return level;
  const rounds = Math.ceil(level / mostLevels);
  return rounds === 0 ? 0 : Math.ceil(level / rounds);
}

/** Tree over hashes of 32 bytes as they are. */
export function treeOf(leaves: readonly Hex[]): BinaryTree {
  const bytes = new Uint8Array(32 * leaves.length);
  leaves.forEach((leaf, i) => {
    bytes.set(hexToBytes(leaf), 32 * i);
  });
  return new BinaryTree(bytes);
}

/** keccak(0x00 ‖ bytes) */
export function leafOf(bytes: Hex): Hex {
  return bytesToHex(leafHash(hexToBytes(bytes)));
}

/** Tree of a state, over the commitments of its slots. */
export function stateTreeOf(slots: readonly Hex[]): BinaryTree {
  return treeOf(slots.map(leafOf));
}

export function nodeOf(tree: BinaryTree, level: number, index: number): Hex {
  return bytesToHex(tree.node(level, index));
}

/** Nodes that are posted below node `index` of `level`. */
export function nodesBelow(tree: BinaryTree, level: number, index: number): Hex[] {
  const down = levelsDown(level, tree.leaves);
  const lower = level - down;
  const first = index * 2 ** down;
  const count = Math.min(2 ** down, Math.ceil(tree.leaves / 2 ** lower) - first);
  return Array.from({ length: count }, (_, i) => nodeOf(tree, lower, first + i));
}

/** Siblings of a node of `level`, from there up to below `top`. */
export function siblingsOf(tree: BinaryTree, index: number, level = 0, top = tree.depth): Hex[] {
  return Array.from({ length: top - level }, (_, i) =>
    nodeOf(tree, level + i, Math.floor(index / 2 ** i) ^ 1),
  );
}

/** What names one of the state roots that were posted in a search, or the leaf behind them (`NamedRoot`). */
export function namedRoot(roots: readonly Hex[], number: number) {
  const tree = treeOf(roots);
  const opened = (at: number) =>
    at < 0 || at >= roots.length ? ([zeroHash, []] as const) : ([roots[at]!, siblingsOf(tree, at)] as const);
  const [before, beforeSiblings] = opened(number - 1);
  const [next, nextSiblings] = opened(number);
  return { number: BigInt(number), before, beforeSiblings, next, nextSiblings };
}

/** What names a step besides its states: its witness among those of the interval, none for a checkpoint of several. */
export function witnessOpening(witnesses: readonly Hex[], at: number, isOne: boolean) {
  if (!isOne) return { witness: zeroHash, witnessSiblings: [] };
  return { witness: witnesses[at]!, witnessSiblings: siblingsOf(treeOf(witnesses), at) };
}

/** Nodes of a tree that were posted, and all that follow from them: a part of a tree that is somebody else's. */
export class PostedNodes {
  readonly leaves: number;
  readonly #known = new Map<string, Hex>();

  constructor(leaves: number) {
    this.leaves = leaves;
  }

  /** Adds what was posted below node `index` of `level`. */
  add(level: number, index: number, posted: readonly Hex[]): void {
    const down = levelsDown(level, this.leaves);
    let first = index * 2 ** down;
    let nodes = posted.map((node) => hexToBytes(node));
    for (let at = level - down; at <= level; at++) {
      for (const [i, node] of nodes.entries()) this.#known.set(`${at} ${first + i}`, bytesToHex(node));
      nodes = Array.from({ length: Math.ceil(nodes.length / 2) }, (_, i) =>
        nodeHash(nodes[2 * i]!, nodes[2 * i + 1] ?? absentRoot(at)),
      );
      first /= 2;
    }
  }

  /** A node, where it is known. */
  node(level: number, index: number): Hex | undefined {
    return this.#known.get(`${level} ${index}`);
  }
}
