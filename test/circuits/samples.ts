import { createHash } from "node:crypto";
import type { CircuitInput, OpeningParameters } from "../../keepers/src/core/groth16/inputs.ts";
import { packIndices } from "../../keepers/src/core/groth16/inputs.ts";
import type { Hash } from "./tree.ts";
import { SparseTree } from "./tree.ts";

/** Deterministic bytes as an integer below 2^(8·length). */
export function sampleNumber(label: string, length = 31): bigint {
  return BigInt(
    `0x${createHash("sha256")
      .update(label)
      .digest("hex")
      .slice(0, 2 * length)}`,
  );
}

/** Cells at `count` pseudo-random places of a tree of the given depth, which holds nothing else. */
export function sampleOpening(hash: Hash, depth: number, label: string, count = 16): OpeningParameters {
  const indices = Array.from({ length: count }, (_, j) =>
    Number(sampleNumber(`${label}/index/${j}`, 6) % BigInt(4 ** depth)),
  );
  const cells = new Map(
    indices.map((index) => [
      index,
      Array.from({ length: 16 }, (_, i) => sampleNumber(`${label}/cell/${index}/${i}`)),
    ]),
  );
  const leaves = new Map([...cells].map(([index, elements]) => [index, hash(elements)]));
  const tree = new SparseTree(hash, depth, leaves);
  return {
    root: tree.root,
    rho: sampleNumber(`${label}/rho`),
    cells: indices.map((index) => ({ index, elements: cells.get(index)!, children: tree.path(index) })),
  };
}

/** Inputs of the tiny circuit: two cells of a tree of depth 2. */
export function tinyInput(hash: Hash, label: string): CircuitInput {
  const { root, rho, cells } = sampleOpening(hash, 2, label, 2);
  return {
    root,
    indices: packIndices(
      cells.map(({ index }) => index),
      4,
      2,
    ),
    rho,
    cells: cells.map(({ elements }) => elements),
    children: cells.map(({ children }) => children),
  };
}
