import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { pino } from "pino";
import { Registry } from "prom-client";
import { type Abi, type Hex, type LocalAccount, parseEventLogs } from "viem";
import { abis } from "../../../../keepers/src/chain/abi/index.ts";
import { encodeCall } from "../../../../keepers/src/chain/contracts.ts";
import { createFollower } from "../../../../keepers/src/chain/follower/follower.ts";
import { followerSchema } from "../../../../keepers/src/chain/follower/store.ts";
import { createTransactionQueue } from "../../../../keepers/src/chain/transactions/queue.ts";
import { transactionSchema } from "../../../../keepers/src/chain/transactions/store.ts";
import { cellBytes } from "../../../../keepers/src/core/dataset/shape.ts";
import { bundleId } from "../../../../keepers/src/core/ids.ts";
import { BinaryTree } from "../../../../keepers/src/core/merkle/binary-tree.ts";
import type { BundleCommitment } from "../../../../keepers/src/core/merkle/bundle-commitment.ts";
import { leafHash } from "../../../../keepers/src/core/merkle/keccak.ts";
import { describeOrder } from "../../../../keepers/src/roles/consumer/describe-order.ts";
import type { JobKeeper } from "../../../../keepers/src/roles/jobs/job-keeper.ts";
import type { JobRecord } from "../../../../keepers/src/roles/jobs/job-record.ts";
import { Ledger, ledgerHandler, ledgerSchema } from "../../../../keepers/src/roles/storage-node/ledger.ts";
import { Publisher } from "../../../../keepers/src/roles/storage-node/publisher.ts";
import type { ShelvedBundle } from "../../../../keepers/src/roles/storage-node/shelf.ts";
import type { UnservedBundle } from "../../../../keepers/src/storage/client/probe.ts";
import { transportRootOf } from "../../../../keepers/src/storage/client/roots.ts";
import { readDigits } from "../../../../keepers/src/storage/readers/digits.ts";
import { openState } from "../../../../keepers/src/storage/state/state.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { retrieval, tokens, windows } from "../jobs/network.ts";
import { digitsConfig, maximumPrice, Scene } from "../jobs/scene.ts";
import { heldBytes, proofOf } from "../jobs/storage-double.ts";

/** Windows of an auction, in chain seconds. */
const half = 600;
const bond = maximumPrice / 10n;

