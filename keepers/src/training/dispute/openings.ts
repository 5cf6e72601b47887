import { bytesToHex, concatHex, type Hex, numberToHex } from "viem";
import type { TensorTree } from "../../core/exact/commitment.ts";

/** Spans of adjacent leaves: the first and how many. */
type Span = { readonly first: number; count: number };

function spansOf(leaves: Iterable<number>): Span[] {
  const spans: Span[] = [];
  for (const leaf of [...new Set(leaves)].sort((a, b) => a - b)) {
    const last = spans.at(-1);
    if (last !== undefined && last.first + last.count === leaf) last.count++;
    else spans.push({ first: leaf, count: 1 });
  }
  return spans;
}

/** Siblings that lead from adjacent leaves to the root: on every level the left one, then the right one. */
function siblingsOf(tree: TensorTree, { first, count }: Span): Hex[] {
  const end = first + count - 1;
  const left = tree.proof(first);
  const right = tree.proof(end);
  return left.flatMap((node, level) => [
    ...(Math.floor(first / 2 ** level) % 2 === 1 ? [bytesToHex(node)] : []),
    ...(Math.floor(end / 2 ** level) % 2 === 0 ? [bytesToHex(right[level]!)] : []),
  ]);
}

/**
 * The opening of those leaves of a tensor that hold the given elements, as `contracts/disputes/TensorLeaves.sol` reads it:
 * int32 exponent, u8 number of spans, and each span with its leaves and siblings; without spans, the data root.
 */
export function openTensor(tree: TensorTree, exponent: number, elements: Iterable<number>): Hex {
  const leaves = new Set<number>();
  for (const element of elements) leaves.add(tree.geometry.locate(element).leaf);
  const spans = spansOf(leaves);
  const head = [numberToHex(exponent, { size: 4, signed: true }), numberToHex(spans.length, { size: 1 })];
  if (spans.length === 0) return concatHex([...head, bytesToHex(tree.root)]);
  const parts = spans.flatMap((span) => [
    numberToHex(span.first, { size: 4 }),
    numberToHex(span.count, { size: 2 }),
    ...Array.from({ length: span.count }, (_, i) => bytesToHex(tree.leaf(span.first + i))),
    ...siblingsOf(tree, span),
  ]);
  return concatHex([...head, ...parts]);
}
