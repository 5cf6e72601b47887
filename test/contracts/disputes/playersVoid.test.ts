import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MemoryObjects } from "../../../keepers/src/training/data/memory-objects.ts";
import { challengeOf } from "../../../keepers/src/training/dispute/find-interval.ts";
import { ownerOf } from "../../../keepers/src/training/dispute/moves.ts";
import { openObject } from "../../../keepers/src/training/dispute/objects.ts";
import type { OwnRun } from "../../../keepers/src/training/dispute/own-run.ts";
import { findVoidSample, voidMove } from "../../../keepers/src/training/dispute/void-player.ts";
import { createArena } from "./game/arena.ts";
import { mlpJob } from "./game/scenes.ts";
import { Job, Story } from "./game/story.ts";
import { runOf } from "./game/told-run.ts";

const [microBatches, step, microBatch, row] = [2, 3, 1, 1];
const none = 5;

const arena = await createArena();
let jobs = 12_000n;

/** An order on data of which one sample has a label that is none of the classes, and a run on data that has none such. */
function mislabelled(steps: number, interval: number) {
  const { program, objects } = mlpJob();
  const size = { microBatches, steps, interval };
  const clean = new Job(program, objects, size);
  const sample = clean.objectAt(step, microBatch, row);
  const stored = objects.map((object, i) => (i === sample ? object.with(-1, none) : object));
  const { order } = new Job(program, stored, size);
  const bytes = new Uint8Array(stored.flatMap((each) => [...each]));
  const source = new MemoryObjects("stored", order.objectBytes, bytes);
  const own: Pick<OwnRun, "program" | "object"> = {
    program,
    object: (place) => openObject(source, clean.objectAt(place.step, place.microBatch, place.row), place),
  };
  return { own, source, program, order, told: new Story(Object.assign(clean, { order })) };
}

describe("the player that shows a sample that no class fits", () => {
  const ways: readonly [string, number, number, "challenge" | "challengeTrace"][] = [
    ["from the leaves of its interval", 5, 2, "challenge"],
    ["in an interval of which not every state is posted at once", 40, 40, "challenge"],
    ["by a search where the leaves are withheld", 5, 1, "challengeTrace"],
  ];
  for (const [how, steps, interval, kind] of ways) {
    it(`ends the job ${how}, having computed nothing`, async () => {
      const { own, source, program, order, told } = mislabelled(steps, interval);
      const sample = await findVoidSample({ program, order, source });
      assert.deepEqual(sample, { step, microBatch, row, order });
      const jobId = ++jobs;
      await arena.open(told, jobId);
      const leaves = await runOf(told).leaves();
      const opening = kind === "challenge" ? challengeOf(leaves, Math.floor(step / interval)) : { kind };
      const { id } = await arena.openWith(opening, jobId);
      const { ending, steps: moves } = await arena.playOut(id, told, told, {
        async pick(round) {
          if (ownerOf(round) !== "challenger") return undefined;
          return await voidMove(own, sample!, (await arena.disputeOf(id)).answers, round);
        },
      });
      assert.equal(ending, "void");
      assert.equal(moves.at(-1)!.name, "ruleInput");
      assert.equal(await arena.claims.read.voids([jobId]), 1n);
    });
  }

  it("finds none in data whose labels are classes, and none that no step reads", async () => {
    const { program, order, source } = mislabelled(5, 2);
    assert.equal(await findVoidSample({ program, order: { ...order, steps: step }, source }), undefined);
  });
});
