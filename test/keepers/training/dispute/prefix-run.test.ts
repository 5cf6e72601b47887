import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { claimedPart } from "../../../../keepers/src/training/dispute/prefix-run.ts";
import { mlpJob } from "../../../contracts/disputes/game/scenes.ts";
import { Story } from "../../../contracts/disputes/game/story.ts";
import { runOf } from "../../../contracts/disputes/game/told-run.ts";

const run = runOf(new Story(mlpJob(16, 5, 2)));

describe("the part of a run that a claim is about", () => {
  it("is the run itself where all of it is claimed", () => {
    assert.equal(claimedPart(run, { steps: 5n }), run);
  });

  it("is as long as the claim, and has the leaves of the trace as far as that, the same list every time", async () => {
    const part = claimedPart(run, { steps: 4n });
    assert.deepEqual(part.order, { ...run.order, steps: 4 });
    const all = await run.leaves();
    const leaves = await part.leaves();
    assert.equal(all.length, 4);
    assert.deepEqual(leaves, all.slice(0, 3));
    assert.equal(await part.leaves(), leaves, "trees are kept by it");
  });

  it("has new leaves once the run has more of them", async () => {
    const all = await run.leaves();
    let known = all.slice(0, 2);
    const part = claimedPart({ ...run, leaves: async () => known }, { steps: 4n });
    assert.equal((await part.leaves()).length, 2);
    known = all.slice(0, 3);
    assert.deepEqual(await part.leaves(), known);
  });

  it("answers all else as the run does", async () => {
    const part = claimedPart(run, { steps: 2n });
    assert.equal(part.program, run.program);
    assert.equal(part.salt(1), run.salt(1));
    assert.deepEqual(await part.stateRoots([2, 0]), await run.stateRoots([2, 0]));
    assert.deepEqual(await part.slots(1), await run.slots(1));
    assert.deepEqual(await part.witnesses(0), await run.witnesses(0));
    assert.equal(await part.step(1), await run.step(1));
    const place = { step: 1, microBatch: 1, row: 0, offset: 3, width: 2 };
    assert.deepEqual(await part.object(place), await run.object(place));
  });
});
