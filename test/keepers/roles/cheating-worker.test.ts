import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { samplesOf } from "../../../keepers/src/core/exact/order.ts";
import { initialState } from "../../../keepers/src/core/exact/random/initialize.ts";
import { cheatingWorker, type Flip } from "../../../keepers/src/roles/embedded/cheating-worker.ts";
import { nativeExecutor } from "../../../keepers/src/training/executors/native.ts";
import { readSteps } from "../../../keepers/src/training/trainer/batches.ts";
import { digits, model, options, orderOf } from "../training/trainer/fixture.ts";

const { program } = model;
const order = orderOf();
const steps = 6;
const batches = await readSteps({ source: digits.source, order: samplesOf(order) }, 0, steps);
const inputs = batches.map((objects) => ({ objects, learningRate: 3000 }));

/** The state after all steps, given in pieces of these lengths. */
async function trained(pieces: readonly number[], flip?: Flip): Promise<Int32Array[]> {
  const honest = await nativeExecutor.open(program, options);
  const session = flip === undefined ? honest : cheatingWorker(honest, flip);
  await session.setState(initialState(program, order.seed));
  let at = 0;
  let witnesses = 0;
  for (const length of pieces) {
    witnesses += (await session.run(inputs.slice(at, at + length))).length;
    at += length;
  }
  assert.equal(witnesses, at, "one witness for each step");
  const state = await session.getState();
  await session.close();
  return state;
}

describe("a cheating worker", () => {
  it("changes one bit after its last step, and nothing else", async () => {
    const state = await trained([steps], { step: steps - 1, slot: 0, element: 101, bit: 13 });
    const honest = await trained([steps]);
    assert.equal(state[0]![101]! ^ honest[0]![101]!, 1 << 13);
    state[0]![101] = honest[0]![101]!;
    assert.deepEqual(state, honest);
  });

  it("flips after the same step, in whatever pieces it gets its steps", async () => {
    const flip: Flip = { step: 2, slot: 0, element: 101, bit: 20 };
    const whole = await trained([6], flip);
    assert.notDeepEqual(whole, await trained([6]));
    for (const pieces of [
      [1, 1, 1, 1, 1, 1],
      [2, 4],
      [3, 3],
      [4, 2],
    ]) {
      assert.deepEqual(await trained(pieces, flip), whole);
    }
  });

  it("trains honestly when its run ends before that step", async () => {
    const flip: Flip = { step: 4, slot: 0, element: 0, bit: 0 };
    assert.deepEqual(await trained([4], flip), await trained([4]));
  });
});
