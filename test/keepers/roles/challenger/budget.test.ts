import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { JobStorage } from "../../../../keepers/src/roles/jobs/job-storage.ts";
import { cheat, Scene, type Ticking } from "../jobs/scene.ts";

/** Lets a little time pass between the ticks of others. */
const pausing: Ticking = { tick: () => delay(200) };
/** Micro-batches of each job here: all that the challenger executes at a time. */
const budget = 40;

describe("a challenger whose budget is used up", () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.start();
  });

  after(async () => {
    await scene?.close();
  });

  it("attack: finds a lie that was committed to while a decoy took all of it", async () => {
    const decoy = await scene.order();
    const honest = await scene.provider();
    await scene.consumer.post(decoy);
    const { result } = await scene.until(decoy, "Committed", [honest]);
    await honest.stop();
    const account = scene.account();
    const real = scene.storage.of(account);
    const held = Promise.withResolvers<never>();
    held.promise.catch(() => undefined);
    // The decoy's holders answer when the lie has been seen.
    const storage: JobStorage = {
      ...real,
      folder: (parameters) =>
        parameters.datasetId === result!.resultId ? held.promise : real.folder(parameters),
    };
    const watcher = await scene.challenger(account, { storage, budget, patience: 100 });
    await scene.settle([watcher]);

    const lie = await scene.order();
    const cheater = await scene.provider({ worker: cheat });
    await scene.consumer.post(lie);
    const { jobId } = await scene.until(lie, "Committed", [cheater]);
    await cheater.stop();
    await scene.settle([watcher, pausing]);
    assert.deepEqual(watcher.ledger.challengesOf(jobId), [], "there is no room for it yet");
    held.reject(new Error("the holders hang up"));
    await scene.untilHolds("the challenge", [watcher, pausing], () => {
      return watcher.ledger.challengesOf(jobId).length > 0;
    });
    await watcher.stop();
  });
});
