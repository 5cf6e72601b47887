import { createRequire } from "node:module";

type Poseidon = { (inputs: bigint[]): Uint8Array; F: { toString(element: Uint8Array): string } };

// Its ES module needs a named export of ethers, which is left out of the installation; its CommonJS build does not.
const { buildPoseidon } = createRequire(import.meta.url)("circomlibjs") as {
  buildPoseidon(): Promise<Poseidon>;
};

/** circomlibjs' Poseidon: an implementation that the product does not use, to check circuits against. */
export type Hash = (inputs: readonly bigint[]) => bigint;

export async function referencePoseidon(): Promise<Hash> {
  const poseidon = await buildPoseidon();
  return (inputs) => BigInt(poseidon.F.toString(poseidon([...inputs])));
}

/** A 4-ary Poseidon tree that keeps only what its given leaves touch; absent leaves are 0. */
export class SparseTree {
  readonly depth: number;
  readonly #levels: Map<number, bigint>[];
  readonly #empty: bigint[];

  constructor(hash: Hash, depth: number, leaves: ReadonlyMap<number, bigint>) {
    this.depth = depth;
    this.#levels = [new Map(leaves)];
    this.#empty = [0n];
    for (let level = 0; level < depth; level++) {
      const empty = this.#empty[level]!;
      this.#empty.push(hash([empty, empty, empty, empty]));
      const parents = new Set([...this.#levels[level]!.keys()].map((index) => Math.floor(index / 4)));
      this.#levels.push(new Map());
      for (const parent of parents) this.#levels[level + 1]!.set(parent, hash(this.#children(level, parent)));
    }
  }

  get root(): bigint {
    return this.#levels[this.depth]!.get(0) ?? this.#empty[this.depth]!;
  }

  /** The four children of each node on the path, from the leaf's parent up. */
  path(index: number): bigint[][] {
    return Array.from({ length: this.depth }, (_, level) =>
      this.#children(level, Math.floor(index / 4 ** (level + 1))),
    );
  }

  #children(level: number, parent: number): bigint[] {
    const children = this.#levels[level]!;
    return [0, 1, 2, 3].map((child) => children.get(4 * parent + child) ?? this.#empty[level]!);
  }
}
