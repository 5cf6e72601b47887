import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type FileHandle, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { NextToLast } from "blockstore-fs/sharding";
import type { CID } from "multiformats/cid";
import { collect } from "../../../../keepers/src/storage/backends/backend.ts";
import {
  blobCid,
  chunkBytes,
  layoutBlob,
  maxBlobBytes,
} from "../../../../keepers/src/storage/backends/blob-cid.ts";
import { BlobNotFoundError, WrongBytesError } from "../../../../keepers/src/storage/backends/errors.ts";
import { HeliaStore } from "../../../../keepers/src/storage/backends/helia.ts";
import { budgetOf } from "../../../../keepers/src/storage/transport/byte-budget.ts";
import { createHost, type Host } from "../../../../keepers/src/storage/transport/host.ts";
import { generator } from "../random.ts";
import { assertSame, conformance } from "./conformance.ts";

const directory = await mkdtemp(join(tmpdir(), "assay-helia-"));
after(() => rm(directory, { recursive: true, force: true }));
const listen = ["/ip4/127.0.0.1/tcp/0"];

async function flipLast(path: string): Promise<void> {
  const bytes = await readFile(path);
  if (bytes.length === 0) return;
  bytes[bytes.length - 1]! ^= 1;
  await writeFile(path, bytes);
}

async function flipBlock(root: string, cid: CID): Promise<void> {
  const { dir, file } = new NextToLast().encode(cid);
  await flipLast(join(root, "blocks", dir, file));
}

conformance("helia", {
  skip: false,
  async open() {
    const root = join(directory, "conformance");
    return {
      store: await HeliaStore.open({ directory: root, listen: [], fetchTimeout: 300 }),
      // Which chunks belong to the blob only the store knows: all that is on disk goes bad.
      async corrupt() {
        const files = await readdir(join(root, "blocks"), { recursive: true });
        for (const file of files.filter((name) => name.endsWith(".data")))
          await flipLast(join(root, "blocks", file));
      },
      stop: async () => {},
    };
  },
});

describe("helia over bitswap", () => {
  test("what one node stores another fetches, whole and in ranges", async () => {
    const keeper = await HeliaStore.open({ directory: join(directory, "keeper"), listen });
    const reader = await HeliaStore.open({ directory: join(directory, "reader"), listen: [] });
    try {
      await reader.connect(keeper.host.getMultiaddrs()[0]!.toString());
      const bytes = generator(5).bytes(maxBlobBytes);
      const { cid } = await keeper.put(bytes);
      const offset = 3 * chunkBytes - 7;
      assertSame(
        await collect(reader.get(cid, { offset, length: 500 })),
        bytes.subarray(offset, offset + 500),
      );
      assertSame(await collect(reader.get(cid)), bytes);
      assert.equal(await reader.has(cid), false, "fetching is not keeping");
      const small = await keeper.put(bytes.subarray(0, 1000));
      assertSame(await collect(reader.get(small.cid)), bytes.subarray(0, 1000));
      assert.ok((await reader.collectGarbage()) > 0);
    } finally {
      await reader.close();
      await keeper.close();
    }
  });

  test("a peer whose blocks went bad cannot pass them on", async () => {
    const root = join(directory, "liar");
    const liar = await HeliaStore.open({ directory: root, listen });
    const reader = await HeliaStore.open({ directory: join(directory, "victim"), fetchTimeout: 700 });
    try {
      await reader.connect(liar.host.getMultiaddrs()[0]!.toString());
      const bytes = generator(6).bytes(2 * chunkBytes);
      const { cid } = await liar.put(bytes);
      await flipBlock(root, layoutBlob(bytes).chunks[1]!.cid);
      await assert.rejects(
        collect(reader.get(cid)),
        (error) => error instanceof BlobNotFoundError || error instanceof WrongBytesError,
      );
      // Storing the blob again heals it. Bitswap remembers per connection what it sent, so another reader asks.
      await liar.put(bytes);
      const later = await HeliaStore.open({ directory: join(directory, "later") });
      await later.connect(liar.host.getMultiaddrs()[0]!.toString());
      assertSame(await collect(later.get(cid)), bytes);
      await later.close();
    } finally {
      await reader.close();
      await liar.close();
    }
  });

  test("a blob that no peer has ends with the caller's own time limit", async () => {
    const reader = await HeliaStore.open({ directory: join(directory, "alone") });
    try {
      const missing = reader.get(blobCid(new Uint8Array(9)), { signal: AbortSignal.timeout(200) });
      await assert.rejects(collect(missing), { name: "TimeoutError" });
    } finally {
      await reader.close();
    }
  });

  test("a process killed in mid-write leaves only whole blobs, and its loose blocks are dropped", async () => {
    const root = join(directory, "killed");
    const child = spawn(process.execPath, [join(import.meta.dirname, "writer.ts"), "helia", root], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout!, "data");
    child.kill("SIGKILL");
    await once(child, "exit");
    const store = await HeliaStore.open({ directory: root });
    try {
      let seen = 0;
      let blocks = 0;
      for await (const cid of store.list()) {
        const bytes = await collect(store.get(cid));
        assert.equal(blobCid(bytes).toString(), cid.toString());
        blocks += layoutBlob(bytes).chunks.length + 1;
        seen++;
      }
      assert.ok(seen > 0, "the writer had stored something before it was killed");
      const files = (await readdir(join(root, "blocks"), { recursive: true })).filter((name) =>
        name.endsWith(".data"),
      );
      assert.equal(files.length, blocks);
    } finally {
      await store.close();
    }
  });

  test("everything held is held after a restart", async () => {
    const root = join(directory, "restart");
    const first = await HeliaStore.open({ directory: root });
    const bytes = generator(8).bytes(chunkBytes + 1);
    const { cid } = await first.put(bytes);
    const small = await first.put(bytes.subarray(0, 10));
    await first.close();
    const second = await HeliaStore.open({ directory: root });
    try {
      assertSame(await collect(second.get(cid)), bytes);
      assertSame(await collect(second.get(small.cid)), bytes.subarray(0, 10));
    } finally {
      await second.close();
    }
  });
});

