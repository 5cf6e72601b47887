import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { initialState } from "../../../keepers/src/core/exact/random/initialize.ts";
import { learningRateAt } from "../../../keepers/src/core/exact/schedule.ts";
import { spaces } from "../../../keepers/src/core/exact/tape/types.ts";
import { nativeExecutor } from "../../../keepers/src/training/executors/native.ts";
import { storeNode, traceStep } from "../../../keepers/src/training/trace/trace-step.ts";
import { isProduction, matchSnapshot, tableOf } from "../snapshots.ts";
import { createArena } from "./game/arena.ts";
import { lenetJob, otherMantissa } from "./game/scenes.ts";
import { nameStep, towards } from "./game/shams.ts";
import { type Job, Story } from "./game/story.ts";

const step = 4_711;

/** One step from the first weights, told as step 4,711 of the run. */
async function storyOf(job: Job): Promise<Story> {
  const { program, order } = job;
  const state = initialState(program, order.seed);
  const rows = Array.from({ length: 64 }, (_, row) => job.objects[job.objectAt(step, 0, row)]!);
  const objects = new Uint8Array(rows.flatMap((row) => [...row]));
  const traced = await traceStep({
    executor: nativeExecutor,
    program,
    options: { objectBytes: order.objectBytes, microBatches: 1 },
    state,
    input: { objects, learningRate: learningRateAt(order.schedule, step) },
  });
  const tensors = [...traced.microBatches[0]!, ...traced.reduction, ...traced.optimizer];
  const after = program.state.map((_, slot) =>
    Int32Array.from(traced.optimizer[storeNode(program.tapes[2], spaces.state, slot)]!.mantissas),
  );
  return Story.ofStep(job, { step, state, after, tensors });
}

describe("a dispute over LeNet-5, batches of 64", async () => {
  const arena = await createArena();
  let jobs = 1_000n;
  const gas: Record<string, number> = {};

  for (const steps of [9_370, 1_000_000]) {
    it(`of ${steps} steps takes at most 12 transactions, wherever the lie is`, async () => {
      const job = lenetJob(steps);
      const honest = await storyOf(job);
      const seen = new Set<string>();
      for (const [place, { tape, node }] of job.places.entries()) {
        const { opcode } = job.program.tapes[tape][node]!;
        if (opcode === "LOAD" || seen.has(opcode)) continue;
        // For the long run, one opcode shows that nothing depends on the number of steps but the depth of the trace.
        if (steps > 10_000 && opcode !== "CONV") continue;
        seen.add(opcode);
        const liar = honest.withTensor(step, place, otherMantissa(honest.tensors(step)[place]!));
        const id = ++jobs;
        await arena.open(liar, id);
        const opened = await arena.challenge(liar, Math.floor(step / 32), id);
        const played = await arena.playOut(opened.id, honest, liar, {
          pick(round, stage) {
            if (stage === "Step") return nameStep(liar, round, step % 32);
            return stage === "Node" ? towards(liar, round, place) : undefined;
          },
        });
        const all = [opened.step, ...played.steps];
        const story = all.map(({ name, gas: used }) => `${name} ${used}`).join(", ");
        assert.equal(played.ending, "convicted", `${opcode}: ${story} at ${played.last}`);
        assert.ok(all.length <= 12, `${opcode}: ${story}`);
        const name = `${steps} steps, ${opcode}`;
        gas[`${name}, total`] = all.reduce((sum, { gas: used }) => sum + used, 0);
        gas[`${name}, most`] = Math.max(...all.map(({ gas: used }) => used));
        gas[`${name}, transactions`] = all.length;
        if (process.env.PRINT) console.log(name, gas[`${name}, total`], gas[`${name}, most`], story);
      }
    });
  }

  it("costs what is on record", { skip: !isProduction && "only with --build-profile production" }, () => {
    matchSnapshot("disputeLenet.json", tableOf(gas));
  });
});
