import type { Tensor } from "onnxruntime-node";
import type { Program } from "../../core/exact/tape/types.ts";
import { gradientNodes, lowerOpen, lowerUpdate, openNames } from "../lowering/open/lower-open.ts";
import { elementCount } from "../onnx/types.ts";
import { type Engine, type Feeds, type GraphSession, openGraph, stateFeeds, tapeTensors } from "./ort.ts";
import type { StepPlan } from "./ort-training.ts";
import type { ExecutorOptions, StepInput, StepOutput } from "./types.ts";

/** Steps by the open graphs: one run of tape 0 for each micro-batch, then one of tapes 1 and 2. */
export async function openPlan(
  engine: Engine,
  program: Program,
  options: ExecutorOptions,
): Promise<StepPlan<readonly Tensor[]>> {
  const nodes = [...gradientNodes(program), program.witness];
  const forward = lowerOpen(program, { objectBytes: options.objectBytes, nodes });
  const steps = await openGraph(engine, forward, options);
  const update = await openGraph(engine, lowerUpdate(program, options), options).catch(async (error) => {
    await steps.close();
    throw error;
  });
  const graphs = { program, options, nodes, steps, update };
  return {
    start: (state) => stateFeeds(steps.runtime, program, state),
    async run(first, inputs) {
      let state = first;
      const outputs: StepOutput[] = [];
      for (const input of inputs) {
        const result = await runStep(graphs, state, input);
        state = result.state;
        outputs.push(result.output);
      }
      return { state, outputs };
    },
    read: (state) => state.map(({ data }) => (data as Int32Array).slice()),
    async close() {
      await steps.close();
      await update.close();
    },
  };
}

type Graphs = {
  readonly program: Program;
  readonly options: ExecutorOptions;
  /** Nodes that the first graph puts out: the gradients by slot, then the witness. */
  readonly nodes: readonly number[];
  readonly steps: GraphSession;
  readonly update: GraphSession;
};

async function runStep(
  { program, options, nodes, steps, update }: Graphs,
  state: readonly Tensor[],
  { objects, learningRate }: StepInput,
): Promise<{ state: Tensor[]; output: StepOutput }> {
  const { Tensor } = steps.runtime;
  const { microBatch, gradients, tapes } = program;
  const { objectBytes, microBatches } = options;
  const batchBytes = microBatch * objectBytes;
  const sums = gradients.map(({ shape }) => new Float64Array(elementCount(shape)));
  const feeds: Feeds = Object.fromEntries(
    state.map((tensor, slot) => [openNames.state(slot), tensor] as const),
  );
  let witness: StepOutput["witness"] | undefined;
  for (let j = 0; j < microBatches; j++) {
    const batch = objects.subarray(j * batchBytes, (j + 1) * batchBytes);
    feeds[openNames.objects] = new Tensor("uint8", batch, [microBatch, objectBytes]);
    const outputs = await steps.run(feeds);
    const layouts = nodes.map((node) => tapes[0][node]!.output);
    const tensors = tapeTensors(layouts, nodes, outputs);
    witness = tensors.pop();
    for (const [slot, { mantissas }] of tensors.entries()) {
      const sum = sums[slot]!;
      for (let i = 0; i < sum.length; i++) sum[i]! += mantissas[i]!;
    }
  }
  for (const [slot, sum] of sums.entries()) {
    feeds[openNames.gradient(slot)] = new Tensor("float64", sum, gradients[slot]!.shape);
  }
  feeds[openNames.learningRate] = new Tensor("float64", Float64Array.of(learningRate), []);
  const next = await update.run(feeds);
  return {
    state: state.map((tensor, slot) => next[openNames.next(slot)] ?? tensor),
    output: { witness: witness! },
  };
}
