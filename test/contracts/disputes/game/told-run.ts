/** What the players of a dispute play from, in tests: a story. */
import type { Hex } from "viem";
import { toHex } from "viem";
import { StateHasher } from "../../../../keepers/src/core/exact/commitment.ts";
import { MemoryObjects } from "../../../../keepers/src/training/data/memory-objects.ts";
import type { ClaimedRun } from "../../../../keepers/src/training/dispute/claimed-run.ts";
import { ComputedStep } from "../../../../keepers/src/training/dispute/computed-step.ts";
import { OpenNode } from "../../../../keepers/src/training/dispute/evidence.ts";
import { openObject } from "../../../../keepers/src/training/dispute/objects.ts";
import type { Story } from "./story.ts";

const runs = new WeakMap<Story, ClaimedRun>();

/** The run that a story tells. */
export function runOf(story: Story): ClaimedRun {
  const known = runs.get(story);
  if (known !== undefined) return known;
  const { job } = story;
  const { program, order } = job;
  const bytes = new Uint8Array(job.objects.flatMap((object) => [...object]));
  const source = new MemoryObjects("objects", order.objectBytes, bytes);
  const steps = new Map<number, ComputedStep>();
  const leaves = Array.from({ length: job.intervals + 1 }, (_, leaf) => ({
    stateRoot: story.traceRootAt(leaf),
    h: story.h(leaf),
  }));
  const run: ClaimedRun = {
    program,
    order,
    stateRoots: async (wanted) => wanted.map((step) => story.roots[step]!),
    slots: async (done) => slotsOf(story, done),
    witnesses: async (interval) => story.witnessesOf(interval),
    async step(step) {
      let computed = steps.get(step);
      if (computed === undefined) {
        computed = new ComputedStep({ program, order, step, tensors: story.tensors(step) });
        steps.set(step, computed);
      }
      return computed;
    },
    object: ({ step, microBatch, row, ...place }) =>
      openObject(source, job.objectAt(step, microBatch, row), place),
    leaves: async () => leaves,
    salt: (interval) => story.salt(interval),
  };
  runs.set(story, run);
  return run;
}

export function slotsOf({ job, states }: Story, done: number): Hex[] {
  return new StateHasher(job.program).commitments(states[done]!).map((hash) => toHex(hash));
}

/** A node of a story's step, with evidence on its elements. */
export async function openedNode(story: Story, step: number, place: number): Promise<OpenNode> {
  const { tree } = story.list(step);
  return new OpenNode(await runOf(story).step(step), place, (number) => tree.proof(number));
}
