import { bytesToHex, type Hex } from "viem";
import { encodeDescriptor, programLeafIndex, programTree } from "../../core/exact/tape/descriptor.ts";
import type { Program } from "../../core/exact/tape/types.ts";
import type { BinaryTree } from "../../core/merkle/binary-tree.ts";

const trees = new WeakMap<Program, BinaryTree>();

/** Descriptor of a node, and its siblings below the program root. */
export function openNode(
  program: Program,
  { tape, node }: { readonly tape: number; readonly node: number },
): { readonly descriptor: Hex; readonly siblings: Hex[] } {
  let tree = trees.get(program);
  if (tree === undefined) {
    tree = programTree(program);
    trees.set(program, tree);
  }
  const siblings = tree.proof(programLeafIndex(program, tape, node));
  return {
    descriptor: bytesToHex(encodeDescriptor(program, tape, node)),
    siblings: siblings.map((sibling) => bytesToHex(sibling)),
  };
}
