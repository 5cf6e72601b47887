import { elementCount } from "../../core/exact/ops/tensor.ts";
import type { Layout, Program, TapeNode } from "../../core/exact/tape/types.ts";
import { endOfStep, GradientSums } from "../trace/end-of-step.ts";
import { type TraceStepParameters, traceMicroBatches } from "../trace/trace-step.ts";
import { ListWriter } from "./list-writer.ts";

/** Micro-batches that are traced to measure one, at most: whoever orders a job chooses how long each takes. */
export const mostMicroBatchesMeasured = 64;
/** Seconds after which no further one is. */
const mostSeconds = 2;
/** Elements of all slots together for which tapes 1 and 2 are computed to measure them. */
const mostElements = 2 ** 20;
/** Elements of a slot that are computed at least. */
const leastElements = 2 ** 8;
/** Opcodes whose elements are computed one by one, so that a part of them says what all take. */
const elementwise: ReadonlySet<string> = new Set([
  "ACCUMULATE",
  "LOAD",
  "STORE",
  "SGD_MOMENTUM",
  "SGD_WEIGHT",
]);

/**
 * Seconds that the tensors of a step in dispute take on this machine, with their commitments: measured by one micro-batch, or
 * by a few where they are short, and by a part of tapes 1 and 2 where the weights are many.
 *
 * @param parameters options, state and input of the step's first micro-batches: as many as its input holds, at least one
 * @param microBatches M of the step
 * @throws the reason of the signal, between two micro-batches; what the engine throws
 */
export async function secondsOfDisputedStep(
  parameters: TraceStepParameters,
  microBatches: number,
): Promise<number> {
  const { program, options } = parameters;
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  const wanted = Math.min(options.microBatches, mostMicroBatchesMeasured);
  const writer = new ListWriter(program, wanted);
  const ends: number[] = [];
  await traceMicroBatches(
    parameters,
    (tensors, j) => {
      writer.add(tensors, j);
      ends.push(seconds());
    },
    whileShort(wanted, seconds),
  );
  const [first, last] = [ends[0]!, ends.at(-1)!];
  // The first ones take longer than those after them: the engine and this program warm up.
  const middle = Math.floor((ends.length - 1) / 2);
  const each = ends.length === 1 ? first : (last - ends[middle]!) / (ends.length - 1 - middle);
  return first + (microBatches - 1) * each + (await secondsOfEnd(parameters));
}

function* whileShort(count: number, seconds: () => number): Generator<number> {
  for (let j = 0; j < count && (j === 0 || seconds() < mostSeconds); j++) yield j;
}

/** Seconds of tapes 1 and 2, with the commitments of their tensors. */
async function secondsOfEnd({ program, state, input }: TraceStepParameters): Promise<number> {
  const { part, share } = partOf(program);
  const values = part.state.map(({ layout }, slot) => state[slot]!.subarray(0, elementCount(layout)));
  const began = performance.now();
  const end = await endOfStep({
    ...{ program: part, state: values, microBatches: 1, learningRate: input.learningRate },
    gradients: new GradientSums(part),
  });
  new ListWriter(part, 0).end(end);
  return (performance.now() - began) / 1000 / share;
}

/** A program whose tapes 1 and 2 have a part of the elements, and how large a part. */
function partOf(program: Program): { part: Program; share: number } {
  const { tapes, gradients, state } = program;
  const most = Math.max(leastElements, Math.floor(mostElements / Math.max(1, gradients.length)));
  const all = gradients.reduce((sum, layout) => sum + elementCount(layout), 0);
  const some = gradients.reduce((sum, layout) => sum + elementCount(cut(layout, most)), 0);
  const isElementwise = [...tapes[1], ...tapes[2]].every(({ opcode }) => elementwise.has(opcode));
  if (!isElementwise || some === all) return { part: program, share: 1 };
  const nodes = (tape: readonly TapeNode[]) =>
    tape.map((node) => ({ ...node, output: cut(node.output, most) }));
  const part: Program = {
    ...program,
    gradients: gradients.map((layout) => cut(layout, most)),
    state: state.map((slot) => ({ ...slot, layout: cut(slot.layout, most) })),
    tapes: [tapes[0], nodes(tapes[1]), nodes(tapes[2])],
  };
  return { part, share: some / all };
}

/** The first elements of a tensor, in whole leaves. */
function cut(layout: Layout, most: number): Layout {
  if (elementCount(layout) <= most) return layout;
  return { ...layout, shape: [Math.floor(most / leastElements), leastElements], rowAxes: 1 };
}
