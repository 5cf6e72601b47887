import { bytesToHex, concatHex, type Hex, numberToHex } from "viem";
import type { TensorTree } from "../../core/exact/commitment.ts";
import type { LeafGeometry } from "../../core/exact/packing.ts";
import { depthOf } from "../../core/merkle/binary-tree.ts";
import { hashBytes } from "../../core/merkle/keccak.ts";

/** Spans of adjacent leaves: the first and how many. */
export type Span = { readonly first: number; readonly count: number };

/** int32 exponent and u8 number of spans; of a span u32 first leaf and u16 number of leaves. */
const headBytes = 5;
const spanBytes = 6;

/** The spans that hold these leaves and no others. */
export function spansOf(leaves: Iterable<number>): Span[] {
  const spans: { first: number; count: number }[] = [];
  for (const leaf of [...new Set(leaves)].sort((a, b) => a - b)) {
    const last = spans.at(-1);
    if (last !== undefined && last.first + last.count === leaf) last.count++;
    else spans.push({ first: leaf, count: 1 });
  }
  return spans;
}

/** Where the siblings stand that lead from adjacent leaves to the root: on every level the left one, then the right one. */
function siblingPlaces({ first, count }: Span, depth: number): { level: number; isLeft: boolean }[] {
  const end = first + count - 1;
  return Array.from({ length: depth }, (_, level) => [
    ...(Math.floor(first / 2 ** level) % 2 === 1 ? [{ level, isLeft: true }] : []),
    ...(Math.floor(end / 2 ** level) % 2 === 0 ? [{ level, isLeft: false }] : []),
  ]).flat();
}

function siblingsOf(tree: TensorTree, span: Span): Hex[] {
  const left = tree.proof(span.first);
  const right = tree.proof(span.first + span.count - 1);
  return siblingPlaces(span, left.length).map(({ level, isLeft }) =>
    bytesToHex((isLeft ? left : right)[level]!),
  );
}

/** Bytes of an opening, known without one: whether it has any form that can be encoded does not matter. */
export function openingSize(geometry: LeafGeometry, spans: readonly Span[]): number {
  if (spans.length === 0) return headBytes + hashBytes;
  const depth = depthOf(geometry.leaves);
  return spans.reduce((total, span) => {
    const end = span.first + span.count - 1;
    const leaves = geometry.leafStart(end) + geometry.leafBytes(end) - geometry.leafStart(span.first);
    return total + spanBytes + leaves + hashBytes * siblingPlaces(span, depth).length;
  }, headBytes);
}

/**
 * The opening of some leaves of a tensor, as `contracts/disputes/TensorLeaves.sol` reads it: int32 exponent, u8 number of
 * spans, and each span with its leaves and siblings; without spans, the data root.
 *
 * @param spans at most 255, of at most 65,535 leaves each
 */
export function openTensor(tree: TensorTree, exponent: number, spans: readonly Span[]): Hex {
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
