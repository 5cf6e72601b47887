import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createArena, jobId } from "./game/arena.ts";
import { nameStep } from "./game/players.ts";
import { cnnJob, mlpJob, otherExponent, otherMantissa } from "./game/scenes.ts";
import { type Job, Story } from "./game/story.ts";

describe("a lie is convicted", async () => {
  const arena = await createArena();
  let job = 0n;

  async function convict(honest: Story, liar: Story, step: number) {
    const id = ++job;
    await arena.open(liar, id);
    const opened = await arena.challenge(liar, Math.floor(step / honest.job.order.interval), id);
    const played = await arena.playOut(opened.id, honest, liar, (round, stage) =>
      stage === "Step"
        ? nameStep(liar, round, step - Number(round.position.firstStep))
        : undefined,
    );
    const steps = [opened.step, ...played.steps];
    if (played.ending === "stuck") steps.push(...(await arena.timeOut(opened.id)));
    const [, , , count] = await arena.claims.read.convictions([id]);
    assert.equal(count, 1n, `${steps.map(({ name }) => name)} ended ${played.ending} at ${played.last}`);
    return steps;
  }

  for (const [name, make] of [
    ["mlp", mlpJob],
    ["residual network", cnnJob],
  ] as const) {
    it(`in any tensor of a ${name}`, async () => {
      const scene: Job = make();
      const honest = new Story(scene);
      const step = scene.order.steps - 2;
      const seen = new Set<string>();
      for (const [place, { tape, node }] of scene.places.entries()) {
        const { opcode } = scene.program.tapes[tape][node]!;
        if (seen.has(opcode)) continue;
        seen.add(opcode);
        const liar = new Story(scene, { step, place, change: otherMantissa }, honest);
        const steps = await convict(honest, liar, step);
        console.log(opcode, steps.length, steps.map(({ name, gas }) => `${name} ${gas}`).join(", "), steps.reduce((s, { gas }) => s + gas, 0));
      }
    });
  }
  void jobId;
  void otherExponent;
});
