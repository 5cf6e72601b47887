import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import type { ResultStorage } from "../../../../keepers/src/roles/jobs/job-storage.ts";
import { Scene } from "../jobs/scene.ts";

describe("a provider that has won more than one job", () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.start();
  });

  after(async () => {
    await scene?.close();
  });

  it("attack: locks one whose data is there while another one's holders never end their answer", async () => {
    const account = scene.account();
    await scene.stake(account);
    const honest = scene.storage.of(account);
    let slow = "";
    let asked = 0;
    let ended = 0;
    const storage: ResultStorage = {
      ...honest,
      async objects(datasetId, directory, signal) {
        if (slow === "" || !directory.includes(slow)) return honest.objects(datasetId, directory, signal);
        asked++;
        await once(signal!, "abort");
        ended++;
        throw signal!.reason;
      },
    };
    const keeper = await scene.openProvider(account, { storage: () => storage, mostJobs: 2, patience: 500 });
    const decoy = await scene.order();
    await scene.consumer.post(decoy);
    const { jobId } = await scene.until(decoy, "Matched", [keeper]);
    slow = `/${jobId}/`;
    const real = await scene.order();
    await scene.consumer.post(real);
    await scene.until(real, "Training", [keeper]);
    assert.equal(scene.job(decoy)!.status, "Matched");
    assert.equal(asked, 1, "and not once more at each look");
    await keeper.stop();
    assert.equal(ended, 1, "a stop ends it");
  });
});
