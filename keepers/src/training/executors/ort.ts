import type { InferenceSession, Tensor } from "onnxruntime-node";
import { exitCode } from "../../core/errors.ts";
import type { Layout, Program, Tensor as TapeTensor } from "../../core/exact/tape/types.ts";
import { openNames } from "../lowering/open/lower-open.ts";
import { type BorderArray, tensorFromBorder } from "../lowering/open/read-tensors.ts";
import type { OnnxModel } from "../onnx/types.ts";
import { writeOnnx } from "../onnx/write.ts";
import { EngineError } from "./errors.ts";
import type { ExecutorOptions } from "./types.ts";

/** The part of ONNX Runtime's JavaScript API that both of its packages have. */
export type Runtime = {
  readonly InferenceSession: Pick<typeof InferenceSession, "create">;
  readonly Tensor: typeof Tensor;
};

/** One ONNX Runtime: how to load it, and where it computes. */
export type Engine = {
  readonly name: string;
  readonly provider: "cpu" | "wasm";
  /** Loads the package when it is first used. */
  load(threads: number): Promise<Runtime>;
};

export type Feeds = Record<string, Tensor>;
export type SessionOptions = Pick<ExecutorOptions, "threads" | "optimization">;

/** A graph ready to run. */
export type GraphSession = {
  readonly runtime: Runtime;
  /** @param feeds may hold more than the graph reads */
  run(feeds: Feeds): Promise<Readonly<Record<string, Tensor>>>;
  close(): Promise<void>;
};

/**
 * Opens a graph on an engine. Sums are exact in every order, so threads and optimisations change no bit; no provider
 * but the CPU's is used, because others may compute in less than float64.
 */
export async function openGraph(
  engine: Engine,
  model: OnnxModel,
  { threads = 1, optimization = "all" }: SessionOptions,
): Promise<GraphSession> {
  const bytes = writeOnnx(model);
  const runtime = await engine.load(threads).catch((cause: unknown) => {
    throw new EngineError(engine.name, "ONNX Runtime could not be loaded", {
      cause,
      next: "Use another engine.",
      exitCode: exitCode.unavailable,
    });
  });
  try {
    const session = await runtime.InferenceSession.create(bytes, {
      executionProviders: [engine.provider],
      executionMode: "sequential",
      graphOptimizationLevel: optimization,
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      enableCpuMemArena: true,
      logSeverityLevel: 3,
    });
    return {
      runtime,
      run: (feeds) => {
        const read = session.inputNames.map((name) => [name, feeds[name]!] as const);
        return session.run(Object.fromEntries(read)) as Promise<Record<string, Tensor>>;
      },
      close: () => session.release(),
    };
  } catch (cause) {
    throw new EngineError(engine.name, "the graph could not be opened", { cause });
  }
}

/** The state's slots as tensors that share their memory. */
export function stateFeeds({ Tensor }: Runtime, program: Program, state: readonly Int32Array[]): Tensor[] {
  return state.map((values, slot) => new Tensor("int32", values, program.state[slot]!.layout.shape));
}

/** Tensors of the tape from the outputs of an open graph over these nodes. */
export function tapeTensors(
  layouts: readonly Layout[],
  nodes: readonly number[],
  outputs: Readonly<Record<string, Tensor>>,
): TapeTensor[] {
  const exponents = outputs[openNames.exponents]!.data as BigInt64Array;
  return nodes.map((node, i) => {
    const data = outputs[openNames.node(node)]!.data as BorderArray;
    return tensorFromBorder(layouts[i]!, data, exponents[i]!);
  });
}
