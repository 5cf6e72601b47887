import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { committee, windows } from "../jobs/network.ts";
import { CommitteeScene, checkFee, stake } from "./committee-scene.ts";

const size = 9;
const threshold = 5;

describe("a committee of keepers", () => {
  let stage: CommitteeScene;

  before(async () => {
    stage = await CommitteeScene.start(size);
  });

  after(async () => {
    await stage?.close();
  });

  it("checks, signs, reveals, and is paid; the job is attested and finalised", async () => {
    const { scene, keepers, seats } = stage;
    const { network, consumer } = scene;
    const { AssayToken, Committee, Escrow, Staking } = network.contracts;
    const described = await stage.order(size, threshold);
    const provider = await scene.provider();
    await consumer.post(described);
    const { jobId } = await scene.until(described, "Committed", [provider]);
    await stage.seed(jobId);
    await scene.until(described, "Attested", [...keepers, provider]);
    const { signers, differing } = await Committee.read.drawOf([jobId, 1n]);
    assert.deepEqual([signers, differing], [2n ** BigInt(size) - 1n, 0n]);
    await network.chain.advance(windows.challenge + 1);
    await scene.until(described, "Finalised", [...keepers, provider]);
    await scene.settle([...keepers, provider]);
    const fees = BigInt(committee.checks) * checkFee;
    for (const { account } of seats) {
      assert.equal(await AssayToken.read.balanceOf([account.address]), fees);
      const operator = await Staking.read.operatorOf([account.address]);
      assert.equal(operator.stake, stake);
    }
    assert.equal(await AssayToken.read.balanceOf([Escrow.address]), 0n);
    assert.equal((await Committee.read.drawOf([jobId, 1n])).isDismissed, true);
    await provider.stop();
  });
});
