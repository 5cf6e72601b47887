import { DataRootHasher, tensorCommitment } from "../../core/exact/commitment.ts";
import type { Program, Tensor } from "../../core/exact/tape/types.ts";
import { hashBytes } from "../../core/merkle/keccak.ts";
import type { StepTensors } from "../trace/place.ts";
import { anyRange, StepList } from "./step-list.ts";

/** Writes the list of a step as its tensors come about: of each micro-batch's nothing else is needed. */
export class ListWriter {
  /** Of the tensors of tape 0, in the order of the list. */
  readonly exponents: Int32Array;
  readonly #bytes: Uint8Array;
  /** One for each node of tape 0: their buffers are used for every micro-batch. */
  readonly #hashers: readonly DataRootHasher[];

  constructor({ tapes: [tape, reduction, optimizer] }: Program, microBatches: number) {
    this.exponents = new Int32Array(microBatches * tape.length);
    const count = this.exponents.length + reduction.length + optimizer.length;
    this.#bytes = new Uint8Array(count * hashBytes);
    this.#hashers = tape.map(({ output }) => new DataRootHasher(output));
  }

  /** Commits to the tensors of tape 0 of a micro-batch. */
  add(tensors: readonly Tensor[], microBatch: number): void {
    const first = microBatch * this.#hashers.length;
    for (const [node, tensor] of tensors.entries()) {
      this.#write(first + node, tensor, this.#hashers[node]!);
      this.exponents[first + node] = tensor.exponent;
    }
  }

  /** The list, once every micro-batch was added. */
  end({ reduction, optimizer }: Pick<StepTensors, "reduction" | "optimizer">): StepList {
    for (const [i, tensor] of [...reduction, ...optimizer].entries()) {
      this.#write(this.exponents.length + i, tensor, new DataRootHasher(tensor.layout));
    }
    return new StepList(this.#bytes);
  }

  #write(number: number, { mantissas, exponent }: Tensor, hasher: DataRootHasher): void {
    this.#bytes.set(tensorCommitment(hasher.root(mantissas, anyRange), exponent), number * hashBytes);
  }
}
