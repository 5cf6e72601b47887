import type { Tensor } from "onnxruntime-node";
import type { Program, Tensor as TapeTensor } from "../../core/exact/tape/types.ts";
import { CarrierBoundError, NoFastRule } from "../lowering/fast/errors.ts";
import { lowerFastSums, type SumsGraph, sumsNames } from "../lowering/fast/lower-sums.ts";
import { gradientNodes, lowerOpen, lowerUpdate, openNames } from "../lowering/open/lower-open.ts";
import { elementCount } from "../onnx/types.ts";
import { checkObjects, checkOptions, checkState } from "./check.ts";
import { EngineError } from "./errors.ts";
import { type Engine, type Feeds, openGraph, stateFeeds, tapeTensors } from "./ort.ts";
import type { ExecutorOptions } from "./types.ts";

/** What some micro-batches of a step add to it. */
export type PartialSums = {
  /** By gradient slot, row-major: exact integers, below M·2^31 in magnitude. */
  readonly sums: readonly Float64Array[];
  /** The witness tensor of the last of them. */
  readonly witness: TapeTensor;
};

/** Tape 0 for a fixed number of micro-batches at a time. */
export interface SumsSession {
  /** @param objects whole micro-batches, as many as the session was opened for */
  compute(state: readonly Int32Array[], objects: Uint8Array): Promise<PartialSums>;
  close(): Promise<void>;
}

/** Tapes 1 and 2: what a step's sums make of the state. */
export interface UpdateSession {
  /** @param sums over all M micro-batches of the step, by gradient slot */
  next(
    state: readonly Int32Array[],
    sums: readonly Float64Array[],
    learningRate: number,
  ): Promise<Int32Array[]>;
  close(): Promise<void>;
}

/** An engine that can compute parts of a step, so that several can share it; the bits are those of whole steps. */
export interface PartsExecutor {
  /** @param options `microBatches` is how many of them one call computes */
  openSums(program: Program, options: ExecutorOptions): Promise<SumsSession>;
  /** @param options `microBatches` is M, of the whole step */
  openUpdate(program: Program, options: ExecutorOptions): Promise<UpdateSession>;
}

/** @throws ModelTooLargeError, EngineError */
export async function openSums(
  engine: Engine,
  program: Program,
  options: ExecutorOptions,
): Promise<SumsSession> {
  checkOptions(program, options);
  const { objectBytes, microBatches } = options;
  const fast = fastGraph(program, options);
  const session =
    fast === undefined
      ? await openSumsGraph(engine, program, options)
      : await fastSumsGraph(engine, program, options, fast);
  return {
    async compute(state, objects) {
      checkState(program, state);
      checkObjects(program, objects, objectBytes, microBatches);
      try {
        return await session.compute(state, objects);
      } catch (cause) {
        throw new EngineError(engine.name, "a part of a step failed", { cause });
      }
    },
    close: () => session.close(),
  };
}

/** @throws EngineError */
export async function openUpdate(
  engine: Engine,
  program: Program,
  options: ExecutorOptions,
): Promise<UpdateSession> {
  checkOptions(program, options);
  const graph = await openGraph(engine, lowerUpdate(program, options), options);
  const { Tensor } = graph.runtime;
  return {
    async next(state, sums, learningRate) {
      checkState(program, state);
      const feeds: Feeds = {
        [openNames.learningRate]: new Tensor("float64", Float64Array.of(learningRate), []),
      };
      for (const [slot, tensor] of stateFeeds(graph.runtime, program, state).entries()) {
        feeds[openNames.state(slot)] = tensor;
      }
      for (const [slot, { shape }] of program.gradients.entries()) {
        feeds[openNames.gradient(slot)] = new Tensor("float64", sums[slot]!, shape);
      }
      try {
        const outputs = await graph.run(feeds);
        return state.map((values, slot) => {
          const next = outputs[openNames.next(slot)];
          return next === undefined ? values.slice() : (next.data as Int32Array).slice();
        });
      } catch (cause) {
        throw new EngineError(engine.name, "the end of a step failed", { cause });
      }
    },
    close: () => graph.close(),
  };
}

async function fastSumsGraph(
  engine: Engine,
  { microBatch }: Program,
  options: ExecutorOptions,
  graph: SumsGraph,
): Promise<SumsSession> {
  const session = await openGraph(engine, graph.model, options);
  const { Tensor } = session.runtime;
  const { objectBytes, microBatches } = options;
  const numbers = ({ data }: Tensor) => data as Float64Array;
  return {
    async compute(state, objects) {
      const feeds: Feeds = {
        [sumsNames.objects]: new Tensor("uint8", objects, [microBatches * microBatch, objectBytes]),
      };
      for (const [name, { data, dims }] of Object.entries(graph.pack(state))) {
        feeds[name] = new Tensor("float64", data, dims);
      }
      const outputs = await session.run(feeds);
      const [exponent] = outputs[sumsNames.witnessExponent]!.data as BigInt64Array;
      return {
        sums: graph.unpack((name) => numbers(outputs[name]!)),
        witness: graph.witness(numbers(outputs[sumsNames.witness]!), exponent!),
      };
    },
    close: () => session.close(),
  };
}

/** For programs that the fast rules do not cover: one run of the open graph for each micro-batch. */
async function openSumsGraph(
  engine: Engine,
  program: Program,
  options: ExecutorOptions,
): Promise<SumsSession> {
  const { microBatch, gradients, tapes } = program;
  const { objectBytes, microBatches } = options;
  const nodes = [...gradientNodes(program), program.witness];
  const layouts = nodes.map((node) => tapes[0][node]!.output);
  const session = await openGraph(engine, lowerOpen(program, { objectBytes, nodes }), options);
  const { Tensor } = session.runtime;
  const batchBytes = microBatch * objectBytes;
  return {
    async compute(state, objects) {
      const sums = gradients.map(({ shape }) => new Float64Array(elementCount(shape)));
      const feeds: Feeds = {};
      for (const [slot, tensor] of stateFeeds(session.runtime, program, state).entries()) {
        feeds[openNames.state(slot)] = tensor;
      }
      let witness: TapeTensor | undefined;
      for (let j = 0; j < microBatches; j++) {
        const batch = objects.subarray(j * batchBytes, (j + 1) * batchBytes);
        feeds[openNames.objects] = new Tensor("uint8", batch, [microBatch, objectBytes]);
        const tensors = tapeTensors(layouts, nodes, await session.run(feeds));
        witness = tensors.pop();
        for (const [slot, { mantissas }] of tensors.entries()) addInto(sums[slot]!, mantissas);
      }
      return { sums, witness: witness! };
    },
    close: () => session.close(),
  };
}

/** Adds exact integers elementwise into `sum`. */
export function addInto(sum: Float64Array, values: ArrayLike<number>): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += values[i]!;
}

function fastGraph(program: Program, { objectBytes, microBatches }: ExecutorOptions): SumsGraph | undefined {
  try {
    return lowerFastSums(program, { objectBytes, microBatches });
  } catch (error) {
    if (error instanceof NoFastRule || error instanceof CarrierBoundError) return undefined;
    throw error;
  }
}
