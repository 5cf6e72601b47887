import assert from "node:assert/strict";
import { mkdir, readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pino } from "pino";
import type { LocalAccount } from "viem";
import { challengeJob, intervalOf } from "../../../../keepers/src/roles/challenger/challenge-job.ts";
import { keptFolder } from "../../../../keepers/src/roles/challenger/misstored.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { windows } from "../jobs/network.ts";
import { cheat, limits, Scene, type Ticking } from "../jobs/scene.ts";

describe("the challenge of one job", () => {
  let scene: Scene;
  before(async () => {
    scene = await Scene.start();
  });
  after(() => scene?.close());

  /** Looks at a job while others go on. */
  async function look(
    account: LocalAccount,
    jobId: bigint,
    others: readonly Ticking[] = [],
    changes: Partial<Parameters<typeof challengeJob>[0]> = {},
  ) {
    const { network, storage } = scene;
    let isOver = false;
    const report = challengeJob({
      dataDirectory: join(network.folder, "challenges", account.address),
      account,
      chain: network.client,
      deployment: network.deployment,
      log: pino({ level: "silent" }),
      interval: 20,
      storage: storage.of(account),
      executor: nativeExecutor,
      limits,
      jobId,
      ...changes,
    }).finally(() => {
      isOver = true;
    });
    report.catch(() => undefined);
    while (!isOver) {
      for (const other of others) await other.tick();
      await new Promise((done) => setTimeout(done, 10));
    }
    return await report;
  }

  it("says plainly that nothing is wrong, and stakes nothing", async () => {
    const provider = await scene.provider();
    const described = await scene.order();
    await scene.consumer.post(described);
    const { jobId } = await scene.until(described, "Committed", [provider]);
    const account = scene.account();
    const jobs = join(scene.network.folder, "challenges", account.address, "jobs");
    const kept = keptFolder(jobs, jobId);
    await mkdir(kept, { recursive: true });
    const report = await look(account, jobId);
    assert.equal(report.outcome, "right");
    const left = await readdir(join(kept, ".."));
    assert.ok(left.length > 0 && !left.includes(basename(kept)), "what was kept is of no use any more");
    assert.deepEqual(report.challenges, []);
    assert.equal(await scene.network.client.public.getTransactionCount({ address: account.address }), 0);
    await assert.rejects(look(scene.account(), 99n), /no job 99/);
    await provider.stop();
  });

  it("finds the flipped bit, goes on after an interruption in the middle, convicts, and collects later", async () => {
    const { network, consumer } = scene;
    const cheater = await scene.provider({ worker: cheat });
    const described = await scene.order();
    await consumer.post(described);
    const { jobId } = await scene.until(described, "Committed", [cheater]);
    const account = scene.account();
    const coins = await network.chain.balanceOf(account.address);

    const interruption = new AbortController();
    let told = 0;
    const onChallenge = () => {
      if (++told === 2) interruption.abort(new Error("interrupted"));
    };
    const { signal } = interruption;
    await assert.rejects(look(account, jobId, [cheater], { signal, onChallenge }), { name: "AbortError" });

    const report = await look(account, jobId, [cheater]);
    assert.equal(report.outcome, "convicted");
    assert.equal(report.challenges.length, 1);
    assert.equal(intervalOf(report.challenges[0]!), 4n);
    assert.ok(report.rewardAfter! > 0n);
    await network.chain.advance(windows.dispute + 1);
    const collected = await look(account, jobId, [cheater]);
    assert.deepEqual([collected.outcome, collected.rewardAfter], ["convicted", undefined]);
    assert.equal(await network.contracts.DisputeGame.read.creditOf([account.address]), 0n);
    assert.ok((await network.chain.balanceOf(account.address)) > coins, "who challenges rightly gains");

    await assert.rejects(look(scene.account(), jobId), /takes no challenges any more/);
  });

  it("is refused before anything was committed, after the window, and of one's own work", async () => {
    const { network, consumer } = scene;
    const own = scene.account();
    await scene.stake(own);
    const provider = await scene.openProvider(own);
    const described = await scene.order();
    await consumer.post(described);
    await scene.untilHolds("a job", [provider], () => scene.job(described) !== undefined);
    const { jobId } = scene.job(described)!;
    if (scene.job(described)!.result === undefined) {
      await assert.rejects(look(scene.account(), jobId), /nothing was committed/);
    }
    await scene.until(described, "Committed", [provider]);
    await provider.stop();
    await assert.rejects(look(own, jobId), /their own work/);
    await network.outlast(windows.challenge);
    await assert.rejects(look(scene.account(), jobId), /takes no challenges any more/);
  });
});
