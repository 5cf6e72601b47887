import { BadInputError } from "../errors.ts";
import { hashBytes, nodeHash } from "./keccak.ts";

/** Levels above `leaves` leaves: ⌈log2 leaves⌉, 0 for a single one. */
export function depthOf(leaves: number): number {
  if (!Number.isSafeInteger(leaves) || leaves < 1)
    throw new BadInputError(`a tree cannot have ${leaves} leaves`);
  let depth = 0;
  while (2 ** depth < leaves) depth++;
  return depth;
}

const absent: Uint8Array[] = [new Uint8Array(hashBytes)];

/** Root of a tree of this depth in which every leaf is absent (bytes32(0)). */
export function absentRoot(depth: number): Uint8Array {
  while (absent.length <= depth) absent.push(nodeHash(absent.at(-1)!, absent.at(-1)!));
  return absent[depth]!;
}

/** One level up: the parents of `nodes` (32 bytes each) whose subtrees have depth `level`. */
function parentsOf(nodes: Uint8Array, level: number): Uint8Array {
  const count = nodes.length / hashBytes;
  const parents = new Uint8Array(Math.ceil(count / 2) * hashBytes);
  const at = (index: number): Uint8Array =>
    index < count ? nodes.subarray(index * hashBytes, (index + 1) * hashBytes) : absentRoot(level);
  for (let i = 0; 2 * i < count; i++) {
    nodeHash(at(2 * i), at(2 * i + 1), parents.subarray(i * hashBytes, (i + 1) * hashBytes));
  }
  return parents;
}

function requireHashes(hashes: Uint8Array): void {
  if (hashes.length === 0 || hashes.length % hashBytes !== 0) {
    throw new BadInputError(`${hashes.length} bytes are not a list of ${hashBytes}-byte hashes`);
  }
}

/**
 * Binary keccak256 tree over leaf hashes (storage protocol, section 2), with every level in memory: 64 bytes per leaf.
 */
export class BinaryTree {
  readonly leaves: number;
  readonly depth: number;
  readonly #levels: Uint8Array[];

  /**
   * @param leaves their hashes, 32 bytes each, one after another; at least one.
   * @param inner the levels above them, lowest first, where they were made before: they are taken as they are
   */
  constructor(leaves: Uint8Array, inner?: readonly Uint8Array[]) {
    requireHashes(leaves);
    this.leaves = leaves.length / hashBytes;
    this.depth = depthOf(this.leaves);
    this.#levels = [leaves, ...(inner ?? levelsAbove(leaves, 0, this.depth))];
  }

  /** Nodes of each level above so many leaves, lowest level first. */
  static nodesAbove(leaves: number): number[] {
    return Array.from({ length: depthOf(leaves) }, (_, level) => Math.ceil(leaves / 2 ** (level + 1)));
  }

  /** The levels above the leaves, lowest first. */
  get inner(): readonly Uint8Array[] {
    return this.#levels.slice(1);
  }

  get root(): Uint8Array {
    return this.#levels[this.depth]!.slice();
  }

  /** Node `index` of a level, 0 for the leaves: the root of an empty tree right of the last one. */
  node(level: number, index: number): Uint8Array {
    const nodes = this.#levels[level]!;
    const at = index * hashBytes;
    return at < nodes.length ? nodes.slice(at, at + hashBytes) : absentRoot(level).slice();
  }

  /** Siblings from the leaf up. Throws BadInputError when there is no such leaf. */
  proof(index: number): Uint8Array[] {
    requireIndex(index, this.leaves);
    return Array.from({ length: this.depth }, (_, level) =>
      this.node(level, Math.floor(index / 2 ** level) ^ 1),
    );
  }
}

function requireIndex(index: number, leaves: number): void {
  if (!Number.isInteger(index) || index < 0 || index >= leaves) {
    throw new BadInputError(`there is no leaf ${index} of ${leaves}`);
  }
}

/**
 * The levels above the roots of subtrees of depth `level`, all full but the last, lowest first; with `level` 0, above leaf hashes.
 *
 * @param depth levels above the given roots; as many as they need by default
 */
export function levelsAbove(
  roots: Uint8Array,
  level = 0,
  depth = depthOf(roots.length / hashBytes),
): Uint8Array[] {
  requireHashes(roots);
  const levels = [roots];
  for (let at = 0; at < depth; at++) levels.push(parentsOf(levels[at]!, level + at));
  return levels.slice(1);
}

/** The last of {@link levelsAbove}: the root, or the only one given. */
export function joinRoots(roots: Uint8Array, level?: number, depth?: number): Uint8Array {
  return (levelsAbove(roots, level, depth).at(-1) ?? roots).slice();
}

export type BinaryProofParameters = {
  root: Uint8Array;
  leaf: Uint8Array;
  index: number;
  /** Number of leaves, from the anchor or manifest: never from the prover. */
  leaves: number;
  /** Siblings from the leaf up. */
  siblings: readonly Uint8Array[];
};

/** Whether the leaf stands at `index` under `root`; false for anything malformed. */
export function verifyBinaryProof({ root, leaf, index, leaves, siblings }: BinaryProofParameters): boolean {
  if (!Number.isInteger(index) || index < 0 || index >= leaves) return false;
  if (siblings.length !== depthOf(leaves)) return false;
  if ([root, leaf, ...siblings].some((hash) => hash.length !== hashBytes)) return false;
  let node = leaf;
  siblings.forEach((sibling, level) => {
    const isRight = Math.floor(index / 2 ** level) % 2 === 1;
    node = isRight ? nodeHash(sibling, node) : nodeHash(node, sibling);
  });
  return node.every((byte, i) => byte === root[i]);
}

/** Builds a root leaf by leaf in O(log leaves) memory: for object roots of any number of objects. */
export class RootBuilder {
  #count = 0;
  /** Roots of complete subtrees, by depth; present where the count has a one bit. */
  readonly #complete: (Uint8Array | undefined)[] = [];

  get count(): number {
    return this.#count;
  }

  /** Appends a leaf hash of 32 bytes; the builder keeps a copy. */
  push(leaf: Uint8Array): void {
    if (leaf.length !== hashBytes)
      throw new BadInputError(`a leaf has ${leaf.length} bytes, not ${hashBytes}`);
    let node: Uint8Array = leaf.slice();
    let level = 0;
    for (; this.#complete[level] !== undefined; level++) {
      node = nodeHash(this.#complete[level]!, node);
      this.#complete[level] = undefined;
    }
    this.#complete[level] = node;
    this.#count++;
  }

  /** The root over the leaves so far. Throws BadInputError when there are none. */
  root(): Uint8Array {
    const depth = depthOf(this.#count);
    let node: Uint8Array | undefined;
    for (let level = 0; level <= depth; level++) {
      const left = this.#complete[level];
      if (level === depth) return (left ?? node)!.slice();
      if (left !== undefined) node = nodeHash(left, node ?? absentRoot(level));
      else if (node !== undefined) node = nodeHash(node, absentRoot(level));
    }
    throw new BadInputError("a tree without leaves has no root");
  }
}
