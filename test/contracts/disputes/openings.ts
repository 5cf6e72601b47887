/** What a party brings to a dispute: descriptors, and openings of committed tensors, encoded for calldata. */
import { concatHex, type Hex, hexToBytes, numberToHex, toHex } from "viem";
import { type TensorTree, tensorCommitment, tensorTree } from "../../../keepers/src/core/exact/commitment.ts";
import { log2Exact } from "../../../keepers/src/core/exact/format.ts";
import { attributeList } from "../../../keepers/src/core/exact/tape/descriptor.ts";
import {
  dtypes,
  type Layout,
  type MantissaBits,
  opcodes,
  type TapeNode,
  type Tensor,
} from "../../../keepers/src/core/exact/tape/types.ts";

const word = (value: number, size: number): Hex => numberToHex(value, { size, signed: value < 0 });

function layoutBytes({ dtype, shape, rowAxes }: Layout): Hex {
  const head = [dtypes[dtype], shape.length, rowAxes].map((value) => word(value, 1));
  return concatHex([...head, ...shape.map((size) => word(size, 4))]);
}

export type DescriptorParameters = {
  tape?: number;
  index?: number;
  bits: MantissaBits;
  microBatch: number;
  node: TapeNode;
  /** Layouts of the node's inputs. */
  layouts: readonly Layout[];
};

/** Descriptor of a node by itself: docs/exact-ops.md, section 4. */
export function descriptorBytes(parameters: DescriptorParameters): Hex {
  const { tape = 0, index = 9, bits, microBatch, node, layouts } = parameters;
  const attributes = attributeList(node);
  return concatHex([
    word(tape, 1),
    word(index, 4),
    word(opcodes[node.opcode], 1),
    word(bits, 1),
    word(log2Exact(microBatch)!, 1),
    layoutBytes(node.output),
    word(layouts.length, 1),
    ...layouts.flatMap((layout, i) => [word(node.inputs[i]!, 4), layoutBytes(layout)]),
    word(attributes.length, 1),
    ...attributes.map((value) => word(value, 4)),
  ]);
}

/** Mantissas of any value: what nobody honest would commit to must be openable too. */
const anyRange = { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY };

/** A tensor with the tree that opens it. */
export class CommittedTensor {
  readonly tensor: Tensor;
  readonly tree: TensorTree;

  constructor(tensor: Tensor) {
    this.tensor = tensor;
    this.tree = tensorTree({ layout: tensor.layout, mantissas: tensor.mantissas, range: anyRange });
  }

  get commitment(): Hex {
    return toHex(tensorCommitment(this.tree.root, this.tensor.exponent));
  }

  /** The opening of those leaves that hold the given elements: adjacent ones share a span. */
  open(elements: Iterable<number>): Hex {
    const { geometry } = this.tree;
    const leaves = [...new Set(Array.from(elements, (element) => geometry.locate(element).leaf))];
    leaves.sort((a, b) => a - b);
    const spans: [first: number, count: number][] = [];
    for (const leaf of leaves) {
      const last = spans.at(-1);
      if (last !== undefined && last[0] + last[1] === leaf) last[1]++;
      else spans.push([leaf, 1]);
    }
    return concatHex([
      toHex(this.tree.root),
      word(this.tensor.exponent, 4),
      word(spans.length, 1),
      ...spans.map(([first, count]) => this.#span(first, count)),
    ]);
  }

  #span(first: number, count: number): Hex {
    const leaves = Array.from({ length: count }, (_, i) => toHex(this.tree.leaf(first + i)));
    const left = this.tree.proof(first);
    const right = this.tree.proof(first + count - 1);
    const siblings = left.flatMap((node, level) => [
      ...(Math.floor(first / 2 ** level) % 2 === 1 ? [toHex(node)] : []),
      ...(Math.floor((first + count - 1) / 2 ** level) % 2 === 0 ? [toHex(right[level]!)] : []),
    ]);
    return concatHex([word(first, 4), word(count, 2), ...leaves, ...siblings]);
  }
}

/** The same bytes but one. */
export function flipByte(bytes: Hex, at: number): Hex {
  const copy = hexToBytes(bytes);
  copy[at]! ^= 1;
  return toHex(copy);
}
