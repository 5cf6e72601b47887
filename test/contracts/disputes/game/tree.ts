import { concatHex, type Hex, keccak256 } from "viem";

const zero: Hex = `0x${"00".repeat(32)}`;
const parent = (left: Hex, right: Hex): Hex => keccak256(concatHex(["0x01", left, right]));

const absentRoots: Hex[] = [zero];
function absent(level: number): Hex {
  while (absentRoots.length <= level) absentRoots.push(parent(absentRoots.at(-1)!, absentRoots.at(-1)!));
  return absentRoots[level]!;
}

/** Levels between the nodes that are posted in one round: at most seven, as even as they can be; all for few leaves. */
export function levelsDown(level: number, leaves: number): number {
  if (leaves <= 192) return level;
  const rounds = Math.ceil(level / 7);
  return rounds === 0 ? 0 : Math.ceil(level / rounds);
}

/** A tree with all of its levels, to post nodes from and to name them. */
export class Tree {
  readonly depth: number;
  readonly #levels: Hex[][];

  constructor(leaves: readonly Hex[]) {
    this.#levels = [[...leaves]];
    while (this.#levels.at(-1)!.length > 1) {
      const level = this.#levels.length - 1;
      const nodes = this.#levels[level]!;
      this.#levels.push(
        Array.from({ length: Math.ceil(nodes.length / 2) }, (_, i) =>
          parent(nodes[2 * i]!, nodes[2 * i + 1] ?? absent(level)),
        ),
      );
    }
    this.depth = this.#levels.length - 1;
  }

  get root(): Hex {
    return this.#levels[this.depth]![0]!;
  }

  get leaves(): readonly Hex[] {
    return this.#levels[0]!;
  }

  node(level: number, index: number): Hex {
    return this.#levels[level]![index] ?? absent(level);
  }

  /** Nodes that are posted below node `index` of `level`. */
  below(level: number, index: number): Hex[] {
    const down = levelsDown(level, this.leaves.length);
    return this.#levels[level - down]!.slice(index << down, (index + 1) << down);
  }

  /** Siblings of a node from its level up to `top`. */
  proof(index: number, level = 0, top = this.depth): Hex[] {
    return Array.from({ length: top - level }, (_, i) =>
      this.node(level + i, Math.floor(index / 2 ** i) ^ 1),
    );
  }
}
