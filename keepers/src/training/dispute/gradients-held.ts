import { type TensorTree, tensorTree } from "../../core/exact/commitment.ts";
import { type LeafGeometry, leafGeometry } from "../../core/exact/packing.ts";
import { type Program, spaces, type Tensor } from "../../core/exact/tape/types.ts";
import { depthOf } from "../../core/merkle/binary-tree.ts";
import { hashBytes } from "../../core/merkle/keccak.ts";
import { storeNode } from "../trace/trace-step.ts";
import type { Asked } from "./asked.ts";
import { RunEvidenceError } from "./errors.ts";
import { lazyList } from "./lazy-list.ts";
import { anyRange } from "./step-list.ts";

/**
 * Micro-batches of which leaves are held: with more of them no range of theirs opens at once, which takes 38 bytes of each
 * gradient (`openedAtOnce`), and narrower sums are asked for first.
 */
export const mostOpened = 64 * 256;

/**
 * One element of the gradient of each of some micro-batches, and the leaf that it stands in: what is read and opened of the
 * operands of an ACCUMULATE. Held in a few flat buffers: 8 bytes of a micro-batch, and where they may be opened up to 2 KiB.
 */
export class GradientsHeld {
  readonly wanted: readonly number[];
  readonly #asked: Extract<Asked, { kind: "gradients" }>;
  readonly #store: number;
  readonly #geometry: LeafGeometry;
  readonly #layout: Tensor["layout"];
  readonly #leaf: number;
  readonly #depth: number;
  readonly #exponents: Int32Array;
  /** The element, by micro-batch. */
  readonly #values: Float64Array;
  /** Leaf, siblings and root, by micro-batch; undefined where none of them is opened. */
  readonly #opened: Uint8Array | undefined;

  constructor({ tapes }: Program, asked: Extract<Asked, { kind: "gradients" }>) {
    const { slot, element, from, to } = asked;
    this.#asked = asked;
    this.#store = storeNode(tapes[0], spaces.microBatchGradient, slot);
    this.#layout = tapes[0][this.#store]!.output;
    this.#geometry = leafGeometry(this.#layout);
    this.#leaf = this.#geometry.locate(element).leaf;
    this.#depth = depthOf(this.#geometry.leaves);
    const count = to - from;
    this.wanted = lazyList(count, (i) => from + i);
    this.#exponents = new Int32Array(count);
    this.#values = new Float64Array(count);
    this.#opened = count > mostOpened ? undefined : new Uint8Array(count * this.#stride);
  }

  take(tensors: readonly Tensor[], microBatch: number): void {
    const { from, to, element } = this.#asked;
    if (microBatch < from || microBatch >= to) return;
    const { layout, mantissas, exponent } = tensors[this.#store]!;
    const at = microBatch - from;
    this.#exponents[at] = exponent;
    this.#values[at] = mantissas[element]!;
    if (this.#opened === undefined) return;
    const tree = tensorTree({ layout, mantissas, range: anyRange });
    const parts = [tree.leaf(this.#leaf), ...tree.proof(this.#leaf), tree.root];
    let start = at * this.#stride;
    for (const part of parts) {
      this.#opened.set(part, start);
      start += part.length;
    }
  }

  tensor(microBatch: number, node: number): Tensor | undefined {
    const { from, to, element } = this.#asked;
    if (node !== this.#store || microBatch < from || microBatch >= to) return undefined;
    const value = this.#values[microBatch - from]!;
    const mantissas = lazyList(this.#geometry.elements, (index) => {
      if (index === element) return value;
      throw new RunEvidenceError(
        `Element ${index} of a gradient is not at hand: the round is about element ${element}.`,
      );
    });
    const exponent = this.#exponents[microBatch - from]!;
    // Read like any other mantissas, by index; packed they are never.
    return { layout: this.#layout, exponent, mantissas: mantissas as unknown as Tensor["mantissas"] };
  }

  tree(microBatch: number, node: number): TensorTree | undefined {
    const { from, to } = this.#asked;
    const opened = this.#opened;
    if (opened === undefined || node !== this.#store || microBatch < from || microBatch >= to)
      return undefined;
    const start = (microBatch - from) * this.#stride;
    const hashesAt = start + this.#leafBytes;
    const hash = (level: number) =>
      opened.slice(hashesAt + level * hashBytes, hashesAt + (level + 1) * hashBytes);
    const only = (leaf: number) => {
      if (leaf === this.#leaf) return;
      throw new RunEvidenceError(
        `Leaf ${leaf} of a gradient is not at hand: the round is about another one.`,
      );
    };
    return {
      geometry: this.#geometry,
      root: hash(this.#depth),
      leaf: (leaf) => {
        only(leaf);
        return opened.slice(start, hashesAt);
      },
      proof: (leaf) => {
        only(leaf);
        return Array.from({ length: this.#depth }, (_, level) => hash(level));
      },
    };
  }

  get #leafBytes(): number {
    return this.#geometry.leafBytes(this.#leaf);
  }

  /** Bytes of a micro-batch. */
  get #stride(): number {
    return this.#leafBytes + (this.#depth + 1) * hashBytes;
  }
}
