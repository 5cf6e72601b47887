import type { TrainingSession } from "../../training/executors/types.ts";

/** One bit of one number of the state. */
export type Flip = {
  /** Step after which it is flipped, counted from 0. */
  readonly step: number;
  readonly slot: number;
  /** Row-major index into the slot. */
  readonly element: number;
  readonly bit: number;
};

/**
 * A worker that cheats, to show that it is caught: it trains honestly but for one bit, which it flips after one step, and
 * trains on from there as if nothing had happened. Steps are counted from the state that is set.
 */
export function cheatingWorker(honest: TrainingSession, flip: Flip): TrainingSession {
  let done = 0;
  return {
    program: honest.program,
    async setState(state) {
      await honest.setState(state);
      done = 0;
    },
    async run(inputs) {
      const last = flip.step - done;
      done += inputs.length;
      if (last < 0 || last >= inputs.length) return await honest.run(inputs);
      const before = await honest.run(inputs.slice(0, last + 1));
      const state = await honest.getState();
      const slot = state[flip.slot]!;
      slot[flip.element] = slot[flip.element]! ^ (1 << flip.bit);
      await honest.setState(state);
      return [...before, ...(await honest.run(inputs.slice(last + 1)))];
    },
    getState: () => honest.getState(),
    close: () => honest.close(),
  };
}
