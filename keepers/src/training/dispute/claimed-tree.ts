import { bytesToHex, type Hex } from "viem";
import { absentRoot, type BinaryTree } from "../../core/merkle/binary-tree.ts";
import { type Round, stageOf } from "./moves.ts";
import { levelsDown, nodeOf, PostedNodes } from "./nodes.ts";
import type { Posted } from "./posted.ts";

/** An answer that was read, and the round that it answered. */
export type ReadAnswer = { readonly round: Round; readonly posted: Posted };

/** A tree of the provider as far as it was posted; elsewhere the own one, where both are known to be the same. */
export class ClaimedTree {
  readonly #posted: PostedNodes;
  readonly #own: BinaryTree | undefined;

  constructor(leaves: number, own?: BinaryTree) {
    this.#posted = new PostedNodes(leaves);
    this.#own = own;
  }

  add(level: number, index: number, nodes: readonly Hex[]): void {
    this.#posted.add(level, index, nodes);
  }

  node(level: number, index: number): Hex {
    const posted = this.#posted.node(level, index);
    if (posted !== undefined) return posted;
    // Beyond the last node there are empty trees.
    return this.#own === undefined ? bytesToHex(absentRoot(level)) : nodeOf(this.#own, level, index);
  }

  /** Siblings of a node of `level`, from there up to below `top`. */
  siblings(index: number, level: number, top: number): Hex[] {
    return Array.from({ length: top - level }, (_, i) =>
      this.node(level + i, Math.floor(index / 2 ** i) ^ 1),
    );
  }
}

/** The nodes that were posted last below a node, and how to name one of them. */
export class Naming {
  readonly level: number;
  /** Level of the posted nodes. */
  readonly lower: number;
  /** Number of the first of them on their level. */
  readonly first: number;
  readonly nodes: readonly Hex[];
  readonly tree: ClaimedTree;

  constructor({ position: p }: Round, nodes: readonly Hex[]) {
    const [level, index, leaves] = [Number(p.level), Number(p.index), Number(p.leaves)];
    const down = levelsDown(level, leaves);
    this.level = level;
    this.lower = level - down;
    this.first = index * 2 ** down;
    this.nodes = nodes;
    this.tree = new ClaimedTree(leaves);
    this.tree.add(level, index, nodes);
  }

  /** The first node that is not the own tree's. */
  firstDifference(own: BinaryTree): number | undefined {
    const number = this.nodes.findIndex((node, i) => node !== nodeOf(own, this.lower, this.first + i));
    return number < 0 ? undefined : number;
  }

  /** Number of the posted node above a leaf; undefined where the leaf stands elsewhere. */
  numberAbove(leaf: number): number | undefined {
    const number = Math.floor(leaf / 2 ** this.lower) - this.first;
    return number >= 0 && number < this.nodes.length ? number : undefined;
  }

  /** Arguments of `nameChild`. */
  child(number: number): [bigint, Hex, Hex[]] {
    return [BigInt(number), this.nodes[number]!, this.siblings(number)];
  }

  /** Siblings of a posted node up to the node that they stand below. */
  siblings(number: number): Hex[] {
    return this.tree.siblings(this.first + number, this.lower, this.level);
  }
}

/**
 * The list of the step in dispute, as the provider posted it. Of what was not posted it is only asked for what stands left
 * of the first wrong tensor, and there the own list is the same.
 */
export function claimedList(answers: readonly ReadAnswer[], own: BinaryTree): ClaimedTree {
  const tree = new ClaimedTree(own.leaves, own);
  for (const { round, posted } of answers) {
    const { level, index } = round.position;
    if (posted.move === "postTensors") {
      tree.add(own.depth, 0, posted.nodes);
    } else if (posted.move === "postNodes" && stageOf(round) === "TensorNodes") {
      tree.add(Number(level), Number(index), posted.nodes);
    }
  }
  return tree;
}
