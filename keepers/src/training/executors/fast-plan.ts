import type { Tensor } from "onnxruntime-node";
import type { Program } from "../../core/exact/tape/types.ts";
import { CarrierBoundError, NoFastRule } from "../lowering/fast/errors.ts";
import { type FastGraph, fastNames, lowerFast } from "../lowering/fast/lower-fast.ts";
import { stepsAtOnce } from "./memory.ts";
import { type Engine, type GraphSession, openGraph } from "./ort.ts";
import type { StepPlan } from "./ort-training.ts";
import type { ExecutorOptions, StepInput, StepOutput } from "./types.ts";

/** The state as the fast graph takes it and puts it out, by name of the feed. */
type FastState = Readonly<Record<string, Tensor>>;

/**
 * Steps by the fast graph, which loops over the steps it is fed: the state leaves the engine once for many of them.
 * Undefined for a program that the fast lowering does not cover.
 */
export async function fastPlan(
  engine: Engine,
  program: Program,
  options: ExecutorOptions,
): Promise<StepPlan<FastState> | undefined> {
  const graph = lowered(program, options);
  if (graph === undefined) return undefined;
  const session = await openGraph(engine, graph.model, options);
  const { Tensor } = session.runtime;
  const atOnce = stepsAtOnce(program, options);
  return {
    start(state) {
      const feeds = Object.entries(graph.pack(state));
      return Object.fromEntries(
        feeds.map(([name, { data, dims }]) => [name, new Tensor("float64", data, dims)] as const),
      );
    },
    async run(first, inputs) {
      let state = first;
      const outputs: StepOutput[] = [];
      for (let from = 0; from < inputs.length; from += atOnce) {
        const result = await loop(graph, session, options, state, inputs.slice(from, from + atOnce));
        state = result.state;
        outputs.push(...result.outputs);
      }
      return { state, outputs };
    },
    read(state) {
      return graph.unpack(
        Object.fromEntries(graph.stateNames.map((name) => [name, numbers(state[name]!)] as const)),
      );
    },
    close: () => session.close(),
  };
}

async function loop(
  { stateNames, witnesses }: FastGraph,
  { runtime, run }: GraphSession,
  { objectBytes }: ExecutorOptions,
  state: FastState,
  inputs: readonly StepInput[],
): Promise<{ state: FastState; outputs: StepOutput[] }> {
  const { Tensor } = runtime;
  const batchBytes = inputs[0]!.objects.length;
  const objects = new Uint8Array(inputs.length * batchBytes);
  for (const [i, input] of inputs.entries()) objects.set(input.objects, i * batchBytes);
  const rates = Float64Array.from(inputs, ({ learningRate }) => learningRate);
  const outputs = await run({
    ...state,
    [fastNames.objects]: new Tensor("uint8", objects, [inputs.length, batchBytes / objectBytes, objectBytes]),
    [fastNames.learningRates]: new Tensor("float64", rates, [inputs.length]),
  });
  const exponents = outputs[fastNames.witnessExponent]!.data as BigInt64Array;
  return {
    state: Object.fromEntries(
      stateNames.map((name) => [name, outputs[fastNames.next(name)] ?? state[name]!] as const),
    ),
    outputs: witnesses(numbers(outputs[fastNames.witness]!), exponents).map((witness) => ({ witness })),
  };
}

function lowered(program: Program, { objectBytes, microBatches }: ExecutorOptions): FastGraph | undefined {
  try {
    return lowerFast(program, { objectBytes, microBatches, steps: "loop" });
  } catch (error) {
    if (error instanceof NoFastRule || error instanceof CarrierBoundError) return undefined;
    throw error;
  }
}

function numbers({ data }: Tensor): Float64Array {
  return data as Float64Array;
}
