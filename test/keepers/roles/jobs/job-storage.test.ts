import assert from "node:assert/strict";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Hex } from "viem";
import { commitBundle } from "../../../../keepers/src/core/merkle/bundle-committer.ts";
import { OrderRefusedError, ResultNotPlacedError } from "../../../../keepers/src/roles/jobs/errors.ts";
import { createResultStorage, type ResultStorage } from "../../../../keepers/src/roles/jobs/job-storage.ts";
import { startTestNetwork, type TestNetwork } from "../../storage/client/network.ts";

const terms = { k: 2, feePerAudit: 0n, epochs: 10 };

describe("results on storage nodes", () => {
  let network: TestNetwork;
  let storage: ResultStorage;
  let folder: string;
  let datasetId: Hex;

  before(async () => {
    network = await startTestNetwork(3);
    folder = join(network.folder, "result");
    await mkdir(folder);
    await writeFile(join(folder, "state"), new Uint8Array(10_000).fill(7));
    await writeFile(join(folder, "leaves"), new Uint8Array(576).fill(9));
    const writer = await network.writer();
    storage = createResultStorage(writer, { ...terms, n: 3 }, async (bytes) => commitBundle(bytes));
  });

  after(async () => {
    await network?.close();
  });

  const directory = (name: string) => join(network.folder, name);

  it("are stored with all bundles held, once however often they are stored", async () => {
    const store = () => storage.store({ folder, name: "job-1", directory: directory("uploads") });
    datasetId = await store();
    const paid = await network.balance();
    const writer = await network.writer();
    const { held, bundles, owner } = await writer.contracts.DatasetRegistry.read.datasetOf([datasetId]);
    assert.deepEqual([held, bundles, owner], [3, 3, network.owner.address]);
    assert.equal(await store(), datasetId);
    assert.equal(await network.balance(), paid);
  });

  it("come back as the files that they were", async () => {
    const target = directory("fetched");
    const parameters = { datasetId, target, directory: directory("downloads"), mostBytes: 10_576 };
    // What an earlier fetch has left goes away.
    for (let time = 0; time < 2; time++) await storage.folder(parameters);
    assert.deepEqual((await readdir(target)).sort(), ["leaves", "state"]);
    for (const name of ["state", "leaves"]) {
      assert.deepEqual(await readFile(join(target, name)), await readFile(join(folder, name)));
    }
  });

  it("are refused before anything is downloaded when they are larger than they can be", async () => {
    const target = directory("huge");
    await writeFile(join(folder, "state"), new Uint8Array(100_000).fill(7));
    const huge = await storage.store({ folder, name: "job-2", directory: directory("uploads") });
    const fetch = storage.folder({
      datasetId: huge,
      target,
      directory: directory("downloads"),
      mostBytes: 500,
    });
    await assert.rejects(fetch, OrderRefusedError);
    assert.deepEqual(await readdir(target).catch(() => []), []);
  });

  it("wait for holders when there are too few of them, and are committed to only then", async () => {
    const writer = await network.writer(network.owner);
    const wide = createResultStorage(writer, { ...terms, n: 4 }, async (bytes) => commitBundle(bytes));
    const store = () => wide.store({ folder, name: "job-3", directory: directory("uploads") });
    await assert.rejects(store(), ResultNotPlacedError);
    await network.addNode();
    assert.match(await store(), /^0x/);
  });
});
