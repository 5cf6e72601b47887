import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import { pino } from "pino";
import type { Hex } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import type { ChainClient } from "../../../keepers/src/chain/client.ts";
import { commitBundle } from "../../../keepers/src/core/merkle/bundle-committer.ts";
import { Shelf, shelfSchema } from "../../../keepers/src/roles/storage-node/shelf.ts";
import { StorageNode } from "../../../keepers/src/roles/storage-node/storage-node.ts";
import { Vault } from "../../../keepers/src/roles/storage-node/vault.ts";
import { FileSystemStore } from "../../../keepers/src/storage/backends/file-system.ts";
import { KuboStore } from "../../../keepers/src/storage/backends/kubo.ts";
import { claimStore, StoreTakenError } from "../../../keepers/src/storage/backends/owners.ts";
import { openState } from "../../../keepers/src/storage/state/state.ts";
import { deployment, type TinyDataset, tinyDataset } from "./dataset.ts";
import { noProver } from "./storage-service/scene.ts";

/** The CID of a folder without entries. */
const emptyFolder = "QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn";
const foreignId: Hex = `0x${"ab".repeat(32)}`;

describe("a store that holds the same bytes for somebody else", () => {
  let folder: string;
  let store: FileSystemStore;
  let data: TinyDataset;

  beforeEach(async () => {
    data = await tinyDataset(1);
    folder = await mkdtemp(join(tmpdir(), "assay-shared-"));
    store = await FileSystemStore.open(join(folder, "bucket"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  async function node(name: string) {
    const shelf = new Shelf(openState({ path: join(folder, `${name}.sqlite`), schemas: [shelfSchema] }));
    const open = () =>
      Vault.open({ shelf, store, treeFolder: join(folder, name), commit: async (b) => commitBundle(b) });
    const vault = await open();
    const admit = (datasetId: Hex, index: number) =>
      vault.admit(datasetId, data.manifest, index, data.bundles[index]!);
    return { shelf, vault, admit, open };
  }

  it("attack: keeps them when a stranger's bundle of the same bytes goes", async () => {
    const [one, two] = [await node("one"), await node("two")];
    const held = await one.admit(data.datasetId, 0);
    // The same bundle under other terms: anybody may bring it, and nobody places it.
    const foreign = await two.admit(foreignId, 0);
    const twin = await two.admit(data.datasetId, 0);
    for (const each of [foreign, twin]) await two.vault.drop(each);
    assert.equal(await one.vault.isWhole(held), true);
    await two.open();
    assert.deepEqual(two.shelf.moving(), []);
    assert.equal(await one.vault.isWhole(held), true);
    // What is one's own goes.
    const own = await two.admit(foreignId, 1);
    await two.vault.drop(own);
    assert.equal(await two.vault.isWhole(own), false);
  });

  it("attack: keeps them though the node is killed while it stores its bundle", async () => {
    const [one, two] = [await node("one"), await node("two")];
    const held = await one.admit(data.datasetId, 0);
    const put = store.put.bind(store);
    await new Promise<void>((resolve) => {
      // It comes as far as this, and no further.
      store.put = () => new Promise(() => resolve());
      void two.admit(foreignId, 0);
    });
    store.put = put;
    const again = await two.open();
    // Stored after what the killed process has left was looked at.
    await again.admit(foreignId, data.manifest, 2, data.bundles[2]!);
    assert.equal(await one.vault.isWhole(held), true);
  });

  it("is one keeper's: a second one does not open it", async () => {
    await claimStore(store, "31337-0x01-0x0a");
    const again = await FileSystemStore.open(join(folder, "bucket"));
    await claimStore(again, "31337-0x01-0x0a");
    await assert.rejects(claimStore(again, "31337-0x01-0x0b"), (error) => {
      assert.ok(error instanceof StoreTakenError);
      assert.match(error.message, /another keeper has its bundles in .*bucket: 31337-0x01-0x0a$/);
      return true;
    });
  });
});

describe("a storage node", () => {
  it("does not start on a store in which another keeper has its bundles", async () => {
    const folder = await mkdtemp(join(tmpdir(), "assay-taken-"));
    try {
      const directory = join(folder, "bucket");
      await claimStore(await FileSystemStore.open(directory), "31337-0x01-0x0b");
      const start = () =>
        StorageNode.start({
          ...{ dataDirectory: join(folder, "node"), account: privateKeyToAccount(`0x${"11".repeat(32)}`) },
          ...{ deployment, listen: [], storage: { kind: "fs", directory }, capacity: 1, prover: noProver },
          // Nothing of the chain is read before the store is its own.
          chain: { chainId: deployment.chainId, public: {}, strangers: {} } as ChainClient,
          commit: async (bytes) => commitBundle(bytes),
          log: pino({ level: "silent" }),
        });
      await assert.rejects(start(), StoreTakenError);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
});

describe("a folder of a Kubo node", () => {
  let server: Server;
  /** Folders of the node's files, by path. */
  const folders = new Set<string>();
  let url: string;

  /** What Kubo answers to the calls that owners take. */
  beforeEach(async () => {
    folders.clear();
    server = createServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url!, "http://kubo");
      const path = searchParams.get("arg")!;
      const fail = () => {
        response.writeHead(500, { "content-type": "application/json" });
        response.end(JSON.stringify({ Message: "file does not exist", Code: 0, Type: "error" }));
      };
      if (pathname.endsWith("/files/mkdir")) {
        const parts = path.split("/").slice(1);
        parts.forEach((_, i) => {
          folders.add(`/${parts.slice(0, i + 1).join("/")}`);
        });
        response.end();
      } else if (!folders.has(path)) fail();
      else if (pathname.endsWith("/files/rm")) {
        folders.delete(path);
        response.end();
      } else {
        const names = [...folders]
          .filter((each) => each.startsWith(`${path}/`))
          .map((each) => each.slice(path.length + 1))
          .filter((name) => !name.includes("/"));
        const entries = names.map((Name) => ({ Name, Type: 1, Size: 0, Hash: emptyFolder }));
        response.setHeader("content-type", "application/json");
        response.end(`${JSON.stringify({ Entries: entries })}\n`);
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v0`;
  });
  afterEach(() => server.close());

  it("is one keeper's, and another folder of the same node another one's", async () => {
    await claimStore(new KuboStore({ url }), "one");
    await claimStore(new KuboStore({ url }), "one");
    await assert.rejects(claimStore(new KuboStore({ url }), "two"), (error) => {
      assert.ok(error instanceof StoreTakenError);
      assert.match(error.message, /folder \/assay: one$/);
      return true;
    });
    await claimStore(new KuboStore({ url, folder: "/second" }), "two");
    const store = new KuboStore({ url });
    assert.deepEqual(await store.owners(), ["one"]);
    for await (const cid of store.list()) assert.fail(`${cid} is no blob`);
    await store.removeOwner("one");
    await store.removeOwner("one");
    assert.deepEqual(await store.owners(), []);
  });
});
