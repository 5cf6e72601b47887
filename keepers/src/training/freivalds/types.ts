import type { Opcode, Tensor } from "../../core/exact/tape/types.ts";

/** Sums of products of one contraction, row-major in the shape that `handedSums` names: whole numbers. */
export type SumArray = Int32Array | Float64Array;

/** What a provider hands over for one step: by micro-batch, then by contraction in the order of `handedSums`. */
export type Accumulators = readonly (readonly SumArray[])[];

/** What a provider claims of one step. */
export type StepClaim = {
  readonly accumulators: Accumulators;
  /** All committed tensors of tape 0, by micro-batch and node; compared where they are given. */
  readonly tensors?: readonly (readonly Tensor[])[];
  /** One array per slot. */
  readonly stateAfter: readonly Int32Array[];
};

/** A node of a program; `microBatch` where it is of tape 0. */
export type NodeName = {
  readonly tape: 0 | 1 | 2;
  readonly index: number;
  readonly opcode: Opcode;
  readonly microBatch?: number;
};

export type Verdict =
  | {
      readonly ok: true;
      /** A wrong step passes with probability at most 2^−errorBits, vectors drawn uniformly after the hand-over. */
      readonly errorBits: number;
      /** The tensor that the program marks as witness, of the last micro-batch. */
      readonly witness: Tensor;
    }
  | {
      readonly ok: false;
      /** The first node, by micro-batch and in the order of the tapes, of which a claim is wrong. */
      readonly node: NodeName;
      readonly reason: string;
    };
