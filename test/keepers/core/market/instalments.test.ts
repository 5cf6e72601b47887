import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkpointSteps, claimIdOf, claimNameOf } from "../../../../keepers/src/core/market/instalments.ts";

describe("instalments", () => {
  it("stand at whole intervals, as even as they can be, before the end", () => {
    assert.deepEqual(checkpointSteps({ steps: 5, interval: 2, instalments: 3 }), [2, 4]);
    assert.deepEqual(checkpointSteps({ steps: 9_370, interval: 96, instalments: 4 }), [2_304, 4_704, 7_008]);
    for (const instalments of [0, 1]) {
      assert.deepEqual(checkpointSteps({ steps: 5, interval: 2, instalments }), []);
    }
    for (let steps = 1; steps < 60; steps++) {
      for (let interval = 1; interval <= steps; interval++) {
        const intervals = Math.ceil(steps / interval);
        for (let instalments = 2; instalments <= Math.min(16, intervals); instalments++) {
          const places = checkpointSteps({ steps, interval, instalments });
          assert.equal(new Set(places).size, instalments - 1, "each further than the one before");
          assert.ok(places.every((place) => place > 0 && place < steps && place % interval === 0));
        }
      }
    }
  });

  it("are numbered as the registry numbers them in the game", () => {
    // Written out: the checkpoint above 48 bits of the job.
    assert.equal(claimIdOf({ jobId: 7n, checkpoint: 0 }), 7n);
    assert.equal(claimIdOf({ jobId: 7n, checkpoint: 3 }), 0x3_0000_0000_0007n);
    assert.deepEqual(claimNameOf(0xf_0000_0000_0001n), { jobId: 1n, checkpoint: 15 });
  });
});
