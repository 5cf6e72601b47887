import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Hex } from "viem";
import type { StorageWriter } from "../../../../keepers/src/storage/client/client.ts";
import { get } from "../../../../keepers/src/storage/client/get.ts";
import { readLogs } from "../../../../keepers/src/storage/client/read-logs.ts";
import { startTestNetwork, type TestNetwork } from "./network.ts";
import type { PutProcess } from "./put-process.ts";

const run = promisify(execFile);
const script = fileURLToPath(new URL("./put-process.ts", import.meta.url));
const k = 2;
const n = 3;
/** 6 bundles: 20 tokens of bond each, a thousandth for each of 10 epochs. */
const price = 120n * 10n ** 18n + 60n * 10n ** 15n;

/** Every point at which something has just been done, in the order in which they come. */
const points = [
  "encode 25",
  "encode 40",
  "upload 0",
  "upload 3",
  "upload 6",
  "anchor 0",
  "sent 1",
  "anchor 1",
  "sent 2",
  "place 6",
];

describe("a put that is killed", () => {
  let network: TestNetwork;
  let client: StorageWriter;

  before(async () => {
    network = await startTestNetwork(n + 1);
    client = await network.writer();
  });
  after(() => network?.close());

  const put = async (
    seed: number,
    dieAt: string,
  ): Promise<{ datasetId: Hex; complete: boolean } | "killed"> => {
    const folder = join(network.folder, "puts", String(seed));
    await mkdir(folder, { recursive: true });
    const given: PutProcess = {
      rpcUrl: network.chain.rpcUrl,
      deploymentFile: network.deploymentFile,
      privateKey: network.chain.privateKey(network.ownerIndex),
      folder,
      seed,
      k,
      n,
      dieAt,
    };
    try {
      const { stdout } = await run(process.execPath, [
        "--disable-warning=ExperimentalWarning",
        script,
        JSON.stringify(given),
      ]);
      return JSON.parse(stdout) as { datasetId: Hex; complete: boolean };
    } catch (error) {
      if ((error as { signal?: string }).signal === "SIGKILL") return "killed";
      throw error;
    }
  };

  for (const [index, point] of points.entries()) {
    it(`at "${point}" ends as one that was not, and pays once`, async () => {
      const seed = 100 + index;
      const before = await network.balance();
      assert.equal(await put(seed, point), "killed");
      const result = await put(seed, "");
      assert.ok(result !== "killed");
      assert.equal(result.complete, true);
      assert.equal(before - (await network.balance()), price);
      const placed = await readLogs(client, "BundleRegistry", "BundlePlaced", {
        datasetId: result.datasetId,
      });
      assert.deepEqual(placed.map(({ args }) => args.bundleIndex).sort(), [0, 1, 2, 3, 4, 5]);
      const target = join(network.folder, "out", String(seed));
      const { files } = await get(client, {
        datasetId: result.datasetId,
        target,
        directory: join(network.folder, "downloads"),
        proofs: "none",
      });
      assert.equal(files[0]?.bytes, 40 * 700);
    });
  }

  it("at every point in turn ends the same, too", async () => {
    const seed = 200;
    const before = await network.balance();
    for (const point of ["encode 25", "upload 2", "upload 4", "sent 1", "sent 1"]) await put(seed, point);
    const result = await put(seed, "");
    assert.ok(result !== "killed" && result.complete);
    assert.deepEqual(await put(seed, ""), result);
    assert.equal(before - (await network.balance()), price);
    const left = await readdir(join(network.folder, "puts", String(seed), "uploads"));
    const staged = await readdir(join(network.folder, "puts", String(seed), "uploads", left[0]!, "bundles"));
    assert.deepEqual(staged, []);
  });
});
