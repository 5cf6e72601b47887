import { leafGeometry } from "../../core/exact/packing.ts";
import type { Program } from "../../core/exact/tape/types.ts";
import { nodeAt, placeAt } from "../trace/place.ts";
import { type Round, type StageName, stageOf } from "./moves.ts";

/** What a move reads of the micro-batches of its step, besides the commitments of all their tensors. */
export type Asked =
  | {
      /** All tensors of one micro-batch: a node of tape 0 reads nothing else. */
      readonly kind: "micro-batch";
      readonly microBatch: number;
    }
  | {
      /** One element of the gradient of each of some micro-batches, and the leaf that it stands in: an ACCUMULATE. */
      readonly kind: "gradients";
      readonly slot: number;
      readonly element: number;
      /** The first micro-batch, and the one after the last. */
      readonly from: number;
      readonly to: number;
    };

/** Stages in which a tensor is named, and read. */
const ofTensor: ReadonlySet<StageName> = new Set<StageName>([
  ...(["Hashes", "HashNodes", "Leaf", "OpenLeaf", "Element", "Sums", "Sum", "Witness"] as const),
]);
/** Those of them in which an ACCUMULATE's operands are read. */
const ofOperands: ReadonlySet<StageName> = new Set<StageName>(["Leaf", "Element", "Sums", "Sum"]);

/**
 * What either side's move in a round reads of the micro-batches.
 *
 * @returns undefined where commitments, and the tensors of tapes 1 and 2, are enough
 */
export function askedIn(program: Program, microBatches: number, round: Round): Asked | undefined {
  const stage = stageOf(round);
  if (!ofTensor.has(stage)) return undefined;
  const { position: p } = round;
  const place = placeAt(program, microBatches, Number(p.place));
  if (place.tape === 0) return { kind: "micro-batch", microBatch: place.microBatch };
  const node = nodeAt(program, place);
  if (node.opcode !== "ACCUMULATE" || !ofOperands.has(stage)) return undefined;
  const { slot } = node.attributes;
  if (stage === "Sums" || stage === "Sum") {
    return { kind: "gradients", slot, element: Number(p.out), from: Number(p.from), to: Number(p.to) };
  }
  // Of a wrong exponent any element is a proof, and the first is shown.
  const { first } = leafGeometry(node.output).leafElements(stage === "Element" ? Number(p.index) : 0);
  return { kind: "gradients", slot, element: first, from: 0, to: microBatches };
}
