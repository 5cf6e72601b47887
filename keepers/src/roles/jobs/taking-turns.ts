import type { Executor, TrainingSession } from "../../training/executors/types.ts";
import type { InTurn } from "./shortest-first.ts";

/** A session that computes when it is its turn, unless nothing is to be computed any more by then. */
export function takingTurns(session: TrainingSession, inTurn: InTurn, signal: AbortSignal): TrainingSession {
  return {
    program: session.program,
    setState: (state) => session.setState(state),
    getState: () => session.getState(),
    run: (steps) =>
      inTurn(() => {
        signal.throwIfAborted();
        return session.run(steps);
      }),
    close: () => session.close(),
  };
}

/** An engine that does each piece of its work when it is its turn. */
export function executorTakingTurns(executor: Executor, inTurn: InTurn, signal: AbortSignal): Executor {
  const turn = <T>(part: () => Promise<T>): Promise<T> =>
    inTurn(() => {
      signal.throwIfAborted();
      return part();
    });
  return {
    name: executor.name,
    open: async (...args) => takingTurns(await turn(() => executor.open(...args)), inTurn, signal),
    openTrace: async (...args) => {
      const session = await turn(() => executor.openTrace(...args));
      return {
        trace: (...traced) => turn(() => session.trace(...traced)),
        close: () => session.close(),
      };
    },
    predict: (...args) => turn(() => executor.predict(...args)),
  };
}
