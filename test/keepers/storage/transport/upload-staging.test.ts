import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { RefusalError } from "../../../../keepers/src/storage/transport/errors.ts";
import { UploadStaging } from "../../../../keepers/src/storage/transport/upload-staging.ts";
import { generator } from "../random.ts";
import { datasetId } from "./service.ts";

const directory = await mkdtemp(join(tmpdir(), "assay-staging-"));
after(() => rm(directory, { recursive: true, force: true }));

const bytes = generator(12).bytes(1000);
const bundle = { datasetId, bundleIndex: 7 };

async function* pieces(...parts: Uint8Array[]): AsyncIterable<Uint8Array> {
  yield* parts;
}

test("an upload grows over restarts, and overlapping parts count once", async () => {
  const first = await UploadStaging.open(directory);
  assert.equal(await first.received(bundle), 0);
  assert.equal(
    await first.append(bundle, 0, 1000, pieces(bytes.subarray(0, 300), bytes.subarray(300, 500))),
    500,
  );
  const second = await UploadStaging.open(directory);
  assert.deepEqual(await second.list(), [bundle]);
  assert.equal(
    await second.append(bundle, 200, 1000, pieces(bytes.subarray(200, 400), bytes.subarray(400, 1000))),
    1000,
  );
  assert.deepEqual(new Uint8Array(await second.read(bundle)), bytes);
  await second.remove(bundle);
  assert.deepEqual(await second.list(), []);
});

test("what came before the connection broke is kept, and the next upload waits for the broken one", async () => {
  const staging = await UploadStaging.open(directory);
  let fail = (_: Error): void => {};
  const broken = new Promise<never>((_, reject) => {
    fail = reject;
  });
  broken.catch(() => undefined);
  async function* half(): AsyncIterable<Uint8Array> {
    yield bytes.subarray(0, 400);
    await broken;
  }
  const first = staging.exclusive(bundle, () => staging.append(bundle, 0, 1000, half()));
  const second = staging.exclusive(bundle, () => staging.append(bundle, 0, 1000, pieces(bytes)));
  fail(new Error("cut"));
  await assert.rejects(first, /cut/);
  assert.equal(await second, 1000);
  assert.deepEqual(new Uint8Array(await staging.read(bundle)), bytes);
  await staging.remove(bundle);
});

test("gaps, surplus bytes and names that are paths are refused", async () => {
  const staging = await UploadStaging.open(directory);
  await assert.rejects(staging.append(bundle, 1, 1000, pieces(bytes)), RefusalError);
  await assert.rejects(staging.append(bundle, 0, 999, pieces(bytes)), RefusalError);
  for (const bad of [
    { datasetId: "0x../../../etc/passwd" as const, bundleIndex: 0 },
    { datasetId, bundleIndex: -1 },
    { datasetId, bundleIndex: 1.5 },
  ]) {
    await assert.rejects(staging.append(bad, 0, 1, pieces(bytes)), RefusalError);
  }
  assert.ok((await readdir(directory)).every((name) => name === `${datasetId}-7`));
});
