import type { Program } from "../../core/exact/tape/types.ts";
import { checkObjects, checkOptions, checkState } from "../executors/check.ts";
import { EngineError } from "../executors/errors.ts";
import { nativeEngine } from "../executors/native.ts";
import { type Engine, type Feeds, openGraph, stateFeeds } from "../executors/ort.ts";
import type { ExecutorOptions } from "../executors/types.ts";
import { openNames } from "../lowering/open/lower-open.ts";
import { handedSums } from "./contractions.ts";
import { freivaldsNames, lowerSums } from "./graphs.ts";
import type { Accumulators, SumArray } from "./types.ts";

export type ProviderOptions = ExecutorOptions & {
  /** onnxruntime-node by default. */
  readonly engine?: Engine;
};

/** Makes the accumulators of step after step. */
export type Provider = {
  /** @param objects M × N whole objects */
  accumulators(state: readonly Int32Array[], objects: Uint8Array): Promise<Accumulators>;
  close(): Promise<void>;
};

/** Opens the provider's graph, for many steps. */
export async function openProvider(program: Program, options: ProviderOptions): Promise<Provider> {
  checkOptions(program, options);
  const { engine = nativeEngine, objectBytes, microBatches } = options;
  const sums = handedSums(program);
  const session = await openGraph(engine, lowerSums(program, options), options);
  return {
    async accumulators(state, objects) {
      checkState(program, state);
      checkObjects(program, objects, objectBytes, microBatches);
      const { Tensor } = session.runtime;
      const feeds: Feeds = {};
      for (const [slot, tensor] of stateFeeds(session.runtime, program, state).entries()) {
        feeds[openNames.state(slot)] = tensor;
      }
      const batchBytes = program.microBatch * objectBytes;
      const result: SumArray[][] = [];
      for (let j = 0; j < microBatches; j++) {
        const batch = objects.subarray(j * batchBytes, (j + 1) * batchBytes);
        feeds[openNames.objects] = new Tensor("uint8", batch, [program.microBatch, objectBytes]);
        const outputs = await session.run(feeds).catch((cause: unknown) => {
          throw new EngineError(engine.name, "the sums could not be computed", { cause });
        });
        result.push(sums.map((_, i) => outputs[freivaldsNames.sums(i)]!.data as SumArray));
      }
      return result;
    },
    close: () => session.close(),
  };
}

/** What a provider hands over for one step. */
export async function accumulatorsOf(
  program: Program,
  state: readonly Int32Array[],
  objects: Uint8Array,
  options: ProviderOptions,
): Promise<Accumulators> {
  const provider = await openProvider(program, options);
  try {
    return await provider.accumulators(state, objects);
  } finally {
    await provider.close();
  }
}
