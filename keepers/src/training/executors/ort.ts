import type { InferenceSession, Tensor } from "onnxruntime-node";
import { exitCode } from "../../core/errors.ts";
import type { Layout, Program, Tensor as TapeTensor } from "../../core/exact/tape/types.ts";
import { lowerOpen, openNames } from "../lowering/open/lower-open.ts";
import { type BorderArray, tensorFromBorder } from "../lowering/open/read-tensors.ts";
import type { OnnxModel } from "../onnx/types.ts";
import { writeOnnx } from "../onnx/write.ts";
import { checkObjects, checkOptions, checkState } from "./check.ts";
import { EngineError } from "./errors.ts";
import { openTraining } from "./ort-training.ts";
import type { Executor, ExecutorOptions } from "./types.ts";

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

/** The executor of an ONNX Runtime. */
export function ortExecutor(engine: Engine): Executor {
  /** Forward graphs stay open as long as their program lives: an evaluation predicts many micro-batches. */
  const forward = new WeakMap<Program, Map<string, Promise<GraphSession>>>();

  const forwardSession = (program: Program, options: ExecutorOptions) => {
    const { objectBytes, threads = 1, optimization = "all" } = options;
    const sessions = forward.get(program) ?? new Map<string, Promise<GraphSession>>();
    forward.set(program, sessions);
    const key = `${objectBytes} ${threads} ${optimization}`;
    const known = sessions.get(key);
    if (known !== undefined) return known;
    const opened = openGraph(engine, lowerOpen(program, { objectBytes, nodes: [program.witness] }), options);
    sessions.set(key, opened);
    opened.catch(() => sessions.delete(key));
    return opened;
  };

  return {
    name: engine.name,
    async open(program, options) {
      checkOptions(program, options);
      return openTraining(engine, program, options);
    },
    async trace(program, state, objects, options) {
      check(program, state, objects, options);
      const session = await openGraph(engine, lowerOpen(program, options), options);
      try {
        const nodes = program.tapes[0].map((_, index) => index);
        return await compute(engine, session, program, nodes, state, objects, options);
      } finally {
        await session.close();
      }
    },
    async predict(program, state, objects, options) {
      check(program, state, objects, options);
      const session = await forwardSession(program, options);
      const tensors = await compute(engine, session, program, [program.witness], state, objects, options);
      return tensors[0]!;
    },
  };
}

function check(
  program: Program,
  state: readonly Int32Array[],
  objects: Uint8Array,
  options: ExecutorOptions,
): void {
  checkOptions(program, options);
  checkState(program, state);
  checkObjects(program, objects, options.objectBytes, 1);
}

async function compute(
  engine: Engine,
  session: GraphSession,
  program: Program,
  nodes: readonly number[],
  state: readonly Int32Array[],
  objects: Uint8Array,
  { objectBytes }: ExecutorOptions,
): Promise<TapeTensor[]> {
  const { runtime } = session;
  const feeds: Feeds = {
    [openNames.objects]: new runtime.Tensor("uint8", objects, [program.microBatch, objectBytes]),
  };
  for (const [slot, tensor] of stateFeeds(runtime, program, state).entries()) {
    feeds[openNames.state(slot)] = tensor;
  }
  try {
    const layouts = nodes.map((node) => program.tapes[0][node]!.output);
    return tapeTensors(layouts, nodes, await session.run(feeds));
  } catch (cause) {
    throw new EngineError(engine.name, "the graph failed", { cause });
  }
}
