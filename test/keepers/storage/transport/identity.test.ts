import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { createHost } from "../../../../keepers/src/storage/transport/host.ts";
import {
  IdentityError,
  loadOrCreateIdentity,
  peerIdOf,
} from "../../../../keepers/src/storage/transport/identity.ts";

const directory = await mkdtemp(join(tmpdir(), "assay-identity-"));
after(() => rm(directory, { recursive: true, force: true }));

test("a keeper keeps its peer id over restarts, and two that start at once agree on it", async () => {
  const home = join(directory, "a");
  const keys = await Promise.all([loadOrCreateIdentity(home), loadOrCreateIdentity(home)]);
  const again = await loadOrCreateIdentity(home);
  assert.deepEqual(new Set([...keys, again].map(peerIdOf)).size, 1);
  assert.deepEqual(await readdir(home), ["peer.key"]);
  const host = await createHost({ localNetwork: true, privateKey: again });
  assert.equal(host.peerId.toString(), peerIdOf(again));
  await host.stop();
});

test("the key is readable by its owner alone", { skip: process.platform === "win32" }, async () => {
  const home = join(directory, "b");
  await loadOrCreateIdentity(home);
  assert.equal((await stat(join(home, "peer.key"))).mode & 0o777, 0o600);
});

test("a damaged key is reported, not replaced", async () => {
  await writeFile(join(directory, "peer.key"), "garbage");
  await assert.rejects(loadOrCreateIdentity(directory), IdentityError);
  assert.equal((await stat(join(directory, "peer.key"))).size, 7);
});
