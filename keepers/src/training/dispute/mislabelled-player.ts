import { encodeOrder, intervalOf, samplesOf, type TrainingOrder } from "../../core/exact/order.ts";
import type { Program } from "../../core/exact/tape/types.ts";
import { isClass } from "../data/labels.ts";
import type { ObjectSource } from "../data/types.ts";
import { labelField } from "../evaluate/target.ts";
import { namedStep, namedTensor, newest } from "./challenger-player.ts";
import { Naming } from "./claimed-tree.ts";
import { checkpointSteps, descent, type Move, type Round, searchedLeaves, stageOf } from "./moves.ts";
import { namedRoot } from "./nodes.ts";
import { rawPlace } from "./objects.ts";
import type { OwnRun } from "./own-run.ts";
import { type Answer, readAnswer } from "./posted.ts";
import { openNode } from "./program-nodes.ts";

/** Where a sample stands whose label is none of the classes. */
export type MislabelledSample = {
  readonly step: number;
  readonly microBatch: number;
  readonly row: number;
  /** The order that it is trained in, whole. */
  readonly order: TrainingOrder;
};

/** The first sample that is trained on and whose label is none of the classes. */
export async function findMislabelled(
  { program, order, source }: { program: Program; order: TrainingOrder; source: ObjectSource },
  signal?: AbortSignal,
): Promise<MislabelledSample | undefined> {
  const field = labelField(program);
  if (field === undefined) return undefined;
  const samples = samplesOf(order);
  for (let step = 0; step < order.steps; step++) {
    signal?.throwIfAborted();
    const objects = await source.read(samples.batch(step));
    for (let at = 0; at * order.objectBytes < objects.length; at++) {
      if (isClass(objects, at * order.objectBytes, field)) continue;
      const microBatch = Math.floor(at / order.microBatch);
      return { step, microBatch, row: at % order.microBatch, order };
    }
  }
  return undefined;
}

/**
 * The challenger's move where a sample is mislabelled: down to that sample, whatever was posted and however wrong the rest may be, and
 * its bytes in the end. Nothing has to be computed for it.
 *
 * @returns undefined when it is not the challenger's turn
 */
export async function mislabelledMove(
  own: Pick<OwnRun, "program" | "object">,
  { step, microBatch, row, order }: MislabelledSample,
  answers: readonly Answer[],
  round: Round,
): Promise<Move | undefined> {
  const { program } = own;
  const { interval, position: p } = round;
  const read = answers.map((answer) => ({ round: answer.round, posted: readAnswer(answer) }));
  switch (stageOf(round)) {
    case "TraceName": {
      const number = searchedLeaves(p).findIndex((leaf) => leaf * order.interval > step);
      return descent("nameTrace", namedRoot(newest(read, "postTrace").roots, number));
    }
    case "Step": {
      const { firstStep } = intervalOf(order, Number(interval));
      const number = checkpointSteps(Number(p.firstStep), Number(p.steps)).findIndex((end) => end > step);
      return namedStep(read, p, firstStep, number);
    }
    case "Node": {
      const naming = new Naming(round, newest(read, "postTensors", "postNodes").nodes);
      const number = naming.numberAbove(microBatch * program.tapes[0].length + program.target)!;
      if (naming.lower > 0) return descent("nameChild", ...naming.child(number));
      return namedTensor(own, naming, number, { tape: 0, node: program.target });
    }
    case "Leaf": {
      const node = program.tapes[0][program.target]!;
      if (node.opcode !== "INPUT") return undefined;
      const perRow = node.output.shape.slice(1).reduce((product, size) => product * size, 1);
      const out = row * perRow;
      const { descriptor } = openNode(program, { tape: 0, node: program.target });
      const evidence = {
        ...{ descriptor, out: BigInt(out), leaf: "0x", operands: "0x", proofs: [] },
        ...{ store: "0x", storeProof: [], order: encodeOrder(order) },
      };
      const object = await own.object({ step, microBatch, ...rawPlace(node, out) });
      return { book: "input", name: "ruleInput", args: [evidence, object] };
    }
    default:
      return undefined;
  }
}
