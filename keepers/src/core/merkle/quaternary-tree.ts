import { BadInputError } from "../errors.ts";
import { arity, digestBytes, type PoseidonKernel, poseidonKernel } from "../poseidon/kernel.ts";

/** Levels of a bundle's possession tree: exactly 4^7 = 16384 leaves. */
export const bundleDepth = 7;
/** Levels of a cover over 64 bundle roots. */
export const coverDepth = 3;

/** Root of a tree of this depth whose leaves are all 0, by depth. */
const absent: Uint8Array[] = [new Uint8Array(digestBytes)];

function absentRoot(depth: number, kernel: PoseidonKernel): Uint8Array {
  while (absent.length <= depth) {
    const below = absent.at(-1)!;
    const children = new Uint8Array(arity * digestBytes);
    for (let child = 0; child < arity; child++) children.set(below, child * digestBytes);
    absent.push(kernel.hashNodes(children));
  }
  return absent[depth]!;
}

/** An integer from big-endian bytes. */
export function toInteger(bytes: Uint8Array): bigint {
  let hex = "0x";
  for (const byte of bytes) hex += byte.toString(16).padStart(2, "0");
  return BigInt(hex);
}

/** 32 big-endian bytes of a field element. */
export function toDigest(value: bigint): Uint8Array {
  const digest = new Uint8Array(digestBytes);
  for (let i = digestBytes - 1, rest = value; i >= 0; i--, rest >>= 8n) digest[i] = Number(rest & 255n);
  return digest;
}

export type QuaternaryTreeOptions = {
  /** Depth of the subtrees whose roots the leaves are; absent ones are then empty subtrees. 0 by default. */
  baseDepth?: number;
  kernel?: PoseidonKernel;
  /** The levels above the leaves, lowest first, where they were made before: they are taken as they are. */
  inner?: readonly Uint8Array[];
};

/**
 * 4-ary Poseidon tree with exactly 4^depth leaves of which the first ones are present and all others 0 (storage
 * protocol, section 2). Only subtrees with present leaves are hashed and kept.
 */
export class QuaternaryTree {
  readonly depth: number;
  readonly leaves: number;
  readonly #levels: Uint8Array[];
  readonly #baseDepth: number;
  readonly #kernel: PoseidonKernel;

  /** @param leaves present leaves, 32 big-endian bytes each, below the field order */
  constructor(
    leaves: Uint8Array,
    depth: number,
    { baseDepth = 0, kernel = poseidonKernel(), inner }: QuaternaryTreeOptions = {},
  ) {
    const count = leaves.length / digestBytes;
    if (!Number.isInteger(count) || count < 1 || count > arity ** depth) {
      throw new BadInputError(`a tree of depth ${depth} takes 1 to ${arity ** depth} leaves, not ${count}`);
    }
    this.depth = depth;
    this.leaves = count;
    this.#baseDepth = baseDepth;
    this.#kernel = kernel;
    this.#levels = [leaves, ...(inner ?? [])];
    if (inner !== undefined) return;
    for (let level = 0; level < depth; level++) {
      const nodes = this.#levels[level]!;
      const parents = Math.ceil(nodes.length / digestBytes / arity);
      const children = new Uint8Array(parents * arity * digestBytes);
      children.set(nodes);
      const empty = absentRoot(baseDepth + level, kernel);
      for (let at = nodes.length; at < children.length; at += digestBytes) children.set(empty, at);
      this.#levels.push(kernel.hashNodes(children));
    }
  }

  /** Nodes of each level above so many leaves that are kept, lowest level first. */
  static nodesAbove(leaves: number, depth: number): number[] {
    return Array.from({ length: depth }, (_, level) => Math.ceil(leaves / arity ** (level + 1)));
  }

  get root(): Uint8Array {
    return this.#levels[this.depth]!.slice();
  }

  /** The levels above the leaves, lowest first. */
  get inner(): readonly Uint8Array[] {
    return this.#levels.slice(1);
  }

  /** All four children of each node on the way from leaf `index` up to the root: what the circuits take. */
  path(index: number): bigint[][] {
    if (!Number.isInteger(index) || index < 0 || index >= arity ** this.depth) {
      throw new BadInputError(`there is no leaf ${index} in a tree of depth ${this.depth}`);
    }
    return Array.from({ length: this.depth }, (_, level) => {
      const first = Math.floor(index / arity ** (level + 1)) * arity;
      return Array.from({ length: arity }, (_, child) => toInteger(this.#node(level, first + child)));
    });
  }

  #node(level: number, index: number): Uint8Array {
    const nodes = this.#levels[level]!;
    const at = index * digestBytes;
    return at < nodes.length
      ? nodes.subarray(at, at + digestBytes)
      : absentRoot(this.#baseDepth + level, this.#kernel);
  }
}

/** The cover over up to 64 bundle roots; unused leaves are 0. */
export function coverTree(bundleRoots: readonly Uint8Array[], kernel?: PoseidonKernel): QuaternaryTree {
  const leaves = new Uint8Array(bundleRoots.length * digestBytes);
  bundleRoots.forEach((root, index) => {
    if (root.length !== digestBytes) throw new BadInputError(`root ${index} has ${root.length} bytes`);
    leaves.set(root, index * digestBytes);
  });
  return new QuaternaryTree(leaves, coverDepth, { kernel });
}
