import { bytesToHex, type Hex } from "viem";
import { commitTensor } from "../../core/exact/commitment.ts";
import type { Tensor } from "../../core/exact/tape/types.ts";
import { BinaryTree } from "../../core/merkle/binary-tree.ts";
import { hashBytes } from "../../core/merkle/keccak.ts";
import { lazyList } from "./lazy-list.ts";

/** Mantissas of any value: what nobody honest would commit to must be openable too. */
export const anyRange = { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY };

/** The list of a step: commitments of all its tensors, and the tree over them. 64 bytes of a tensor are kept, outside the heap. */
export class StepList {
  readonly commitments: readonly Hex[];
  readonly tree: BinaryTree;
  readonly #bytes: Uint8Array;

  /** @param bytes the commitments one after another, 32 bytes each; not to be changed afterwards */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.tree = new BinaryTree(bytes);
    this.commitments = lazyList(bytes.length / hashBytes, (number) =>
      bytesToHex(bytes.subarray(number * hashBytes, (number + 1) * hashBytes)),
    );
  }

  static of(tensors: readonly Tensor[]): StepList {
    const bytes = new Uint8Array(tensors.length * hashBytes);
    tensors.forEach((tensor, number) => {
      bytes.set(commitTensor(tensor, anyRange), number * hashBytes);
    });
    return new StepList(bytes);
  }

  /** The list with other tensors at some places. */
  with(changed: ReadonlyMap<number, Tensor>): StepList {
    const bytes = this.#bytes.slice();
    for (const [number, tensor] of changed) bytes.set(commitTensor(tensor, anyRange), number * hashBytes);
    return new StepList(bytes);
  }
}
