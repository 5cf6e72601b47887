import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Hex, zeroHash } from "viem";
import { bundleId } from "../../keepers/src/core/ids.ts";
import { EmbeddedNetwork } from "../../keepers/src/roles/embedded/network.ts";
import { get } from "../../keepers/src/storage/client/get.ts";
import { put } from "../../keepers/src/storage/client/put.ts";
import { openSource } from "../../keepers/src/storage/readers/open-source.ts";
import { type OwnerClient, openOwner } from "./support/client.ts";
import { nextEpoch, seedOf, until } from "./support/epochs.ts";

const datasets = 3;
const n = 3;
const feePerAudit = 1000n;

describe("storage nodes that register covers from three bundles on", () => {
  let folder: string;
  let network: EmbeddedNetwork;
  let owner: OwnerClient;
  let clock: { chain: EmbeddedNetwork["chain"]; contracts: OwnerClient["contracts"] };
  const ids: Hex[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "assay-covers-"));
    network = await EmbeddedNetwork.start({ folder: join(folder, "network"), nodes: n, coverFrom: datasets });
    owner = await openOwner(network, folder);
    clock = { chain: network.chain, contracts: owner.contracts };
    for (let i = 0; i < datasets; i++) {
      const path = join(folder, `lines-${i}.txt`);
      // Of different lengths, so that the bundles of a cover have different numbers of cells.
      await writeFile(path, `line of dataset ${i}\n`.repeat(400 * (i + 1)));
      const result = await put(owner, {
        source: await openSource(path),
        identity: path,
        directory: join(folder, "uploads"),
        commit: (bytes) => network.commitPool.commit(bytes),
        k: 2,
        n,
        feePerAudit,
        epochs: 10,
      });
      assert.equal(result.complete, true);
      ids.push(result.datasetId);
    }
  });

  after(async () => {
    await owner?.close();
    await network?.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** All bundles by the operator that holds them, with the cover that answers for them in an epoch. */
  const duties = async (epoch: number): Promise<Map<string, { bundle: Hex; duty: Hex }[]>> => {
    const { BundleRegistry } = owner.contracts;
    const byOperator = new Map<string, { bundle: Hex; duty: Hex }[]>();
    for (const dataset of ids) {
      for (let index = 0; index < n; index++) {
        const bundle = bundleId(dataset, index);
        const { operator } = await BundleRegistry.read.holdingOf([bundle]);
        const duty = await BundleRegistry.read.dutyOf([bundle, epoch]);
        byOperator.set(operator, [...(byOperator.get(operator) ?? []), { bundle, duty }]);
      }
    }
    return byOperator;
  };

  const answers = async (epoch: number): Promise<Hex[]> => {
    const { address, abi } = owner.contracts.StorageAudit;
    const logs = await network.client.public.getContractEvents({
      address,
      abi,
      eventName: "AuditAnswered",
      args: { epoch },
      fromBlock: network.deployment.startBlock,
    });
    return logs.map(({ args }) => (args as { dutyId: Hex }).dutyId);
  };

  it("answer for all their bundles with one proof, which the contract verifies and pays for each", async () => {
    const { BundleRegistry, StorageAudit, DatasetRegistry } = owner.contracts;
    await until("every node to register a cover", async () => {
      const current = await StorageAudit.read.currentEpoch();
      const all = [...(await duties(current + 1)).values()].flat();
      return all.every(({ bundle, duty }) => duty !== bundle);
    });
    const epoch = await nextEpoch(clock);
    const byOperator = await duties(epoch);
    assert.equal(byOperator.size, n);
    const covers = [...byOperator.values()].map((held) => {
      assert.equal(held.length, datasets);
      assert.equal(new Set(held.map(({ duty }) => duty)).size, 1, "one cover for all bundles");
      return held[0]!.duty;
    });
    for (const cover of covers) {
      assert.notEqual(cover, zeroHash);
      assert.equal((await BundleRegistry.read.coverOf([cover])).count, datasets);
    }
    await until("the covers to be answered for", async () => {
      const each = await Promise.all(covers.map((cover) => StorageAudit.read.isAnswered([cover, epoch])));
      return each.every(Boolean);
    });
    assert.deepEqual(
      (await answers(epoch)).sort(),
      [...covers].sort(),
      "one answer per operator, not per bundle",
    );

    for (const node of network.nodes.values()) {
      const before = await DatasetRegistry.read.creditOf([node.operator]);
      await node.claimAll();
      const earned = (await DatasetRegistry.read.creditOf([node.operator])) - before;
      assert.equal(earned, feePerAudit * BigInt(datasets), "each covered bundle earns its fee");
    }
  });

  it("let a client verify a covering proof for the bundle that it fetches", async () => {
    const target = join(folder, "fetched");
    const { proofs } = await get(owner, {
      datasetId: ids[0]!,
      target,
      directory: join(folder, "downloads"),
    });
    assert.deepEqual(proofs.proven, [0, 1, 2]);
  });

  it("answer one by one for what is left when a covered bundle's bytes are gone", async () => {
    const { StorageAudit } = owner.contracts;
    const [index, node] = [...network.nodes][0]!;
    const [lost, ...kept] = node.bundles();
    await network.stopNode(index);
    await rm(join(folder, "network", "nodes", String(index), "blobs", "roots", lost!.cid));
    await network.startNode(index);
    const epoch = await nextEpoch(clock);
    await seedOf(clock, epoch);
    await until("the other bundles to be answered for", async () => {
      const each = await Promise.all(
        kept.map(({ bundleId: id }) => StorageAudit.read.isAnswered([id, epoch])),
      );
      return each.every(Boolean);
    });
    const own = (await duties(epoch)).get(node.operator)!;
    assert.equal(await StorageAudit.read.isAnswered([own[0]!.duty, epoch]), false);
    assert.equal(await StorageAudit.read.isAnswered([lost!.bundleId, epoch]), false);
  });
});
