/** Tensors and trees of any size, of which only what is opened exists: the rest of a tree is arbitrary hashes. */
import { concatHex, type Hex, hexToBytes, keccak256, numberToHex, toHex } from "viem";
import { type LeafGeometry, leafGeometry } from "../../../keepers/src/core/exact/packing.ts";
import type { Layout } from "../../../keepers/src/core/exact/tape/types.ts";
import { depthOf } from "../../../keepers/src/core/merkle/binary-tree.ts";
import { commitmentBytes, spansOf } from "./openings.ts";

/** A tree in which the given leaf hashes stand at their places. */
export class SparseTree {
  readonly depth: number;
  readonly #known: ReadonlyMap<number, Hex>;
  readonly #salt: string;

  constructor(leaves: number, known: ReadonlyMap<number, Hex>, salt: string) {
    this.depth = depthOf(leaves);
    this.#known = known;
    this.#salt = salt;
  }

  node(level: number, index: number): Hex {
    const isEmpty = ![...this.#known.keys()].some((leaf) => Math.floor(leaf / 2 ** level) === index);
    if (isEmpty) return keccak256(toHex(`${this.#salt} ${level} ${index}`));
    if (level === 0) return this.#known.get(index)!;
    return keccak256(
      concatHex(["0x01", this.node(level - 1, 2 * index), this.node(level - 1, 2 * index + 1)]),
    );
  }

  get root(): Hex {
    return this.node(this.depth, 0);
  }

  /** Siblings of one leaf, from the leaf up. */
  proof(leaf: number): Hex[] {
    return Array.from({ length: this.depth }, (_, level) =>
      this.node(level, Math.floor(leaf / 2 ** level) ^ 1),
    );
  }
}

/** A tensor of dense mantissas that are made up when they are read. */
export class SparseTensor {
  readonly layout: Layout;
  readonly exponent: number;
  readonly #geometry: LeafGeometry;
  readonly #salt: string;
  readonly #leaves = new Map<number, Uint8Array>();

  /** @param bytesOf bytes of an element; random ones without a zero by default */
  constructor(layout: Layout, exponent: number, salt: string, bytesOf?: (element: number) => Uint8Array) {
    this.layout = layout;
    this.exponent = exponent;
    this.#geometry = leafGeometry(layout);
    this.#salt = salt;
    if (bytesOf) this.#bytesOf = bytesOf;
  }

  get leafCount(): number {
    return this.#geometry.leaves;
  }

  #bytesOf = (element: number): Uint8Array => {
    const random = hexToBytes(keccak256(toHex(`${this.#salt} ${element}`)));
    return random.map((byte) => byte % 255 || 1);
  };

  #leaf(index: number): Uint8Array {
    const known = this.#leaves.get(index);
    if (known) return known;
    const geometry = this.#geometry;
    const bytes = new Uint8Array(geometry.leafBytes(index));
    const { first, count } = geometry.leafElements(index);
    const width = this.width;
    for (let i = 0; i < count; i++) {
      bytes.set(this.#bytesOf(first + i).subarray(0, width), geometry.locate(first + i).offset);
    }
    this.#leaves.set(index, bytes);
    return bytes;
  }

  get width(): number {
    return { I8: 1, I16: 2, I32: 4, I64: 8, U8: 1, U32: 4 }[this.layout.dtype];
  }

  /** A mantissa; its leaf is among those that `open` opens. */
  at(element: number): number {
    const { leaf, offset } = this.#geometry.locate(element);
    const value = BigInt(toHex(this.#leaf(leaf).subarray(offset, offset + this.width)));
    return Number(this.layout.dtype.startsWith("U") ? value : BigInt.asIntN(8 * this.width, value));
  }

  /** Commitment, and the opening of all leaves that were read. */
  open(): { commitment: Hex; opening: Hex } {
    const hashes = new Map(
      [...this.#leaves].map(([index, bytes]) => [index, keccak256(concatHex(["0x00", toHex(bytes)]))]),
    );
    const tree = new SparseTree(this.leafCount, hashes, this.#salt);
    const spans = spansOf(
      tree.root,
      this.#leaves.keys(),
      (leaf) => toHex(this.#leaf(leaf)),
      (leaf) => tree.proof(leaf),
    );
    return {
      commitment: commitmentBytes(tree.root, this.exponent),
      opening: concatHex([numberToHex(this.exponent, { size: 4, signed: true }), spans]),
    };
  }
}
