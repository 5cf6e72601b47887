import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { zeroHash } from "viem";
import type { ChainClient } from "../../../../keepers/src/chain/client.ts";
import type { OfferedJob } from "../../../../keepers/src/roles/provider/worker-desk.ts";
import { bookSchema, WorkerBook } from "../../../../keepers/src/roles/worker/book.ts";
import { UnfairProviderError } from "../../../../keepers/src/roles/worker/errors.ts";
import { WorkerKeeper } from "../../../../keepers/src/roles/worker/keeper.ts";
import { privateFolder } from "../../../../keepers/src/storage/state/private-folder.ts";
import { openState } from "../../../../keepers/src/storage/state/state.ts";
import { createHost } from "../../../../keepers/src/storage/transport/host.ts";
import { MemoryRecords } from "../../../../keepers/src/training/cluster/records.ts";
import { ClusterSession } from "../../../../keepers/src/training/cluster/session.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { newRun } from "../../training/trainer/fixture.ts";
import { type JobNetwork, startJobNetwork } from "../jobs/network.ts";
import { log, startDesk } from "./support.ts";

const engine = { objectBytes: 65, microBatches: 8 };

describe("a worker whose provider's terms it does not take", { timeout: 120_000 }, () => {
  let network: JobNetwork;
  before(async () => {
    network = await startJobNetwork();
  });
  after(() => network.close());

  type Terms = { readonly pay?: OfferedJob["pay"]; readonly client?: ChainClient };
  let started = 0;

  /** A worker of a provider that pays nothing, with or without a total that an earlier job left unpaid. */
  async function start(owes: boolean, { pay, client = network.client }: Terms = {}) {
    const { chain, deployment, folder } = network;
    const [account, provider] = [chain.account(2), chain.account(1)];
    const run = await newRun({ microBatches: 8, steps: 4, interval: 4 });
    const session = await ClusterSession.open(nativeExecutor, run.program, engine, {
      ...{ chunkSize: 1, copies: 1, checkShare: 0, firstStep: 0, patience: 500 },
      ...{ secret: randomBytes(32), records: new MemoryRecords() },
    });
    // Without pay: refused for good, as whatever else makes a provider unfair.
    const desk = await startDesk({ session, engine, chunkSize: 1, ...(pay && { pay }) });
    const dataDirectory = join(folder, `worker-${++started}`);
    if (owes) {
      await privateFolder(dataDirectory);
      const state = openState({ path: join(dataDirectory, "state.sqlite"), schemas: [bookSchema] });
      const rewards = network.contracts.WorkerRewards.address;
      const signed = { rewards, jobId: 1n, provider: provider.address, address: desk.address };
      new WorkerBook(state).write({ ...signed, total: 5n, signature: zeroHash });
      state.close();
    }
    const host = await createHost({ localNetwork: true });
    const keeper = await WorkerKeeper.open({
      ...{ dataDirectory, account, chain: client, deployment, log, interval: 20, host },
      ...{ provider: desk.address, executor: nativeExecutor, leastPay: 1n, mostUnpaid: 10 },
      limits: { threads: 1, memoryBytes: 2 ** 30 },
    });
    const stop = new AbortController();
    let ended: unknown;
    const done = keeper.run(stop.signal).catch((error: unknown) => {
      ended = error;
    });
    return {
      ended: () => ended,
      done,
      async close() {
        stop.abort();
        await done;
        keeper.close();
        await host.stop();
        desk.desk.withdraw();
        await desk.close();
        await session.close();
      },
    };
  }

  it("ends at once when nothing is owed to it", async () => {
    const worker = await start(false);
    await worker.done;
    assert.ok(worker.ended() instanceof UnfairProviderError, String(worker.ended()));
    await worker.close();
  });

  it("attack: ends where one endpoint alone shows a round in which its pay would be safe", async () => {
    const { chain, client, deployment } = network;
    const provider = chain.account(1);
    const round = { root: zeroHash, workers: 0, openedAt: 1, forceUntil: 0, claimUntil: 0, openDemands: 0 };
    const lying = Object.create(client.public, {
      readContract: { value: async () => ({ ...round, deposit: 0n, surety: 10n ** 18n }) },
    });
    const pay = {
      terms: {
        ...{ chainId: deployment.chainId, rewards: network.contracts.WorkerRewards.address },
        ...{ provider: provider.address, jobId: "7", perChunk: "5" },
      },
      ...{ signer: provider, total: () => 0n, affordsMore: () => true },
    };
    const worker = await start(false, {
      pay,
      client: Object.create(client, { public: { value: lying }, confirmed: { value: client.public } }),
    });
    await worker.done;
    assert.match(String(worker.ended()), /no round with a surety open/);
    await worker.close();
  });

  it("stays, and goes on collecting, while something is owed to it", async () => {
    const worker = await start(true);
    await delay(3_000);
    assert.equal(worker.ended(), undefined, "its pay is not there yet");
    await worker.close();
    assert.ok(worker.ended() instanceof UnfairProviderError, "and says why there was no more work");
  });
});
