import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Hex, keccak256, toHex, zeroHash } from "viem";
import { connectContracts, encodeCall } from "../../../../keepers/src/chain/contracts.ts";
import {
  createTransactionQueue,
  type TransactionQueue,
} from "../../../../keepers/src/chain/transactions/queue.ts";
import { transactionSchema } from "../../../../keepers/src/chain/transactions/store.ts";
import { datasetId } from "../../../../keepers/src/core/ids.ts";
import {
  ResultKeeper,
  type ResultKeeperParts,
} from "../../../../keepers/src/roles/provider/result-keeper.ts";
import { readingAgreed } from "../../../../keepers/src/roles/storage-node/context.ts";
import { manifestTree } from "../../../../keepers/src/storage/client/roots.ts";
import { openState } from "../../../../keepers/src/storage/state/state.ts";
import { log } from "../cluster/support.ts";
import { type JobNetwork, startJobNetwork, tokens } from "../jobs/network.ts";

const epoch = 86_400;
const none = new AbortController().signal;
const root = (n: number): Hex => toHex(n, { size: 32 });

describe("a provider's result that is not paid yet", { timeout: 240_000 }, () => {
  let network: JobNetwork;

  before(async () => {
    network = await startJobNetwork();
  });

  after(() => network.close());

  /** A provider that has anchored a result for so many epochs, with a fee of one token for each of its two bundles. */
  async function keeping(index: number, epochs: number) {
    const { chain, client, deployment, contracts } = network;
    const account = chain.account(index);
    const { DatasetRegistry: datasets, AssayToken: token } = contracts;
    const registry = deployment.addresses.DatasetRegistry!;

    async function approve(amount: bigint): Promise<void> {
      await network.send(account, encodeCall(deployment, "AssayToken", "approve", [registry, amount]));
    }

    async function anchor(name: string, paid: number): Promise<Hex> {
      const manifestHash = keccak256(toHex(name));
      const bundles = [1, 2].map((i) => ({ poseidonRoot: root(i), transportRoot: root(i + 2), cid: "" }));
      const shape = { objectCount: 1n, objectSize: 100, segmentObjects: 1, k: 1, n: 2, encrypted: false };
      const offered = { objectRoot: root(9), shape, previous: zeroHash, feePerAudit: tokens, epochs: paid };
      const terms = {
        ...offered,
        bundlesRoot: manifestTree({ bundles }).root,
        parameters: await datasets.read.parameters(),
      };
      const { chainId } = deployment;
      const id = datasetId({ chainId, registry, owner: account.address, manifestHash, terms });
      const anchored = { ...offered, datasetId: id, manifestHash, manifestDigest: manifestHash };
      const roots = bundles.map(({ poseidonRoot }) => poseidonRoot);
      const transports = bundles.map(({ transportRoot }) => transportRoot);
      await network.send(
        account,
        encodeCall(deployment, "DatasetRegistry", "anchor", [anchored, roots, transports]),
      );
      return id;
    }

    await network.give(account.address, 100n * tokens);
    await approve(100n * tokens);
    const resultId = await anchor(`result ${index}`, epochs);
    await approve(0n);

    const state = openState({ path: ":memory:", schemas: [transactionSchema] });
    after(() => state.close());
    const queue = createTransactionQueue({ client, state, account, pollInterval: 20 });
    let onSent = async (_key: string): Promise<void> => {};
    const observed: TransactionQueue = Object.assign(Object.create(queue) as TransactionQueue, {
      address: queue.address,
      pending: () => queue.pending(),
      isBegun: (key: string) => queue.isBegun(key),
      wait: (key: string) => queue.wait(key),
      async send(intent: Parameters<TransactionQueue["send"]>[0]) {
        const receipt = await queue.send(intent);
        await onSent(intent.key);
        return receipt;
      },
    });
    const job = {
      jobId: 1n,
      provider: account.address,
      status: "Committed",
      checkpoints: [],
      result: { resultId },
    };
    const stored: string[] = [];
    const usual = connectContracts(client.public, deployment);
    const keeper = new ResultKeeper({
      operator: account.address,
      client,
      deployment,
      contracts: usual,
      agreed: readingAgreed({ client, contracts: usual, deployment }),
      queue: observed,
      log,
      ledger: { jobsOfProvider: () => [job] },
      folder: network.folder,
      storage: { store: async ({ name }: { name: string }) => void stored.push(name) },
    } as unknown as ResultKeeperParts);
    return {
      account,
      token,
      stored,
      anchor,
      tick: () => keeper.tick(none),
      endEpoch: async () => (await datasets.read.termsOf([resultId]))[1],
      present: () => datasets.read.currentEpoch(),
      onSent: (told: typeof onSent) => {
        onSent = told;
      },
    };
  }

  it("is paid for longer although another anchor of the account uses up what was approved for it", async () => {
    const { tick, endEpoch, present, anchor, onSent } = await keeping(1, 6);
    const first = await endEpoch();
    let anchored = 0;
    onSent(async (key) => {
      if (!key.startsWith("approve-") || anchored++ > 0) return;
      await anchor("the result of another job", 1);
    });
    while ((await present()) < first && (await endEpoch()) === first) {
      await network.chain.advance(epoch / 2);
      await tick();
    }
    assert.ok(anchored > 0);
    assert.ok((await endEpoch()) > first);
  });

  it("is refilled while its provider is short of tokens, and paid for once they are here, after its epochs have ended", async () => {
    const { account, token, tick, endEpoch, present, stored } = await keeping(2, 6);
    const { admin, deployment, chain } = network;
    const all = await token.read.balanceOf([account.address]);
    await network.send(account, encodeCall(deployment, "AssayToken", "transfer", [admin.address, all]));
    const first = await endEpoch();
    let filled = 0;
    while ((await present()) <= first) {
      await tick();
      await chain.advance(epoch);
      assert.equal(stored.length, ++filled);
    }
    assert.equal(await endEpoch(), first);
    await network.give(account.address, 100n * tokens);
    await tick();
    assert.ok((await endEpoch()) > (await present()));
    assert.equal(stored.length, filled + 1);
  });

  it("is refilled although what pays for it fails", async () => {
    const { tick, stored, onSent } = await keeping(3, 1);
    onSent(async () => {
      throw new Error("no endpoint answers");
    });
    await assert.rejects(tick(), /no endpoint answers/);
    assert.equal(stored.length, 1);
  });
});
