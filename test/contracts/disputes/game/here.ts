/** The node that a round is about, and evidence on its elements. */
import { concatHex, type Hex, toHex } from "viem";
import { elementOf, partialSum, termsOf } from "../../../../keepers/src/core/exact/ops/evaluate.ts";
import { readerOf } from "../../../../keepers/src/core/exact/ops/tensor.ts";
import type { OperationContext, TensorReader } from "../../../../keepers/src/core/exact/ops/types.ts";
import { spaces, type TapeNode, type Tensor } from "../../../../keepers/src/core/exact/tape/types.ts";
import { storeNode } from "../../../../keepers/src/training/trace/trace-step.ts";
import { type Evidence, emptyEvidence, type Round } from "./moves.ts";
import type { Job, Story } from "./story.ts";

/** A reader that notes which elements were asked for. */
class Noting implements TensorReader {
  readonly layout: Tensor["layout"];
  readonly exponent: number;
  readonly elements = new Set<number>();
  readonly #reader: TensorReader;
  constructor(tensor: Tensor) {
    this.layout = tensor.layout;
    this.exponent = tensor.exponent;
    this.#reader = readerOf(tensor);
  }
  readonly at = (index: number): number => {
    this.elements.add(index);
    return this.#reader.at(index);
  };
}

/** What the round says about its node. */
export class Here {
  readonly job: Job;
  readonly step: number;
  readonly number: number;
  readonly place: Job["places"][number];
  readonly node: TapeNode;

  constructor(job: Job, round: Round) {
    this.job = job;
    this.step = Number(round.position.firstStep);
    this.number = Number(round.position.place);
    this.place = job.places[this.number]!;
    this.node = job.program.tapes[this.place.tape][this.place.node]!;
  }

  get descriptor(): Hex {
    return this.job.descriptor(this.place.tape, this.place.node);
  }

  get descriptorProof(): Hex[] {
    return this.job.descriptorProof(this.place.tape, this.place.node);
  }

  context(story: Story): OperationContext {
    return this.job.contextOf(this.step, this.place, story.states[this.step]!, story.tensors(this.step));
  }

  inputs(story: Story): Tensor[] {
    return this.job.inputsOf(this.place).map((input) => story.tensors(this.step)[input]!);
  }

  terms(story: Story): number {
    const terms = termsOf(this.context(story), this.node, this.inputs(story).map(readerOf));
    return this.node.opcode === "ACCUMULATE" ? this.job.order.microBatches : terms;
  }

  sum(story: Story, out: number, from: number, to: number): bigint {
    return partialSum(this.context(story), this.node, this.inputs(story).map(readerOf), out, 0, from, to);
  }

  /** Evidence on one element: of all its products, of a range of them, or of what is not summed. */
  evidence(
    story: Story,
    out: number,
    more: { leaf?: number; range?: { from: number; to: number } } = {},
  ): Evidence {
    const { job, step, node, place } = this;
    const inputs = this.inputs(story).map((tensor) => new Noting(tensor));
    const context = this.context(story);
    const stored =
      node.opcode === "ACCUMULATE"
        ? storeNode(job.program.tapes[0], spaces.microBatchGradient, node.attributes.slot)
        : undefined;
    const { range } = more;
    if (range === undefined) elementOf(context, node, inputs, out);
    else if (range.from < range.to) partialSum(context, node, inputs, out, 0, range.from, range.to);
    else this.#noteRest(inputs, out);
    let places = job.inputsOf(place);
    let elements = inputs.map((input) => input.elements);
    if (stored !== undefined) {
      const { from, to } = range ?? { from: 0, to: job.order.microBatches };
      places = Array.from({ length: to - from }, (_, i) => job.placeOf(0, stored, from + i));
      elements = places.map(() => new Set([out]));
    }
    const { tree } = story.list(step);
    return {
      ...emptyEvidence,
      descriptor: this.descriptor,
      out: BigInt(out),
      ...(more.leaf !== undefined && {
        leaf: toHex(story.committed(step, this.number).tree.leaf(more.leaf)),
      }),
      operands: concatHex(places.map((input, i) => story.committed(step, input).open(elements[i]!))),
      proofs: places.map((input) => tree.proof(input)),
      ...(stored !== undefined && {
        store: job.descriptor(0, stored),
        storeProof: job.descriptorProof(0, stored),
      }),
      ...((node.opcode === "SGD_WEIGHT" || node.opcode === "INPUT") && { order: job.encodedOrder }),
    };
  }

  /** Bias and gate: what an element needs besides its sum. */
  #noteRest(inputs: readonly Noting[], out: number): void {
    const { node } = this;
    if (!("flags" in node.attributes)) return;
    let next = node.opcode === "AVERAGE_POOL_GRAD" ? 1 : 2;
    if (node.attributes.flags & 1) inputs[next++]!.at(out % node.output.shape.at(-1)!);
    if (node.attributes.flags & 2) inputs[next]!.at(out);
  }

  objectEvidence(out: number) {
    const { job, node, step, place } = this;
    if (node.opcode !== "INPUT") throw new TypeError("only an INPUT reads objects");
    const perRow = node.output.shape.slice(1).reduce((a, b) => a * b, 1);
    const width = [1, 1, 2, 4][node.attributes.encoding]!;
    const offset = node.attributes.offset + (out % perRow) * width;
    const index = job.objectAt(step, place.microBatch, Math.floor(out / perRow));
    const object = job.objects[index]!;
    const tree = job.chunkTree(object);
    const first = Math.floor(offset / 1024);
    const last = Math.floor((offset + width - 1) / 1024);
    const wanted = Array.from({ length: last - first + 1 }, (_, i) => first + i);
    return {
      raw: toHex(object.subarray(offset, offset + width)),
      chunks: wanted.map((chunk) => job.chunksOf(object)[chunk]!),
      chunkProofs: wanted.map((chunk) => tree.proof(chunk)),
      objectProof: job.objectTree.proof(index),
    };
  }
}
