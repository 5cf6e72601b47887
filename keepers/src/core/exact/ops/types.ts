import type { Layout, MantissaBits, Opcode, TapeNode } from "../tape/types.ts";

/** What an operation sees of an operand: a whole tensor, or the few elements that opened leaves hold. */
export type TensorReader = {
  readonly layout: Layout;
  readonly exponent: number;
  /** Mantissa of an element, by its row-major index. */
  readonly at: (index: number) => number;
};

/** What nodes read besides their inputs. Parts that a node does not need may be left out. */
export type OperationContext = {
  readonly bits: MantissaBits;
  /** Samples of one micro-batch, a power of two. */
  readonly microBatch: number;
  /** Bytes of the object that stands at a row of the micro-batch (INPUT). */
  readonly object?: (row: number) => Uint8Array;
  /** The tensor of a slot of space 0 or 2 (LOAD). */
  readonly slot?: (space: number, slot: number) => TensorReader;
  /** A gradient slot of space 1 in each of the M micro-batches (ACCUMULATE). */
  readonly gradients?: (slot: number) => readonly TensorReader[];
  /** LR of the step, an unsigned 16-bit integer over 2^rL (SGD_WEIGHT). */
  readonly learningRate?: number;
};

/** The exact value of one output element before its finish: accumulator·2^exponent. */
export type Accumulator = { readonly accumulator: bigint; readonly exponent: number };

/** How accumulators become mantissas: `docs/exact-ops.md`, section 1. */
export type Finish =
  | { readonly kind: "requantize" }
  | { readonly kind: "fixed"; readonly exponent: number }
  | { readonly kind: "exact" };

/** A sum in its canonical order, which may be cut anywhere: section 6. */
export type PartialSums<O extends Opcode> = {
  /** Terms of the sum of one element. */
  terms(context: OperationContext, node: TapeNode<O>, inputs: readonly Layout[]): number;
  /**
   * Sum of the terms [from, to) of one output element, before bias, division, gate and relu.
   *
   * @param candidate position inside the block of a convolution with pool > 1, row-major; 0 elsewhere
   */
  partial(
    context: OperationContext,
    node: TapeNode<O>,
    inputs: readonly TensorReader[],
    index: number,
    candidate: number,
    from: number,
    to: number,
  ): bigint;
};

/** The definition of one opcode. */
export type Operation<O extends Opcode> = {
  element(
    context: OperationContext,
    node: TapeNode<O>,
    inputs: readonly TensorReader[],
    index: number,
  ): Accumulator;
  finish(node: TapeNode<O>): Finish;
  readonly sums?: PartialSums<O>;
};

export const requantized: Finish = { kind: "requantize" };
export const exact: Finish = { kind: "exact" };
