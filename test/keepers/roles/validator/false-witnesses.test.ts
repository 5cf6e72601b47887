import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { toHex } from "viem";
import { maskOf } from "../../../../keepers/src/core/attestation/statement.ts";
import type { JobKeeper } from "../../../../keepers/src/roles/jobs/job-keeper.ts";
import { windows } from "../jobs/network.ts";
import { CommitteeScene, falseWitnesses, phase, turnSeconds } from "./committee-scene.ts";

const size = 3;

describe("a provider that binds false witnesses to right states", () => {
  let stage: CommitteeScene;

  before(async () => {
    stage = await CommitteeScene.start(size);
  });

  after(async () => {
    await stage?.close();
  });

  /** A job whose members have signed what they computed, and whose provider is about to open something else. */
  const signed = async () => {
    const { scene, keepers } = stage;
    const described = await stage.order(size, size);
    const provider = await scene.provider({ worker: falseWitnesses });
    await scene.consumer.post(described);
    const { jobId } = await scene.until(described, "Committed", [provider]);
    await stage.seed(jobId);
    return { described, provider, jobId, keepers };
  };

  const attested = async (jobId: bigint, keepers: readonly JobKeeper[]) => {
    const { scene } = stage;
    await scene.settle(keepers, 2);
    await scene.network.chain.advance(size * turnSeconds);
    await scene.settle(keepers, 2);
    assert.equal(await stage.phaseOf(jobId), phase.opening);
  };

  /** Ticks keepers, as time goes on, until nobody is waited for any more. */
  const played = async (described: { orderHash: `0x${string}` }, keepers: readonly JobKeeper[]) => {
    const { scene } = stage;
    for (let round = 0; round < 4 && scene.job(described)!.status !== "Failed"; round++) {
      await scene.settle(keepers, 6);
      if (scene.job(described)!.status === "Failed") break;
      await scene.network.chain.advance(windows.dispute + 1);
      await scene.settle(keepers, 1);
      await scene.network.chain.advance(windows.grace + 1);
      await scene.settle(keepers, 1);
    }
    assert.equal(scene.job(described)!.status, "Failed");
    assert.match(scene.job(described)!.failure!, new RegExp(Buffer.from("convicted").toString("hex")));
  };

  it("attack: is convicted by the members whom it would have had slashed, and none of them is", async () => {
    const { scene, seats } = stage;
    const before = await stage.purses();
    const { described, provider, jobId, keepers } = await signed();
    await attested(jobId, keepers);
    await scene.settle([provider], 1);
    assert.equal(await stage.phaseOf(jobId), phase.revealing);
    await scene.network.chain.advance(size * turnSeconds);
    await scene.settle([keepers[0]!], 1);
    assert.equal(await stage.differingOf(jobId), maskOf([0, 1, 2]), "every honest member is said to differ");
    await played(described, [...keepers, provider]);
    await scene.settle(keepers);
    const stakes = (await stage.purses()).map((purse) => purse.stake);
    assert.deepEqual(
      stakes,
      before.map((purse) => purse.stake),
    );
    const challenges = scene.consumer.ledger.challengesOf(jobId);
    assert.ok(
      challenges.every(({ challenger }) => seats.some(({ account }) => account.address === challenger)),
    );
    await provider.stop();
  });

  it("attack: is convicted by a challenger that had found the job right", async () => {
    const { scene } = stage;
    const before = await stage.purses();
    const { described, provider, jobId, keepers } = await signed();
    const account = scene.account();
    const watcher = await scene.challenger(account);
    await scene.settle([watcher], 2);
    assert.deepEqual(watcher.ledger.challengesOf(jobId), [], "salts hide what the leaves bind");
    await attested(jobId, keepers);
    await scene.settle([provider], 1);
    await played(described, [watcher, provider]);
    const challenges = watcher.ledger.challengesOf(jobId);
    assert.deepEqual(
      challenges.map(({ challenger }) => challenger),
      [account.address],
    );
    await scene.network.chain.advance(size * turnSeconds);
    await scene.settle(keepers);
    const stakes = (await stage.purses()).map((purse) => purse.stake);
    assert.deepEqual(
      stakes,
      before.map((purse) => purse.stake),
    );
    await provider.stop();
  });

  it("is challenged although its challenger could not pay for the bond when it looked", async () => {
    const { scene } = stage;
    const { provider, jobId, keepers } = await signed();
    const account = scene.account();
    const watcher = await scene.challenger(account);
    await scene.settle([watcher], 2);
    await attested(jobId, keepers);
    await scene.settle([provider], 1);
    const { client } = scene.network;
    const balance = await client.public.getBalance({ address: account.address });
    const set = (coins: bigint) => client.request("hardhat_setBalance", [account.address, toHex(coins)]);
    const challenges = () => watcher.ledger.challengesOf(jobId);
    await set(0n);
    await scene.settle([watcher], 4);
    assert.deepEqual(challenges(), []);
    await set(balance);
    await scene.untilHolds("the challenge", [watcher], () => challenges().length === 1);
    await provider.stop();
  });
});
