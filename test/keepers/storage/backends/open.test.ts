import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { HeliaStore } from "../../../../keepers/src/storage/backends/helia.ts";
import {
  openBackend,
  type StorageConfig,
  storageConfig,
} from "../../../../keepers/src/storage/backends/open.ts";
import { createHost } from "../../../../keepers/src/storage/transport/host.ts";

const directory = await mkdtemp(join(tmpdir(), "assay-open-"));
after(() => rm(directory, { recursive: true, force: true }));

test("a configuration opens the store it names", async () => {
  const credentials = { accessKeyId: "id", secretAccessKey: "secret" };
  const configs: StorageConfig[] = [
    { kind: "fs", directory: join(directory, "fs") },
    { kind: "helia", directory: join(directory, "helia") },
    { kind: "kubo", url: "http://127.0.0.1:5001/api/v0" },
    { kind: "s3", endpoint: "http://127.0.0.1:9000", bucket: "some-bucket" },
  ];
  for (const config of configs) {
    const store = await openBackend(config, { s3Credentials: credentials });
    assert.equal(store.kind, config.kind);
    await store.close();
  }
});

test("helia shares the keeper's libp2p node and leaves it running", async () => {
  const host = await createHost({ localNetwork: true, listen: ["/ip4/127.0.0.1/tcp/0"] });
  const store = await openBackend({ kind: "helia", directory: join(directory, "shared") }, { host });
  assert.ok(store instanceof HeliaStore && store.host === host);
  assert.ok(host.getProtocols().some((protocol) => protocol.includes("bitswap")));
  await store.close();
  assert.equal(host.status, "started");
  await host.stop();
});

test("configurations that make no sense are refused with the field that is wrong", () => {
  const bad: [unknown, string][] = [
    [{ kind: "floppy" }, "kind"],
    [{ kind: "fs" }, "directory"],
    [{ kind: "fs", directory: "x", secret: "y" }, "secret"],
    [{ kind: "s3", endpoint: "file:///etc", bucket: "abc" }, "endpoint"],
    [{ kind: "s3", endpoint: "https://x.example", bucket: "../up" }, "bucket"],
    [{ kind: "kubo", url: "http://127.0.0.1:5001", folder: "/a/../b" }, "folder"],
    [{ kind: "filecoin", directory: "x", network: "moon" }, "network"],
  ];
  for (const [config, field] of bad) {
    const { success, error } = storageConfig.safeParse(config);
    assert.equal(success, false);
    assert.ok(JSON.stringify(error?.issues).includes(field), field);
  }
});

test("a store that needs a secret says which one", async () => {
  await assert.rejects(
    openBackend({ kind: "s3", endpoint: "https://x.example", bucket: "abc" }),
    /access key/,
  );
  const filecoin = { kind: "filecoin", directory, network: "calibration" } as const;
  await assert.rejects(openBackend(filecoin), /key of the account/);
});