describe("a winner that cannot have the data", () => {
  let scene: Scene;
  let holders: LocalAccount[];
  let datasetId: Hex;
  let bytes: Uint8Array;
  let unserved: UnservedBundle;
  /** What the probe says, and how often it was asked. */
  let served = false;
  let probes = 0;

  before(async () => {
    scene = await Scene.start();
    const { network, storage, owner } = scene;
    holders = [scene.account(), scene.account(), scene.account()];
    for (const account of holders) {
      const { deployment } = network;
      const amount = 1_000n * tokens;
      const { Staking } = deployment.addresses;
      await network.give(account.address, amount);
      await network.send(account, encodeCall(deployment, "AssayToken", "approve", [Staking, amount]));
      await network.send(
        account,
        encodeCall(deployment, "Staking", "register", [1, "0x01", "/ip4/127.0.0.1/tcp/1"]),
      );
      await network.send(account, encodeCall(deployment, "Staking", "stake", [amount]));
    }
    const digits = await readDigits();
    datasetId = await storage.putObjects(owner, digits, holders);
    const { shape } = await network.contracts.DatasetRegistry.read.datasetOf([datasetId]);
    bytes = heldBytes({ ...shape, objectCount: Number(shape.objectCount) });
    const transportRoot = transportRootOf(bytes);
    unserved = {
      bundleId: bundleId(datasetId, 1),
      operator: holders[1]!.address,
      cells: Math.ceil(bytes.length / cellBytes),
      transportRoot,
      proof: proofOf(1, transportRoot),
    };
  });

  after(async () => {
    await scene?.close();
  });

  /** An auction that a provider with this budget has won; it has not been ticked since. */
  async function won(budget: bigint) {
    const { consumer, network, owner, storage } = scene;
    const described = await describeOrder({
      consumer: owner.address,
      config: digitsConfig,
      dataset: await storage.of(owner).objects(datasetId, ""),
      folder: network.folder,
      executor: nativeExecutor,
      conditions: { maximumPrice, trainingTime: 3_600 },
      expiry: BigInt(await network.chain.now()) + 7_200n,
    });
    [served, probes] = [false, 0];
    const metrics = new Registry();
    const provider = await scene.provider({
      metrics,
      pleading: {
        probe: async () => {
          probes++;
          return served ? undefined : unserved;
        },
        budget,
        attempts: 2,
        pause: 10n,
      },
    });
    await consumer.openAuction(described, { commitWindow: half, revealWindow: half, bond });
    await scene.settle([provider]);
    await network.chain.advance(half + 1);
    await scene.settle([provider]);
    await network.chain.advance(half + 1);
    await scene.until(described, "Matched", []);
    return { described, provider, metrics };
  }

  /** Names of the events that a contract has written since a block. */
  async function eventsOf(contract: "Market" | "RetrievalChallenges", fromBlock: bigint): Promise<string[]> {
    const { client, deployment } = scene.network;
    const logs = await client.public.getLogs({ address: deployment.addresses[contract], fromBlock });
    const abi: Abi = abis[contract];
    return parseEventLogs({ abi, logs }).map(({ eventName }) => eventName as string);
  }

  const advance = (seconds: number) => scene.network.chain.advance(seconds);
  const head = () => scene.network.client.public.getBlockNumber();
  const credit = async (keeper: { address: Hex }) =>
    scene.network.contracts.RetrievalChallenges.read.creditOf([keeper.address]);

  async function tried(provider: JobKeeper, times: number): Promise<void> {
    for (let i = 0; i < times; i++) {
      await provider.tick();
      await provider.tick();
      await advance(11);
    }
  }

  it("locks nothing, and locks when the data is there again", async () => {
    const { described, provider } = await won(0n);
    await tried(provider, 1);
    assert.equal(probes, 1, "between two tries there is a pause");
    await scene.consumer.tick();
    assert.equal(scene.job(described)!.status, "Matched");
    served = true;
    await scene.until(described, "Committed", [provider]);
    await provider.stop();
  });

  it("locks nothing while only a sample can be had, and the rest is refused", async () => {
    const { described, provider } = await won(0n);
    served = true;
    scene.storage.withheld.add(datasetId);
    await tried(provider, 2);
    await scene.consumer.tick();
    assert.equal(probes, 4);
    assert.equal(scene.job(described)!.status, "Matched");
    scene.storage.withheld.delete(datasetId);
    await scene.until(described, "Committed", [provider]);
    await provider.stop();
  });

  it("spends no more on challenges than it may", async () => {
    const { provider } = await won(retrieval.bond - 1n);
    const from = await head();
    await tried(provider, 4);
    assert.equal(probes, 4);
    assert.deepEqual(await eventsOf("RetrievalChallenges", from), []);
    await advance(windows.lock + 1);
    await scene.settle([provider]);
    await provider.stop();
  });

  it("challenges a holder after refusals, pleads, has it slashed, and keeps its bond", async () => {
    const { network } = scene;
    const { Market, RetrievalChallenges, BundleRegistry } = network.contracts;
    const { provider, metrics } = await won(retrieval.bond);
    const from = await head();
    await tried(provider, 1);
    assert.deepEqual(await eventsOf("RetrievalChallenges", from), []);
    await tried(provider, 3);
    assert.deepEqual(await eventsOf("RetrievalChallenges", from), ["RetrievalChallenged"]);
    assert.ok((await eventsOf("Market", from)).includes("WalkPleaded"));
    await advance(retrieval.window + 1);
    await provider.tick();
    await advance(retrieval.grace + 1);
    await provider.tick();
    await provider.tick();
    assert.deepEqual(await eventsOf("RetrievalChallenges", from), [
      "RetrievalChallenged",
      "RetrievalTimeoutCalled",
      "RetrievalFailed",
      "CreditWithdrawn",
    ]);
    assert.equal((await BundleRegistry.read.holdingOf([unserved.bundleId])).cells, 0);
    assert.equal(await network.client.public.getBalance({ address: RetrievalChallenges.address }), 0n);
    await advance(7_200);
    await scene.settle([provider], 6);
    const market = await eventsOf("Market", from);
    assert.ok(market.includes("BondReturned") && !market.includes("BondLost"), `${market}`);
    assert.equal(await Market.read.creditOf([scene.owner.address]), 0n);
    const steps = (await metrics.getSingleMetric("assay_retrieval_steps_total")!.get()).values;
    assert.deepEqual(
      steps.map(({ labels, value }) => [labels.step, value]),
      [
        ["challenged", 1],
        ["pleaded", 1],
        ["slashed", 1],
      ],
    );
    await provider.stop();
  });

  it("is answered by a holder that has the cell, which gets the coins that went with the question", async () => {
    const { network } = scene;
    unserved = { ...unserved, bundleId: bundleId(datasetId, 2), operator: holders[2]!.address };
    unserved = { ...unserved, proof: proofOf(2, unserved.transportRoot) };
    const { provider } = await won(retrieval.bond);
    const from = await head();
    const node = await openPublisher(holders[2]!);
    await tried(provider, 3);
    await node.follower.catchUp();
    assert.equal(await node.publisher.tick(new AbortController().signal), 1);
    await node.follower.catchUp();
    assert.equal(await node.publisher.tick(new AbortController().signal), 0);
    assert.deepEqual(await eventsOf("RetrievalChallenges", from), [
      "RetrievalChallenged",
      "CellPublished",
      "CreditWithdrawn",
    ]);
    assert.equal(await credit(holders[2]!), 0n);
    assert.equal(
      await network.client.public.getBalance({ address: network.deployment.addresses.RetrievalChallenges }),
      0n,
    );
    node.state.close();
    await provider.stop();
  });

  it("keeps what it has promised while it looks at an order that takes for ever", async () => {
    const { consumer, storage, owner } = scene;
    let isLooking = () => {};
    const looking = new Promise<void>((resolve) => {
      isLooking = resolve;
    });
    let takesLong = false;
    const provider = await scene.provider({
      mostJobs: 2,
      storage: () => ({
        ...storage.of(owner),
        async objects(id, directory, signal) {
          if (!takesLong || !directory.includes("orders")) return storage.of(owner).objects(id, directory);
          isLooking();
          return new Promise((_, reject) => signal!.addEventListener("abort", () => reject(signal!.reason)));
        },
      }),
    });
    const described = await scene.order();
    await consumer.openAuction(described, { commitWindow: half, revealWindow: half, bond });
    await scene.settle([provider]);
    takesLong = true;
    await consumer.post(await scene.order({ ...digitsConfig, seed: 8 }));
    provider.run();
    await looking;
    await advance(half + 1);
    const seen = async (isSo: (job: JobRecord) => boolean) => {
      for (;;) {
        await consumer.tick();
        const job = scene.job(described);
        if (job !== undefined && isSo(job)) return;
        await delay(20);
      }
    };
    await seen(({ auction }) => [...(auction?.bids.values() ?? [])].some(({ price }) => price !== undefined));
    await advance(half + 1);
    await seen(({ status }) => status !== "Open" && status !== "Matched");
    await provider.stop();
  });

  /** The part of a storage node that answers retrieval challenges, over a shelf with what the holders hold. */
  async function openPublisher(account: LocalAccount) {
    const { network } = scene;
    const { client, deployment, contracts, folder } = network;
    const log = pino({ level: "silent" });
    const state = openState({
      path: join(folder, "publisher.sqlite"),
      schemas: [followerSchema, transactionSchema, ledgerSchema],
    });
    const queue = createTransactionQueue({ client, state, account, pollInterval: 20 });
    const follower = createFollower({
      client,
      state,
      deployment,
      contracts: ["DatasetRegistry", "BundleRegistry", "RetrievalChallenges"],
      handler: ledgerHandler,
      pollInterval: 20,
    });
    const cellOf = (index: number) => {
      const cell = new Uint8Array(cellBytes);
      cell.set(bytes.subarray(index * cellBytes, (index + 1) * cellBytes));
      return cell;
    };
    const leaves = new Uint8Array(32 * unserved.cells);
    for (let i = 0; i < unserved.cells; i++) leaves.set(leafHash(cellOf(i)), 32 * i);
    const commitment = { transport: new BinaryTree(leaves) } as BundleCommitment;
    const context = { operator: account.address, client, deployment, contracts, queue, log };
    const publisher = new Publisher({
      ...context,
      ledger: new Ledger(state),
      shelf: { byId: (id) => ({ bundleId: id }) as ShelvedBundle },
      vault: { cells: async (_, indices) => indices.map(cellOf), commitment: async () => commitment },
    });
    return { publisher, follower, state };
  }
});
