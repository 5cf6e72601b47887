import { bytesToHex, type Hex } from "viem";
import { encodingWidths } from "../../core/exact/ops/input.ts";
import { elementsOf } from "../../core/exact/packing.ts";
import type { TapeNode } from "../../core/exact/tape/types.ts";
import { absentRoot, depthOf, joinRoots, RootBuilder } from "../../core/merkle/binary-tree.ts";
import { chunkBytes, objectHash, objectTree } from "../../core/merkle/object-hash.ts";
import type { ObjectSource } from "../data/types.ts";

/** The bytes of an object that an element of an INPUT is made of, below the order's object root (`ObjectEvidence`). */
export type ObjectEvidence = {
  readonly raw: Hex;
  readonly chunks: readonly Hex[];
  readonly chunkProofs: readonly (readonly Hex[])[];
  readonly objectProof: readonly Hex[];
};

/** Bytes of objects that are read at a time. */
const readBytes = 2 ** 20;

/** Which bytes an element reads: the row of the micro-batch, the first byte in its object, how many. */
export function rawPlace(
  node: TapeNode<"INPUT">,
  out: number,
): { readonly row: number; readonly offset: number; readonly width: number } {
  const { offset, encoding } = node.attributes;
  const perRow = elementsOf(node.output.shape.slice(1));
  const width = encodingWidths[encoding]!;
  return { row: Math.floor(out / perRow), offset: offset + (out % perRow) * width, width };
}

/** Opens `width` bytes of object `index` at `offset`; reads the whole dataset once, and holds little of it. */
export async function openObject(
  source: ObjectSource,
  index: number,
  { offset, width }: { readonly offset: number; readonly width: number },
): Promise<ObjectEvidence> {
  const object = await source.read([index]);
  const tree = objectTree(object);
  const first = Math.floor(offset / chunkBytes);
  const last = Math.floor((offset + width - 1) / chunkBytes);
  const wanted = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  return {
    raw: bytesToHex(object.subarray(offset, offset + width)),
    chunks: wanted.map((chunk) => bytesToHex(object.subarray(chunk * chunkBytes, (chunk + 1) * chunkBytes))),
    chunkProofs: wanted.map((chunk) => tree.proof(chunk).map((hash) => bytesToHex(hash))),
    objectProof: await objectSiblings(source, index),
  };
}

/** Siblings of an object's hash: on each level the root over the objects beside it. */
async function objectSiblings(source: ObjectSource, index: number): Promise<Hex[]> {
  const siblings: Hex[] = [];
  for (let level = 0; level < depthOf(source.count); level++) {
    const first = (Math.floor(index / 2 ** level) ^ 1) * 2 ** level;
    siblings.push(bytesToHex(await rootOver(source, first, level)));
  }
  return siblings;
}

/** Root of a tree of depth `level` over the objects from `first` that exist. */
async function rootOver(source: ObjectSource, first: number, level: number): Promise<Uint8Array> {
  const end = Math.min(first + 2 ** level, source.count);
  if (first >= end) return absentRoot(level);
  const builder = new RootBuilder();
  const atOnce = Math.max(1, Math.floor(readBytes / source.objectBytes));
  for (let from = first; from < end; from += atOnce) {
    const count = Math.min(atOnce, end - from);
    const objects = await source.read(Array.from({ length: count }, (_, i) => from + i));
    for (let i = 0; i < count; i++) {
      builder.push(objectHash(objects.subarray(i * source.objectBytes, (i + 1) * source.objectBytes)));
    }
  }
  const depth = depthOf(end - first);
  return joinRoots(builder.root(), depth, level - depth);
}
