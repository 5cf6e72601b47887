import { evaluate, type OpenedCell } from "../groth16/inputs.ts";
import { cellElements } from "../merkle/cell.ts";
import type { QuaternaryTree } from "../merkle/quaternary-tree.ts";

/** What an audit's proof puts out: Σ x_{j,i} · rho^(16·j + i) over the challenged cells, 496 bytes each, in order. */
export function evaluateCells(cells: readonly Uint8Array[], rho: bigint): bigint {
  return evaluate(cells.flatMap(cellElements), rho);
}

/** Opens a challenged cell of a bundle: its elements and its path. */
export function openCell(cell: Uint8Array, index: number, possession: QuaternaryTree): OpenedCell {
  return { index, elements: cellElements(cell), children: possession.path(index) };
}

/** Opens a challenged cell of bundle `bundle` of a cover: the path goes on to the covering root. */
export function openCoveredCell(
  cell: Uint8Array,
  index: number,
  possession: QuaternaryTree,
  bundle: number,
  cover: QuaternaryTree,
): OpenedCell {
  const opened = openCell(cell, index, possession);
  const cellsPerBundle = 4 ** possession.depth;
  return {
    ...opened,
    index: bundle * cellsPerBundle + index,
    children: [...opened.children, ...cover.path(bundle)],
  };
}
