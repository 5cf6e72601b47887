import type { Executor, TrainingSession } from "../../../../keepers/src/training/executors/types.ts";

/** One bit of one weight. */
export type Flip = { afterStep: number; slot: number; element: number; bit: number };

/** An engine that flips a bit of the state after one step (counted from 0) and trains on. */
export function dishonest(honest: Executor, { afterStep, slot, element, bit }: Flip): Executor {
  return {
    ...honest,
    name: "dishonest",
    async open(program, options): Promise<TrainingSession> {
      const session = await honest.open(program, options);
      let step = 0;
      return {
        ...session,
        program,
        setState: (state) => session.setState(state),
        getState: () => session.getState(),
        close: () => session.close(),
        async run(inputs) {
          const outputs = [];
          for (const input of inputs) {
            outputs.push(...(await session.run([input])));
            if (step++ !== afterStep) continue;
            const state = await session.getState();
            state[slot]![element]! ^= 1 << bit;
            await session.setState(state);
          }
          return outputs;
        },
      };
    },
  };
}
