import { decodeFunctionData, type Hex, hexToBytes } from "viem";
import { decodeOrder } from "../../core/exact/decode-order.ts";
import { rnd, saturatingShift } from "../../core/exact/format.ts";
import { elementOf, finishOf } from "../../core/exact/ops/evaluate.ts";
import type { TensorReader } from "../../core/exact/ops/types.ts";
import { leafGeometry, unpackLeaf } from "../../core/exact/packing.ts";
import { learningRateAt } from "../../core/exact/schedule.ts";
import { decodeDescriptor } from "../../core/exact/tape/descriptor.ts";
import { attributeNames, type Layout, type Opcode, type TapeNode } from "../../core/exact/tape/types.ts";
import { depthOf } from "../../core/merkle/binary-tree.ts";
import { moveAbi } from "./abi.ts";
import { stageOf } from "./moves.ts";

/** The one number on which a dispute was decided: mantissa · 2^exponent, as it was committed to and as it is. */
export type RuledElement = {
  readonly opcode: Opcode;
  readonly step: number;
  /** Row-major index of the element in its tensor. */
  readonly element: number;
  /** First element of its leaf, and how many the leaf has. */
  readonly leafFirst: number;
  readonly leafElements: number;
  readonly exponent: number;
  readonly claimed: bigint;
  readonly computed: bigint;
};

const hashBytes = 32;
/** What was claimed may be a mantissa that nobody honest commits to. */
const anyRange = { min: Number.NEGATIVE_INFINITY, max: Number.POSITIVE_INFINITY };

/**
 * Reads the move that rules on one element, and computes that element again from the operands that it opens: what the
 * contract did. Whether they were opened as they were committed to, the contract has checked.
 *
 * @param move the last argument of `DisputeGame.play`
 * @returns undefined for another move, or where the number is not computed from operands alone
 */
export function ruledElement(move: Hex): RuledElement | undefined {
  const { functionName, args } = decodeFunctionData({ abi: moveAbi, data: move });
  if (functionName !== "ruleElement") return undefined;
  const [round, evidence] = args;
  // On a leaf no element is claimed yet: what is ruled on there is the exponent of the whole tensor.
  if (stageOf(round) !== "Element") return undefined;
  const { position } = round;
  const { opcode, bits, log2MicroBatch, output, inputs, attributes } = decodeDescriptor(
    hexToBytes(evidence.descriptor),
  );
  if (opcode === "INPUT" || opcode === "LOAD" || opcode === "ACCUMULATE") return undefined;
  const node = {
    opcode,
    output,
    inputs: inputs.map((input) => input.node),
    attributes: Object.fromEntries(attributeNames[opcode].map((name, i) => [name, attributes[i]])),
  } as unknown as TapeNode;
  const element = Number(evidence.out);
  const step = Number(position.firstStep);
  const leaf = unpackLeaf(output, Number(position.index), hexToBytes(evidence.leaf), anyRange);
  const claimed = leaf.mantissas[element - leaf.first];
  if (claimed === undefined) return undefined;
  const learningRate =
    opcode === "SGD_WEIGHT" ? learningRateAt(decodeOrder(evidence.order).schedule, step) : undefined;
  const { accumulator, exponent } = elementOf(
    { bits, microBatch: 2 ** log2MicroBatch, learningRate },
    node,
    readersOf(
      inputs.map(({ layout }) => layout),
      hexToBytes(evidence.operands),
    ),
    element,
  );
  const finish = finishOf(node);
  const at = Number(position.exponent);
  const computed =
    finish.kind === "fixed"
      ? saturatingShift(accumulator, finish.exponent - exponent)
      : finish.kind === "exact"
        ? accumulator
        : rnd(accumulator, at - exponent);
  return {
    opcode,
    step,
    element,
    leafFirst: leaf.first,
    leafElements: leaf.mantissas.length,
    exponent: at,
    claimed: BigInt(claimed),
    computed,
  };
}

/** Operands as they were opened, one after another: see `openTensor`. */
function readersOf(layouts: readonly Layout[], bytes: Uint8Array): TensorReader[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let cursor = 0;
  return layouts.map((layout) => {
    const geometry = leafGeometry(layout);
    const exponent = view.getInt32(cursor);
    const spans = view.getUint8(cursor + 4);
    cursor += 5;
    if (spans === 0) cursor += hashBytes;
    const known = new Map<number, number>();
    for (let span = 0; span < spans; span++) {
      const first = view.getUint32(cursor);
      const count = view.getUint16(cursor + 4);
      cursor += 6;
      for (let leaf = first; leaf < first + count; leaf++) {
        const length = geometry.leafBytes(leaf);
        const unpacked = unpackLeaf(layout, leaf, bytes.subarray(cursor, cursor + length));
        unpacked.mantissas.forEach((mantissa, i) => {
          known.set(unpacked.first + i, mantissa);
        });
        cursor += length;
      }
      cursor += hashBytes * siblings(first, first + count - 1, depthOf(geometry.leaves));
    }
    return {
      layout,
      exponent,
      at: (index) => {
        const mantissa = known.get(index);
        if (mantissa === undefined) throw new RangeError(`element ${index} was not opened`);
        return mantissa;
      },
    };
  });
}

/** Siblings that lead from adjacent leaves to the root. */
function siblings(first: number, last: number, depth: number): number {
  let count = 0;
  for (let level = 0; level < depth; level++) {
    if (Math.floor(first / 2 ** level) % 2 === 1) count++;
    if (Math.floor(last / 2 ** level) % 2 === 0) count++;
  }
  return count;
}
