import { bytesToHex } from "viem";
import { type TensorTree, tensorTree } from "../../core/exact/commitment.ts";
import { readerOf } from "../../core/exact/ops/tensor.ts";
import type { OperationContext } from "../../core/exact/ops/types.ts";
import type { TrainingOrder } from "../../core/exact/order.ts";
import { learningRateAt } from "../../core/exact/schedule.ts";
import { type Program, spaces, type TapeNode, type Tensor } from "../../core/exact/tape/types.ts";
import type { BinaryTree } from "../../core/merkle/binary-tree.ts";
import { nodeAt, type Place, placeAt } from "../trace/place.ts";
import { storeNode } from "../trace/trace-step.ts";
import { lazyList } from "./lazy-list.ts";
import { leafOf, treeOf } from "./nodes.ts";
import { anyRange, StepList } from "./step-list.ts";

/** Trees over tensors that are kept: the operands of one node. */
export const treesKept = 8;

export type ComputedStepParameters = {
  readonly program: Program;
  readonly order: TrainingOrder;
  /** Counted from 0 over the whole run. */
  readonly step: number;
  /** All tensors of the step, in the order of `placesOf`. Of those that are not at hand, reading the mantissas throws. */
  readonly tensors: readonly Tensor[];
  /** The list of the step, where it is known; made of the tensors otherwise. */
  readonly list?: StepList | undefined;
  /** Leaves of a tensor whose mantissas are not at hand, as far as they are. */
  readonly trees?: ((number: number) => TensorTree | undefined) | undefined;
};

/** What somebody says that one step computed: its tensors, and the commitments and trees over them. */
export class ComputedStep {
  readonly program: Program;
  readonly order: TrainingOrder;
  readonly step: number;
  readonly tensors: readonly Tensor[];
  readonly places: readonly Place[];
  #list: StepList | undefined;
  readonly #given: ComputedStepParameters["trees"];
  readonly #trees = new Map<number, TensorTree>();

  constructor({ program, order, step, tensors, list, trees }: ComputedStepParameters) {
    this.program = program;
    this.order = order;
    this.step = step;
    this.tensors = tensors;
    this.#list = list;
    this.#given = trees;
    this.places = lazyList(tensors.length, (number) => placeAt(program, order.microBatches, number));
  }

  /** The same step with other tensors at some places. */
  with(changed: ReadonlyMap<number, Tensor>): ComputedStep {
    const { program, order, step, tensors } = this;
    return new ComputedStep({
      ...{ program, order, step },
      tensors: lazyList(tensors.length, (number) => changed.get(number) ?? tensors[number]!),
      list: this.#list?.with(changed),
      trees: (number) => (changed.has(number) ? undefined : this.#given?.(number)),
    });
  }

  /** The list of the step: commitments of all tensors, and the tree over them. */
  get list(): Pick<StepList, "commitments" | "tree"> {
    this.#list ??= StepList.of(this.tensors);
    return this.#list;
  }

  /** Leaves of one tensor. */
  tree(number: number): TensorTree {
    let tree = this.#given?.(number) ?? this.#trees.get(number);
    if (tree === undefined) {
      const { layout, mantissas } = this.tensors[number]!;
      tree = tensorTree({ layout, mantissas, range: anyRange });
      const [oldest] = this.#trees.keys();
      if (this.#trees.size >= treesKept) this.#trees.delete(oldest!);
      this.#trees.set(number, tree);
    }
    return tree;
  }

  /** Tree over the leaves of one tensor, with its nodes. */
  data(number: number): BinaryTree {
    const tree = this.tree(number);
    const { leaves } = tree.geometry;
    return treeOf(Array.from({ length: leaves }, (_, leaf) => leafOf(bytesToHex(tree.leaf(leaf)))));
  }

  node(number: number): TapeNode {
    return nodeAt(this.program, this.places[number]!);
  }

  /** Number of a node's tensor in the list. */
  numberOf(tape: number, node: number, microBatch = 0): number {
    return placeNumber(this.program, this.order.microBatches, { tape, node, microBatch });
  }

  /** Numbers of the tensors that a node reads: its inputs, of an ACCUMULATE the gradients of the micro-batches. */
  operands(number: number): number[] {
    const { tape, microBatch } = this.places[number]!;
    const node = this.node(number);
    if (node.opcode === "ACCUMULATE") {
      const store = storeNode(this.program.tapes[0], spaces.microBatchGradient, node.attributes.slot);
      return Array.from({ length: this.order.microBatches }, (_, j) => this.numberOf(0, store, j));
    }
    return node.inputs.map((input) => this.numberOf(tape, input, microBatch));
  }

  /** What a node reads besides its inputs; objects and slots aside, of which no element is computed here. */
  get context(): OperationContext {
    const { program, order } = this;
    return {
      bits: program.bits,
      microBatch: program.microBatch,
      gradients: (slot) => {
        const store = storeNode(program.tapes[0], spaces.microBatchGradient, slot);
        return lazyList(order.microBatches, (j) => readerOf(this.tensors[this.numberOf(0, store, j)]!));
      },
      learningRate: learningRateAt(order.schedule, this.step),
    };
  }
}

/** Number of a tensor in the list of its step: tape 0 for each micro-batch, tape 1, tape 2. */
export function placeNumber(
  { tapes }: Program,
  microBatches: number,
  { tape, node, microBatch }: { tape: number; node: number; microBatch: number },
): number {
  if (tape === 0) return microBatch * tapes[0].length + node;
  const first = microBatches * tapes[0].length;
  return tape === 1 ? first + node : first + tapes[1].length + node;
}
