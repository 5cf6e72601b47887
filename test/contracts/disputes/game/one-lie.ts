/** Disputes over a lie in one tensor, in a job of its own each. */
import type { Tensor } from "../../../../keepers/src/core/exact/tape/types.ts";
import type { Arena, PlayOptions } from "./arena.ts";
import { nameStep, towards } from "./shams.ts";
import type { Story } from "./story.ts";

/** A lie in one tensor of step 0 is challenged where it is, and played until somebody has no move. */
export function disputesOf(arena: Arena, firstJob: bigint) {
  const step = 0;
  let jobs = firstJob;
  return async (honest: Story, place: number, tensor: Tensor, more: PlayOptions = {}) => {
    const liar = honest.withTensor(step, place, tensor);
    const id = ++jobs;
    await arena.open(liar, id);
    const opened = await arena.challenge(liar, 0, id);
    const played = await arena.playOut(opened.id, honest, liar, {
      ...more,
      async pick(round, stage) {
        if (stage === "Step") return nameStep(liar, round, step);
        if (stage === "Node") return towards(liar, round, place);
        return await more.pick?.(round, stage);
      },
    });
    return { ...played, challenge: opened.id, names: played.steps.map(({ name }) => name) };
  };
}

/** Number of the first node of tape 0 with an opcode. */
export function placeOf({ job }: Story, opcode: string): number {
  return job.program.tapes[0].findIndex((node) => node.opcode === opcode);
}
