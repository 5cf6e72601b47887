import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { readStorage } from "../../../keepers/src/cli/storage.ts";

const folder = mkdtempSync(join(tmpdir(), "assay-storage-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function file(content: string): string {
  const path = join(folder, "storage.json");
  writeFileSync(path, content);
  return path;
}

test("a store is read from its file and its secrets from the environment", () => {
  const config = { kind: "s3", endpoint: "https://gateway.example.org", bucket: "bundles" };
  const environment = { ASSAY_S3_ACCESS_KEY_ID: "id", ASSAY_S3_SECRET_ACCESS_KEY: "secret" };
  const read = readStorage(file(JSON.stringify(config)), environment);
  assert.deepEqual(read.storage, config);
  assert.deepEqual(read.storageSecrets, { s3Credentials: { accessKeyId: "id", secretAccessKey: "secret" } });
});

test("a file that is absent, no JSON, of another kind, or holds a secret is refused with what is wrong", () => {
  assert.throws(() => readStorage(join(folder, "absent.json"), {}), /cannot be read/);
  assert.throws(() => readStorage(file("{"), {}), /not JSON/);
  assert.throws(() => readStorage(file('{"kind":"tape"}'), {}), /kind/);
  const secret = {
    kind: "s3",
    endpoint: "https://gateway.example.org",
    bucket: "bundles",
    secretAccessKey: "x",
  };
  assert.throws(() => readStorage(file(JSON.stringify(secret)), {}), /secretAccessKey/);
});