describe("helia and peers that fill it", () => {
  test("attack: messages of bitswap that never end are bounded for all peers together, and room comes back", async () => {
    const memory = { total: 16 * 2 ** 20, perPeer: 4 * 2 ** 20 };
    const host = await createHost({ localNetwork: true, listen, memory });
    const keeper = await HeliaStore.open({ directory: join(directory, "flooded"), host });
    const budget = budgetOf(host);
    const strangers: Host[] = [];
    try {
      const address = host.getMultiaddrs()[0]!;
      for (let peers = 0; peers < 6; peers++) {
        const stranger = await createHost({ localNetwork: true });
        strangers.push(stranger);
        for (let connections = 0; connections < 2; connections++) {
          const connection = await stranger.dial(address, { force: true });
          for (let each = 0; each < 8; each++) {
            const stream = await connection.newStream("/ipfs/bitswap/1.2.0").catch(() => undefined);
            // The length of the message, one MiB as a varint, and some of it.
            if (stream?.status === "open")
              stream.send(new Uint8Array([0x80, 0x80, 0x40, ...Array(1000).fill(0)]));
          }
        }
        assert.ok(budget.used <= memory.total, `${budget.used} bytes`);
      }
      assert.ok(budget.refused >= 30, `${budget.refused} streams were refused`);
      for (const stranger of strangers) await stranger.stop();
      for (let tries = 0; budget.used > 0 && tries < 200; tries++) await delay(20);
      assert.equal(budget.used, 0);
    } finally {
      await keeper.close();
      await host.stop();
    }
  });
});

/** What was synced to disk while `work` ran, by inode. */
async function syncedBy(work: () => Promise<unknown>): Promise<ReadonlySet<number>> {
  const probe = await open(import.meta.filename, "r");
  const handles = Object.getPrototypeOf(probe) as { sync: FileHandle["sync"] };
  await probe.close();
  const { sync } = handles;
  const synced = new Set<number>();
  handles.sync = async function (this: FileHandle) {
    const { ino } = await this.stat();
    await sync.call(this);
    synced.add(ino);
  };
  try {
    await work();
  } finally {
    handles.sync = sync;
  }
  return synced;
}

describe("helia and a power cut", () => {
  for (const size of [500, 2_000_000]) {
    test(`of a blob of ${size} bytes every file and every folder is synced before it counts as stored`, async () => {
      const root = join(directory, `durable-${size}`);
      const store = await HeliaStore.open({ directory: root, listen: [] });
      try {
        const synced = await syncedBy(() => store.put(generator(size).bytes(size)));
        const names = await readdir(root, { recursive: true });
        assert.ok(names.filter((name) => name.endsWith(".data")).length >= Math.ceil(size / chunkBytes));
        for (const name of names) {
          const { ino, mode } = await stat(join(root, name));
          assert.ok(synced.has(ino), `${name} was not synced`);
          if (name.startsWith("blocks/") || name.startsWith("roots/")) assert.equal(mode & 0o077, 0, name);
        }
      } finally {
        await store.close();
      }
    });
  }
});
