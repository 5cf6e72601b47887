import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { decodeOrder } from "../../../../keepers/src/core/exact/decode-order.ts";
import { tokens } from "../jobs/network.ts";
import { CommitteeScene } from "../validator/committee-scene.ts";

describe("the price that a provider asks for a job with a committee", { timeout: 120_000 }, () => {
  let stage: CommitteeScene;

  before(async () => {
    stage = await CommitteeScene.start(2);
  });

  after(async () => {
    await stage?.close();
  });

  it("holds what it opens to each member, on top of the floor", async () => {
    const { scene } = stage;
    const [floor, perOpening] = [10n * tokens, tokens / 4n];
    const provider = await scene.provider({ costs: { perHour: 0n, floor, perOpening } });
    const described = await stage.order(2, 2);
    await scene.consumer.post(described);
    const job = await scene.until(described, "Training", [provider]);
    const { steps, interval } = decodeOrder(job.training);
    const checks = Number(await scene.network.contracts.Committee.read.checks());
    const openings = 2 * Math.min(checks, Math.ceil(steps / interval));
    assert.ok(openings > 0);
    assert.equal(job.price, floor + BigInt(openings) * perOpening);
  });
});
