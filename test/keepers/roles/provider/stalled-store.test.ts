import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Scene } from "../jobs/scene.ts";

describe("a provider whose result nobody takes in time", { timeout: 240_000 }, () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.start();
  });

  after(async () => {
    await scene?.close();
  });

  it("attack: trains and commits to its next job while the first one's result waits for operators that stall", {
    timeout: 120_000,
  }, async () => {
    const { consumer } = scene;
    const account = scene.account();
    await scene.stake(account);
    const real = scene.storage.of(account);
    const stalled: string[] = [];
    const held = new AbortController();
    const provider = await scene.openProvider(account, {
      mostJobs: 2,
      patience: 200,
      storage: () => ({
        ...real,
        store: async (parameters) => {
          if (stalled.length === 0) stalled.push(parameters.name);
          if (stalled.includes(parameters.name) && !held.signal.aborted) {
            const either = AbortSignal.any([held.signal, parameters.signal!]);
            await delay(100_000, undefined, { signal: either }).catch(() => undefined);
            parameters.signal!.throwIfAborted();
          }
          return await real.store(parameters);
        },
      }),
    });
    const pausing = { tick: () => delay(100) };
    const first = await scene.order();
    await consumer.post(first);
    await scene.untilHolds("the first job's store", [provider, pausing], () => stalled.length > 0);
    const second = await scene.order();
    await consumer.post(second);
    await scene.until(second, "Committed", [provider, pausing]);
    assert.equal(scene.job(first)!.status, "Training");
    assert.deepEqual(stalled, [`job-${scene.job(first)!.jobId}`]);
    held.abort();
    await scene.until(first, "Committed", [provider, pausing]);
    await provider.stop();
  });
});
