import { encodeOrder, intervalOf, samplesOf, type TrainingOrder } from "../../core/exact/order.ts";
import type { ObjectSet } from "../data/object-set.ts";
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

/** Milliseconds for which indices are looked at without giving way to other work. */
const longestTurn = 20;

/**
 * The first sample that is trained on and whose label is none of the classes. An order has up to 2^32 steps of as many samples, and
 * its author chooses where the mislabelled objects stand: where each of them is trained on is computed instead, epoch by epoch, and other
 * work goes on meanwhile. An epoch leaves one out with less than even odds, so that few epochs are looked at.
 *
 * @param mislabelled objects whose label is none of the classes
 */
export async function findMislabelled(
  { order, mislabelled }: { readonly order: TrainingOrder; readonly mislabelled: ObjectSet },
  signal?: AbortSignal,
): Promise<MislabelledSample | undefined> {
  const { steps, microBatch, microBatches } = order;
  const samples = samplesOf(order);
  const { stepsPerEpoch } = samples;
  const stepSamples = microBatch * microBatches;
  let since = performance.now();
  signal?.throwIfAborted();
  for (let epoch = 0; epoch * stepsPerEpoch < steps; epoch++) {
    let isAnyTrained = false;
    let first = Number.POSITIVE_INFINITY;
    for (const object of mislabelled) {
      const index = samples.trainingOf(object);
      if (index !== undefined) {
        isAnyTrained = true;
        first = Math.min(first, samples.placeIn(epoch, index) ?? first);
      }
      if (performance.now() - since < longestTurn) continue;
      // The page plays disputes, too: what gives way must be there in a browser.
      await new Promise((done) => setTimeout(done));
      signal?.throwIfAborted();
      since = performance.now();
    }
    if (!isAnyTrained) return undefined;
    const step = epoch * stepsPerEpoch + Math.floor(first / stepSamples);
    if (step < steps) {
      const place = first % stepSamples;
      return { step, microBatch: Math.floor(place / microBatch), row: place % microBatch, order };
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
