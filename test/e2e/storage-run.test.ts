import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { gunzipSync } from "node:zlib";
import { type Hex, parseUnits } from "viem";
import { bundleId } from "../../keepers/src/core/ids.ts";
import { openAudit } from "../../keepers/src/roles/audit/audit.ts";
import { reportHtml } from "../../keepers/src/roles/audit/html.ts";
import { EmbeddedNetwork } from "../../keepers/src/roles/embedded/network.ts";
import { runStorage } from "../../keepers/src/roles/embedded/storage-run.ts";
import { runTraining } from "../../keepers/src/roles/embedded/training-run.ts";
import { readHolders } from "../../keepers/src/storage/client/dataset.ts";
import { NotEnoughBundlesError } from "../../keepers/src/storage/client/errors.ts";
import { get } from "../../keepers/src/storage/client/get.ts";
import { openRun } from "../../keepers/src/training/trainer/run-folder.ts";
import { AuditTrail } from "../../scripts/audit-trail.ts";
import { type OwnerClient, openOwner } from "./support/client.ts";
import { advanceTo, answeredBundles, nextEpoch, seedOf, until } from "./support/epochs.ts";

const k = 2;
const n = 3;
const digits = new URL("../../data/digits.csv.gz", import.meta.url);

describe("a network of five storage nodes", () => {
  let folder: string;
  let network: EmbeddedNetwork;
  let owner: OwnerClient;
  let datasetId: Hex;
  let clock: { chain: EmbeddedNetwork["chain"]; contracts: OwnerClient["contracts"] };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "assay-storage-run-"));
    network = await EmbeddedNetwork.start({ folder: join(folder, "network"), nodes: 5 });
    owner = await openOwner(network, folder);
    clock = { chain: network.chain, contracts: owner.contracts };
  });

  after(async () => {
    await owner?.close();
    await network?.close();
    await rm(folder, { recursive: true, force: true });
  });

  type Vacancy = { bundleId: Hex; operator: Hex; bounty: bigint; amount: bigint };

  /** Arguments of all events of a name so far; both have a bundle and an operator. */
  const events = async (eventName: "BundleVacated" | "RepairPaid"): Promise<Vacancy[]> => {
    const { address, abi } = owner.contracts.BundleRegistry;
    const { startBlock: fromBlock } = network.deployment;
    const logs = await network.client.public.getContractEvents({ address, abi, eventName, fromBlock });
    return logs.map(({ args }) => args as Vacancy);
  };

  /** Running nodes by the bundle they hold. */
  const holders = async (): Promise<Map<number, number>> => {
    const held = await readHolders(owner, datasetId, [0, 1, 2]);
    const running = [...network.nodes].map(([index, node]) => [node.operator.toLowerCase(), index] as const);
    const nodeOf = new Map(running);
    return new Map(
      held.flatMap(({ bundleIndex, operator }) => {
        const node = nodeOf.get(operator?.toLowerCase() ?? "");
        return node === undefined ? [] : [[bundleIndex, node] as const];
      }),
    );
  };

  it("takes the digits through their life: every stage's findings are those of the chain", async () => {
    const stages: { name: string; details: Record<string, unknown> }[] = [];
    await mkdir(join(folder, "run"));
    await runStorage({
      network,
      folder: join(folder, "run"),
      k,
      n,
      losses: 1,
      stage: async (name, work) => {
        const details = await work();
        stages.push({ name, details });
        return details;
      },
    });
    assert.equal(stages.length, 7);
    const found = (index: number) => stages[index]!.details;
    const [put, lose, miss] = [found(0), found(1), found(2)];
    const [repair, audit, fetch, books] = [found(3), found(4), found(5), found(6)];
    datasetId = put.datasetId as Hex;
    assert.equal(put.bundles, n);
    assert.ok((put.ownerGas as number) > 0);
    assert.equal(audit.answered, n);
    assert.equal(miss.answered, n - 1);
    const [lost] = lose.operators as Hex[];
    assert.deepEqual(miss.slashed, [lost]);

    const terms = await owner.contracts.DatasetRegistry.read.datasetOf([datasetId]);
    const { stake, locked } = await owner.contracts.Staking.read.operatorOf([lost!]);
    assert.equal(stake, parseUnits("10000", 18) - terms.missPenalty, "the penalty is gone from the stake");
    assert.equal(locked, 0n, "the rest of the lock is free again");

    const vacated = await events("BundleVacated");
    assert.equal(vacated.length, 1);
    assert.equal(vacated[0]!.operator, lost);
    assert.ok(vacated[0]!.bounty > 0n);
    assert.ok(vacated[0]!.bounty <= terms.missPenalty / 2n);
    assert.equal(repair.vacant, 0);
    const [restorer] = repair.repairedBy as Hex[];
    assert.notEqual(restorer, lost);
    const paid = await events("RepairPaid");
    assert.equal(paid.length, 1, "a repair is paid once");
    assert.deepEqual(
      [paid[0]!.bundleId, paid[0]!.operator, paid[0]!.amount],
      [vacated[0]!.bundleId, restorer, vacated[0]!.bounty],
    );
    assert.equal(await owner.contracts.BundleRegistry.read.bountyOf([vacated[0]!.bundleId]), 0n);

    const original = gunzipSync(await readFile(digits));
    assert.equal(fetch.sha256, createHash("sha256").update(original).digest("hex"));
    assert.equal(fetch.proofsVerified, n);
    assert.equal(fetch.replaced, 0);
    const { operators } = books as { operators: Record<string, { earned: string; bundles: number }> };
    assert.equal(
      Object.values(operators).reduce((sum, { bundles }) => sum + bundles, 0),
      n,
    );
    assert.equal(operators[lost!]?.earned, "0");
  });

  it("is audited by a stranger: its history, its last proofs again, who lost stake and who repaired", async () => {
    const trail = await AuditTrail.start(network, folder);
    try {
      const { client, deployment, commitPool } = network;
      const index = { url: trail.url, patience: 120_000 };
      const auditor = await openAudit({ client, deployment, index });
      const commit = (bytes: Uint8Array) => commitPool.commit(bytes);
      const report = await auditor.dataset(datasetId, { client: owner, commit, full: true });
      assert.deepEqual(
        report.claims.filter(({ verdict }) => verdict === "wrong").map(({ how }) => how),
        [],
      );
      const verdicts = new Map(report.claims.map(({ id, verdict }) => [id, verdict]));
      for (const id of [
        "history",
        "roots",
        "holders",
        "audits",
        "payments",
        "storage-possession",
        "storage-code",
      ])
        assert.equal(verdicts.get(id), "verified", id);
      const health = report.pictures.find(({ kind }) => kind === "health");
      const cells = health?.kind === "health" ? health.rows.flatMap((row) => row.cells) : [];
      assert.equal(cells.filter((cell) => cell === "missed").length, 1);
      const [lost] = await events("BundleVacated");
      const operator = await auditor.operator(lost!.operator);
      assert.deepEqual(
        operator.claims.filter(({ verdict }) => verdict === "wrong").map(({ how }) => how),
        [],
      );
      assert.match(operator.claims.find(({ id }) => id === "slashes")!.statement, /in one slash/);
      assert.match(reportHtml(report), /<svg/);
    } finally {
      await trail.close();
    }
  });

  it("trains on what is stored, to the same bits in two engines, and finds a bit that a worker flips", async () => {
    const found: Record<string, unknown>[] = [];
    const stage = async <Details>(_: string, work: () => Promise<Details>) => {
      const details = await work();
      found.push(details as Record<string, unknown>);
      return details;
    };
    await runTraining({ network, folder: join(folder, "run"), datasetId, stage });
    const [trained, replayed, cheated] = found;
    assert.equal(found.length, 3);
    assert.equal(trained!.accuracy, "98.06 %");
    assert.equal(replayed!.engine, "wasm");
    assert.equal(replayed!.stateRoot, trained!.stateRoot);
    assert.deepEqual([cheated!.step, cheated!.slot, cheated!.element], [23, "fc1.weight", 101]);
    assert.match(String(cheated!.node), /SGD_WEIGHT/);
    assert.equal(Number(cheated!.claimed) ^ Number(cheated!.right), 1 << 13);
    assert.equal(cheated!.expectedFromLeaves, cheated!.right);

    const { order, trainingHash } = await openRun(join(folder, "run", "training"));
    const { objectRoot } = await owner.contracts.DatasetRegistry.read.datasetOf([datasetId]);
    assert.equal(order.datasetId, datasetId, "the order names the anchored dataset");
    assert.equal(order.objectRoot, objectRoot, "what was trained on is what was anchored");
    assert.equal(trained!.trainingHash, trainingHash);
  });

  it("lets a node that was stopped and started from its folder answer the next audit", async () => {
    const [bundleIndex, node] = [...(await holders())][0]!;
    await network.stopNode(node);
    const restarted = await network.startNode(node);
    assert.deepEqual(
      restarted.bundles().map((bundle) => [bundle.datasetId, bundle.bundleIndex]),
      [[datasetId, bundleIndex]],
    );
    const epoch = await nextEpoch(clock);
    await until("all bundles to be answered", async () => {
      return (await answeredBundles(owner.contracts, datasetId, n, epoch)).length === n;
    });
  });

  it("slashes a node that accepted a bundle and forgot its bytes", async () => {
    const [bundleIndex, node] = [...(await holders())][0]!;
    await network.stopNode(node);
    await rm(join(folder, "network", "nodes", String(node), "blobs"), { recursive: true });
    const forgetful = await network.startNode(node);
    const before = await owner.contracts.Staking.read.operatorOf([forgetful.operator]);
    const epoch = await nextEpoch(clock);
    const closesAt = await seedOf(clock, epoch);
    await until("the others to answer", async () => {
      const answered = await answeredBundles(owner.contracts, datasetId, n, epoch);
      assert.ok(!answered.includes(bundleIndex), "nobody proves what it does not have");
      return answered.length === n - 1;
    });
    const id = bundleId(datasetId, bundleIndex);
    await advanceTo(clock, closesAt + 1n);
    await until("the timeout to be called", async () => {
      return (await owner.contracts.StorageAudit.read.graceEndsAt([id, epoch])) !== 0n;
    });
    await advanceTo(clock, (await owner.contracts.StorageAudit.read.graceEndsAt([id, epoch])) + 1n);
    await until("the node to be slashed", async () => (await events("BundleVacated")).length === 2);
    const [, latest] = await events("BundleVacated");
    assert.deepEqual([latest!.bundleId, latest!.operator], [id, forgetful.operator]);
    const { missPenalty } = await owner.contracts.DatasetRegistry.read.datasetOf([datasetId]);
    const now = await owner.contracts.Staking.read.operatorOf([forgetful.operator]);
    assert.equal(before.stake - now.stake, missPenalty);
  });

  it("says which nodes failed when fewer than k bundles are left to fetch", async () => {
    // It is taken over with a proof under a seed that nobody knew when it became free.
    await nextEpoch(clock);
    await until("the forgotten bundle to be restored", async () => (await holders()).size === n);
    const stopped = [...(await holders())].slice(0, n - k + 1);
    for (const [, node] of stopped) await network.stopNode(node);
    const target = join(folder, "in-vain");
    await assert.rejects(
      get(owner, { datasetId, target, directory: join(folder, "in-vain-downloads") }),
      (error: unknown) => {
        assert.ok(error instanceof NotEnoughBundlesError);
        assert.equal(error.failures.length, n - k + 1);
        assert.match(error.message, /segment 0: 1 of the 2 bundles needed/);
        for (const [bundleIndex] of stopped)
          assert.match(error.message, new RegExp(`bundle ${bundleIndex}:`));
        assert.ok(error.next !== undefined);
        return true;
      },
    );
    await assert.rejects(readFile(join(target, "digits.csv")), { code: "ENOENT" });
  });
});
