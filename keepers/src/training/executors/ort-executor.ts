import type { Program, Tensor as TapeTensor } from "../../core/exact/tape/types.ts";
import { lowerOpen, openNames } from "../lowering/open/lower-open.ts";
import { checkObjects, checkOptions, checkState } from "./check.ts";
import { EngineError } from "./errors.ts";
import { type Engine, type Feeds, type GraphSession, openGraph, stateFeeds, tapeTensors } from "./ort.ts";
import { openTraining } from "./ort-training.ts";
import { openSums, openUpdate, type PartsExecutor } from "./parts.ts";
import type { Executor, ExecutorOptions } from "./types.ts";

/** The executor of an ONNX Runtime. */
export function ortExecutor(engine: Engine): Executor & PartsExecutor {
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
    async openTrace(program, options) {
      checkOptions(program, options);
      const nodes = program.tapes[0].map((_, index) => index);
      const session = await openGraph(engine, lowerOpen(program, options), options);
      let checked: readonly Int32Array[] | undefined;
      return {
        async trace(state, objects) {
          // A state has as many numbers as the model: it is looked through once for all micro-batches of its step.
          if (checked !== state) checkState(program, state);
          checked = state;
          checkObjects(program, objects, options.objectBytes, 1);
          return await compute(engine, session, program, nodes, state, objects, options);
        },
        close: () => session.close(),
      };
    },
    async predict(program, state, objects, options) {
      check(program, state, objects, options);
      const session = await forwardSession(program, options);
      const tensors = await compute(engine, session, program, [program.witness], state, objects, options);
      return tensors[0]!;
    },
    openSums: (program, options) => openSums(engine, program, options),
    openUpdate: (program, options) => openUpdate(engine, program, options),
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
