import assert from "node:assert/strict";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { LocalAccount } from "viem";
import { encodeCall } from "../../../../keepers/src/chain/contracts.ts";
import { decodeLeaves, resultFiles } from "../../../../keepers/src/core/exact/result-files.ts";
import type { DescribedOrder } from "../../../../keepers/src/roles/consumer/describe-order.ts";
import { fetchModel } from "../../../../keepers/src/roles/consumer/fetch-model.ts";
import type { ChallengeRecord } from "../../../../keepers/src/roles/jobs/challenge-record.ts";
import type { JobRecord } from "../../../../keepers/src/roles/jobs/job-record.ts";
import type { StreamParameters } from "../../../../keepers/src/storage/client/stored-stream.ts";
import { openLeaf } from "../../../../keepers/src/training/dispute/leaves.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { challengerBond, tokens, windows } from "./network.ts";
import { cheat, limits, Scene } from "./scene.ts";

describe("a dispute between keepers", () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.start();
  });

  after(async () => {
    await scene?.close();
  });

  it("finds a lie behind leaves that are withheld: the trace is asked for on chain", async () => {
    const { storage, consumer } = scene;
    const described = await scene.order();
    const cheater = await scene.provider({ worker: cheat });
    await consumer.post(described);
    const { result } = await scene.until(described, "Committed", [cheater]);
    await rm(join(storage.folderOf(result!.resultId), resultFiles.leaves));
    const watcher = await scene.challenger();
    const job = await scene.until(described, "Failed", [cheater, watcher]);
    await scene.settle([watcher]);
    const challenges = watcher.ledger.challengesOf(job.jobId);
    assert.ok(challenges.every(({ interval }) => interval === 2n ** 32n - 1n));
    assert.ok(challenges.some(({ outcome }) => outcome === "convicted"));
  });

  it("convicts by timeout a provider that withholds everything and answers nothing", async () => {
    const { network, storage, consumer } = scene;
    const described = await scene.order();
    const cheater = await scene.provider({ worker: cheat });
    await consumer.post(described);
    const { result } = await scene.until(described, "Committed", [cheater]);
    storage.withheld.add(result!.resultId);
    await cheater.stop();
    const watcher = await scene.challenger();
    await scene.untilHolds("the challenge", [watcher], () => watcher.ledger.openChallenges().length > 0);
    await network.chain.advance(windows.dispute + 1);
    await scene.settle([watcher]);
    await network.chain.advance(windows.grace + 1);
    const job = await scene.until(described, "Failed", [watcher]);
    assert.equal(job.failure, `0x${Buffer.from("convicted").toString("hex").padEnd(64, "0")}`);
  });

  it("leaves an honest provider alone whose leaves cannot be fetched, once its result is found right", async () => {
    const { storage, consumer } = scene;
    const described = await scene.order();
    const provider = await scene.provider();
    await consumer.post(described);
    const { result, jobId } = await scene.until(described, "Committed", [provider]);
    storage.withheld.add(result!.resultId);
    const watcher = await scene.challenger();
    await scene.settle([watcher, provider]);
    assert.deepEqual(watcher.ledger.challengesOf(jobId), []);
    await scene.network.outlast(windows.challenge);
    await scene.until(described, "Finalised", [provider]);
  });

  /** Challenges an interval that is right, as anybody may who has the bond. */
  const sue = async (liar: LocalAccount, { jobId, result }: JobRecord, described: DescribedOrder) => {
    const file = await readFile(join(scene.storage.folderOf(result!.resultId), resultFiles.leaves));
    const leaves = decodeLeaves(file, described.trainingOrder);
    const args = [jobId, 3n, openLeaf(leaves, 3), openLeaf(leaves, 4)] as const;
    const { deployment, send } = scene.network;
    await send(liar, encodeCall(deployment, "DisputeGame", "challenge", args, challengerBond));
  };

  it("is won by an honest provider against a sham challenge, whose bond it gets half of", async () => {
    const { network, consumer } = scene;
    const described = await scene.order();
    const provider = await scene.provider();
    await consumer.post(described);
    const job = await scene.until(described, "Committed", [provider]);
    await sue(scene.account(), job, described);
    // The honest side answers; the liar has nothing to name, and time runs out for it.
    await scene.settle([provider]);
    await network.chain.advance(windows.dispute + 1);
    await scene.settle([provider]);
    await network.chain.advance(windows.grace + 1);
    await scene.settle([provider]);
    const [challenge] = provider.ledger.challengesOf(job.jobId);
    assert.equal(challenge?.outcome, "lost");
    await network.outlast(windows.challenge);
    const coins = await network.chain.balanceOf(job.provider!);
    await scene.until(described, "Finalised", [provider]);
    await scene.settle([provider]);
    assert.ok((await network.chain.balanceOf(job.provider!)) > coins + challengerBond / 2n - 10n ** 16n);
    const { stake, locked } = await network.contracts.Staking.read.operatorOf([job.provider!]);
    assert.deepEqual([stake, locked], [1_000n * tokens, 0n]);
  });

  it("convicts no honest provider that was offline until its timeout was called, and is back within the grace", async () => {
    const { network, consumer } = scene;
    const account = scene.account();
    await scene.stake(account);
    const described = await scene.order();
    const first = await scene.openProvider(account);
    await consumer.post(described);
    const job = await scene.until(described, "Committed", [first]);
    await first.stop();
    const liar = scene.account();
    await sue(liar, job, described);
    await network.chain.advance(windows.dispute + 1);
    const [{ challengeId }] = await untilChallenged(job.jobId);
    await network.send(liar, encodeCall(network.deployment, "DisputeGame", "callTimeout", [challengeId]));
    const second = await scene.openProvider(account);
    await scene.settle([second]);
    const challenge = second.ledger.challenge(challengeId)!;
    assert.deepEqual([challenge.answers.length, challenge.graceEnds], [1, undefined]);
    await network.chain.advance(windows.dispute + 1);
    await scene.settle([second]);
    await network.chain.advance(windows.grace + 1);
    await scene.settle([second]);
    assert.equal(second.ledger.challenge(challengeId)!.outcome, "lost");
    await second.stop();
  });

  const untilChallenged = async (jobId: bigint) => {
    await scene.consumer.catchUp();
    return scene.consumer.ledger.challengesOf(jobId) as [ChallengeRecord];
  };

  it("ends by anybody's hand when both sides have gone away", async () => {
    const { network, consumer } = scene;
    const described = await scene.order();
    const provider = await scene.provider();
    await consumer.post(described);
    const job = await scene.until(described, "Committed", [provider]);
    await sue(scene.account(), job, described);
    await provider.tick();
    await provider.stop();
    const janitor = await scene.janitor();
    await network.chain.advance(windows.dispute + 1);
    await janitor.tick();
    await network.chain.advance(windows.grace + 1);
    await janitor.tick();
    await network.outlast(windows.challenge);
    await janitor.tick();
    await janitor.tick();
    assert.equal(janitor.ledger.job(job.jobId)!.status, "Finalised");
    assert.deepEqual(janitor.ledger.openChallenges(), []);
  });

  it("is settled by a janitor when whoever convicted does nothing more, once", async () => {
    const { network, consumer } = scene;
    const { deployment, send, contracts } = network;
    const described = await scene.order();
    const provider = await scene.provider();
    await consumer.post(described);
    const committed = await scene.until(described, "Committed", [provider]);
    const { jobId } = committed;
    await provider.stop();
    const liar = scene.account();
    await sue(liar, committed, described);
    const [{ challengeId }] = await untilChallenged(jobId);
    await network.chain.advance(windows.dispute + 1);
    await send(liar, encodeCall(deployment, "DisputeGame", "callTimeout", [challengeId]));
    await network.chain.advance(windows.grace + 1);
    await send(liar, encodeCall(deployment, "DisputeGame", "executeTimeout", [challengeId]));
    await consumer.catchUp();
    const job = consumer.ledger.job(jobId)!;
    assert.deepEqual([job.status, job.isOwed], ["Failed", true]);
    assert.equal(job.failure, `0x${Buffer.from("convicted").toString("hex").padEnd(64, "0")}`);
    assert.equal((await contracts.Staking.read.operatorOf([job.provider!])).locked, job.stake);
    for (const janitor of [await scene.janitor(), await scene.janitor()]) {
      await janitor.tick();
      await janitor.catchUp();
      assert.equal(janitor.ledger.job(jobId)!.isOwed, false);
      await janitor.tick();
    }
    const { stake, locked } = await contracts.Staking.read.operatorOf([job.provider!]);
    assert.deepEqual([stake, locked], [1_000n * tokens - job.stake!, 0n]);
  });

  it("finds a stored state that is another one than was committed to", async () => {
    const { storage, consumer, owner, network } = scene;
    const described = await scene.order();
    const provider = await scene.provider();
    await consumer.post(described);
    const job = await scene.until(described, "Committed", [provider]);
    const path = join(storage.folderOf(job.result!.resultId), resultFiles.state);
    const bytes = await readFile(path);
    bytes[40] = bytes[40]! ^ 1;
    await writeFile(path, bytes);
    const honest = storage.of(owner);
    const other = {
      ...honest,
      stream: async (parameters: StreamParameters) => {
        const stream = await honest.stream(parameters);
        stream.bytes[40] = stream.bytes[40]! ^ 1;
        return stream;
      },
    };
    const parameters = {
      posted: consumer.ledger.order(described.orderHash)!,
      job,
      storage: other,
      executor: nativeExecutor,
      limits,
      folder: join(network.folder, "wrong-model"),
    };
    await assert.rejects(fetchModel(parameters), /not the one that was committed to/);
  });

  it("attack C4: convicts a provider of a right trace that has stored another state than it committed to", async () => {
    const { network, consumer, storage } = scene;
    const described = await scene.order();
    const account = scene.account();
    await scene.stake(account);
    const own = storage.of(account);
    const provider = await scene.openProvider(account, {
      storage: () => ({
        ...own,
        store: async (parameters) => {
          const path = join(parameters.folder, resultFiles.state);
          const bytes = await readFile(path);
          bytes[bytes.length - 1] = bytes[bytes.length - 1]! ^ 1;
          await writeFile(path, bytes);
          return await own.store(parameters);
        },
      }),
    });
    await consumer.post(described);
    await scene.until(described, "Committed", [provider]);
    const challenger = await scene.challenger();
    const job = await scene.until(described, "Failed", [challenger]);
    await scene.settle([provider, challenger]);
    assert.equal(job.failure, `0x${Buffer.from("misstored").toString("hex").padEnd(64, "0")}`);
    assert.equal(await network.contracts.Escrow.read.creditOf([account.address]), 0n);
    const { stake, locked } = await network.contracts.Staking.read.operatorOf([account.address]);
    assert.deepEqual([stake, locked], [1_000n * tokens - job.stake!, 0n]);
    await provider.stop();
  });
});
