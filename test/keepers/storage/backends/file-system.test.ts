import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import type { CID } from "multiformats/cid";
import { collect } from "../../../../keepers/src/storage/backends/backend.ts";
import { blobCid, chunkBytes, maxBlobBytes } from "../../../../keepers/src/storage/backends/blob-cid.ts";
import { FileSystemStore } from "../../../../keepers/src/storage/backends/file-system.ts";
import { generator } from "../random.ts";
import { assertSame, conformance } from "./conformance.ts";

const directory = await mkdtemp(join(tmpdir(), "assay-fs-"));
after(() => rm(directory, { recursive: true, force: true }));

const pathOf = (root: string, cid: CID): string =>
  join(root, "blobs", cid.toString().slice(-2), cid.toString());

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at]! ^= 1;
  await writeFile(path, bytes);
}

conformance("file system", {
  skip: false,
  async open() {
    const root = join(directory, "conformance");
    return {
      store: await FileSystemStore.open(root),
      corrupt: async (cid) => flip(pathOf(root, cid), 299),
      stop: async () => {},
    };
  },
});

describe("file system store", () => {
  test("a damaged or lost root costs a full read, not the blob", async () => {
    const root = join(directory, "roots");
    const store = await FileSystemStore.open(root);
    const bytes = generator(2).bytes(3 * chunkBytes);
    const { cid } = await store.put(bytes);
    await flip(`${pathOf(root, cid)}.root`, 20);
    assertSame(await collect(store.get(cid, { offset: 9, length: 99 })), bytes.subarray(9, 108));
    await rm(`${pathOf(root, cid)}.root`);
    assertSame(await collect(store.get(cid)), bytes);
  });

  test("a process killed in mid-write leaves nothing half-visible, and its rest is cleared", async () => {
    const root = join(directory, "killed");
    const child = spawn(process.execPath, [join(import.meta.dirname, "writer.ts"), "fs", root], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(child.stdout!, "data");
    child.kill("SIGKILL");
    await once(child, "exit");
    const store = await FileSystemStore.open(root);
    assert.deepEqual(await readdir(join(root, "tmp")), []);
    let seen = 0;
    for await (const cid of store.list()) {
      assert.equal(blobCid(await collect(store.get(cid))).toString(), cid.toString());
      seen++;
    }
    assert.ok(seen > 0, "the writer had stored something before it was killed");
  });

  test("a disk that fills up in mid-write gives a clear error and leaves nothing", {
    skip: process.platform === "win32",
  }, async () => {
    const root = join(directory, "full");
    // A limit on the size of a file ends the write in the middle, as a full disk does.
    const script = `
      import { FileSystemStore } from ${JSON.stringify(import.meta.resolve("../../../../keepers/src/storage/backends/file-system.ts"))};
      const store = await FileSystemStore.open(process.argv[1]);
      await store.put(new Uint8Array(1000).fill(1));
      try {
        await store.put(new Uint8Array(${maxBlobBytes}));
        console.log("stored");
      } catch (error) {
        console.log(error.name, error.exitCode, error.kept);
      }`;
    const child = spawn(
      "sh",
      ["-c", `ulimit -f 2048; exec "$0" --input-type=module -e "$1" "$2"`, process.execPath, script, root],
      {
        stdio: ["ignore", "pipe", "inherit"],
      },
    );
    const [output] = await Promise.all([collect(child.stdout!), once(child, "exit")]);
    assert.match(
      new TextDecoder().decode(output),
      /^StorageFullError 73 Every blob stored before is untouched/,
    );
    assert.deepEqual(await readdir(join(root, "tmp")), []);
    const store = await FileSystemStore.open(root);
    const kept: string[] = [];
    for await (const cid of store.list()) kept.push(cid.toString());
    assert.deepEqual(kept, [blobCid(new Uint8Array(1000).fill(1)).toString()]);
  });
});
