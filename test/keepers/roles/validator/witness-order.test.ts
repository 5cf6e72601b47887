import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { schemes } from "../../../../keepers/src/core/market/types.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import type { Executor } from "../../../../keepers/src/training/executors/types.ts";
import { digitsConfig, type Scene } from "../jobs/scene.ts";
import { CommitteeScene, checkFee, falseWitnesses, phase, turnSeconds } from "./committee-scene.ts";

describe("false witnesses of a long job and of a short one", () => {
  /** Micro-batches of the long job, whose steps take long once it is held against the own run. */
  const longMicroBatch = 16;
  let isSlow = false;
  let stage: CommitteeScene;

  const executor: Executor = {
    ...nativeExecutor,
    async open(program, options) {
      const session = await nativeExecutor.open(program, options);
      const run = session.run.bind(session);
      session.run = async (steps) => {
        if (isSlow && program.microBatch === longMicroBatch) await delay(100 * steps.length);
        return await run(steps);
      };
      return session;
    },
  };

  before(async () => {
    stage = await CommitteeScene.start(1, { executor });
  });
  after(async () => {
    await stage?.close();
  });

  it("attack: are challenged in the short one first, although the long one was opened first", async () => {
    const { scene, keepers } = stage;
    const conditions = { scheme: schemes.both, committeeSize: 1, threshold: 1, checkFee };
    const long = { ...digitsConfig, microBatch: longMicroBatch } as Parameters<Scene["order"]>[0];
    const provider = await scene.provider({ worker: falseWitnesses });
    const jobs: bigint[] = [];
    for (const config of [long, digitsConfig]) {
      const described = await scene.order(config, conditions);
      await scene.consumer.post(described);
      const { jobId } = await scene.until(described, "Committed", [provider]);
      await stage.seed(jobId);
      jobs.push(jobId);
    }
    await scene.settle(keepers, 2);
    await scene.network.chain.advance(turnSeconds);
    await scene.settle(keepers, 2);
    for (const jobId of jobs) assert.equal(await stage.phaseOf(jobId), phase.opening);
    await scene.settle([provider], 1);
    for (const jobId of jobs) assert.equal(await stage.phaseOf(jobId), phase.revealing);
    isSlow = true;
    const [keeper] = keepers;
    const challenged = () => jobs.filter((jobId) => keeper!.ledger.challengesOf(jobId).length > 0);
    await scene.untilHolds("both challenges", keepers, () => challenged().length === 2);
    const { DisputeGame } = scene.network.contracts;
    const events = await scene.network.client.public.getContractEvents({
      ...{ address: DisputeGame.address, abi: DisputeGame.abi, eventName: "Challenged" },
      ...{ fromBlock: 0n, strict: true },
    });
    const order = events.map(({ args }) => (args as { jobId: bigint }).jobId);
    assert.deepEqual(
      order.filter((jobId) => jobs.includes(jobId)),
      jobs.toReversed(),
    );
    await provider.stop();
  });
});
