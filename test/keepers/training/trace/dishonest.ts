import type {
  Executor,
  StepInput,
  TrainingSession,
} from "../../../../keepers/src/training/executors/types.ts";

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

/** An engine that computes steps from other inputs than it is given; no input: it leaves the step out. */
export function cheating(
  honest: Executor,
  tamper: (input: StepInput, step: number) => StepInput | undefined,
): Executor {
  return {
    ...honest,
    name: "cheating",
    async open(program, options): Promise<TrainingSession> {
      const session = await honest.open(program, options);
      let step = 0;
      return {
        ...session,
        async run(inputs) {
          const outputs = [];
          for (const input of inputs) {
            const changed = tamper(input, step++);
            const before = changed === undefined ? await session.getState() : undefined;
            outputs.push(...(await session.run([changed ?? input])));
            if (before !== undefined) await session.setState(before);
          }
          return outputs;
        },
      };
    },
  };
}
