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
    return commitmentBytes(toHex(this.tree.root), this.tensor.exponent);
  }

  /** The opening of those leaves that hold the given elements. */
  open(elements: Iterable<number>): Hex {
    const { geometry } = this.tree;
    const leaves = Array.from(elements, (element) => geometry.locate(element).leaf);
    return concatHex([
      word(this.tensor.exponent, 4),
      spansOf(
        toHex(this.tree.root),
        leaves,
        (leaf) => toHex(this.tree.leaf(leaf)),
        (leaf) => this.tree.proof(leaf).map((node) => toHex(node)),
      ),
    ]);
  }
}

/** keccak256(tag ‖ data root ‖ int256 exponent) */
export function commitmentBytes(root: Hex, exponent: number): Hex {
  return toHex(tensorCommitment(hexToBytes(root), exponent));
}

/** Number of spans, then the spans that open these leaves: adjacent ones share a span. The root where there are none. */
export function spansOf(
  root: Hex,
  wanted: Iterable<number>,
  leafOf: (leaf: number) => Hex,
  proofOf: (leaf: number) => Hex[],
): Hex {
  const spans: [first: number, count: number][] = [];
  for (const leaf of [...new Set(wanted)].sort((a, b) => a - b)) {
    const last = spans.at(-1);
    if (last !== undefined && last[0] + last[1] === leaf) last[1]++;
    else spans.push([leaf, 1]);
  }
  if (spans.length === 0) return concatHex([word(0, 1), root]);
  return concatHex([word(spans.length, 1), ...spans.map(([first, count]) => span(first, count))]);

  function span(first: number, count: number): Hex {
    const end = first + count - 1;
    const left = proofOf(first);
    const right = proofOf(end);
    const siblings = left.flatMap((node, level) => [
      ...(Math.floor(first / 2 ** level) % 2 === 1 ? [node] : []),
      ...(Math.floor(end / 2 ** level) % 2 === 0 ? [right[level]!] : []),
    ]);
    const leaves = Array.from({ length: count }, (_, i) => leafOf(first + i));
    return concatHex([word(first, 4), word(count, 2), ...leaves, ...siblings]);
  }
}

/** The same bytes but one. */
export function flipByte(bytes: Hex, at: number): Hex {
  const copy = hexToBytes(bytes);
  copy[at]! ^= 1;
  return toHex(copy);
}
