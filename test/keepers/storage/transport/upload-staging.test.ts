import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { collect } from "../../../../keepers/src/storage/backends/backend.ts";
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

test("a disk that fills up ends the upload with a clear error, and what came before goes on later", {
  skip: process.platform === "win32",
}, async () => {
  const folder = join(directory, "full");
  const module = JSON.stringify(
    import.meta.resolve("../../../../keepers/src/storage/transport/upload-staging.ts"),
  );
  // A limit on the size of a file ends the write in the middle, as a full disk does.
  const script = `
    import { UploadStaging } from ${module};
    const staging = await UploadStaging.open(process.argv[1]);
    const body = async function* () { for (let i = 0; i < 40; i++) yield new Uint8Array(100_000).fill(i); };
    const bundle = { datasetId: "${datasetId}", bundleIndex: 7 };
    await staging.append(bundle, 0, 4_000_000, body()).then(() => console.log("stored"), (error) => console.log(error.name));`;
  const child = spawn(
    "sh",
    ["-c", `ulimit -f 2048; exec "$0" --input-type=module -e "$1" "$2"`, process.execPath, script, folder],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const [output] = await Promise.all([collect(child.stdout!), once(child, "exit")]);
  assert.equal(new TextDecoder().decode(output).trim(), "StorageFullError");
  const staging = await UploadStaging.open(folder);
  const kept = await staging.received(bundle);
  assert.ok(kept > 0 && kept < 4_000_000);
  const whole = Uint8Array.from({ length: 4_000_000 }, (_, i) => Math.floor(i / 100_000));
  await staging.append(bundle, kept, whole.length, pieces(whole.subarray(kept)));
  assert.deepEqual(new Uint8Array(await staging.read(bundle)), whole);
});

test("attack: a whole bundle that breaks off, or is shorter, loses nothing of what was here", async () => {
  const staging = await UploadStaging.open(directory);
  await staging.append(bundle, 0, 1000, pieces(bytes.subarray(0, 600)));
  async function* broken(length: number): AsyncIterable<Uint8Array> {
    yield new Uint8Array(length);
    throw new Error("cut");
  }
  await assert.rejects(staging.replace(bundle, 1000, broken(599)), /cut/);
  assert.deepEqual(new Uint8Array(await staging.read(bundle)), bytes.subarray(0, 600));
  // What has come further than the other beginning is gone on with.
  await assert.rejects(staging.replace(bundle, 1000, broken(700)), /cut/);
  assert.equal(await staging.received(bundle), 700);
  await assert.rejects(staging.replace(bundle, 1000, pieces(bytes, bytes)), RefusalError);
  assert.equal(await staging.replace(bundle, 1000, pieces(bytes)), 1000);
  assert.deepEqual(new Uint8Array(await staging.read(bundle)), bytes);
  assert.ok(!(await readdir(directory)).some((name) => name.includes("afresh")));
  await staging.remove(bundle);
});

test("what a killed process was sent beside a beginning is forgotten", async () => {
  const name = `${bundle.datasetId}-7`;
  const own = join(directory, "killed");
  await mkdir(own);
  await writeFile(join(own, `${name}.afresh`), bytes);
  await UploadStaging.open(own);
  assert.deepEqual(await readdir(own), []);
});
