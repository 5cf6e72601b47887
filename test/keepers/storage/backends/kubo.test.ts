import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { base32upper } from "multiformats/bases/base32";
import { type BlobStore, collect } from "../../../../keepers/src/storage/backends/backend.ts";
import { blobCid, chunkBytes, maxBlobBytes } from "../../../../keepers/src/storage/backends/blob-cid.ts";
import {
  BackendUnavailableError,
  BlobNotFoundError,
  WrongBytesError,
} from "../../../../keepers/src/storage/backends/errors.ts";
import { HeliaStore } from "../../../../keepers/src/storage/backends/helia.ts";
import { KuboStore } from "../../../../keepers/src/storage/backends/kubo.ts";
import { type KuboDaemon, startKubo } from "../../../interop/kubo.ts";
import { findProgram, requireOrSkip } from "../../../interop/require.ts";
import { generator } from "../random.ts";
import { assertSame, conformance } from "./conformance.ts";
import { type Fault, faultyProxy } from "./faulty-proxy.ts";

const program = findProgram("ASSAY_IPFS", "ipfs");
const skip = requireOrSkip("Kubo's ipfs program (ASSAY_IPFS or on PATH)", program !== undefined);

conformance("Kubo", {
  skip,
  async open() {
    const daemon = await startKubo(program!);
    return {
      store: new KuboStore({ url: daemon.url, fetchTimeout: 1500 }),
      async corrupt(cid) {
        const name = `${base32upper.baseEncode(cid.multihash.bytes)}.data`;
        const blocks = join(daemon.repository, "blocks");
        const path = (await readdir(blocks, { recursive: true })).find((file) => file.endsWith(name));
        const bytes = await readFile(join(blocks, path!));
        bytes[bytes.length - 1]! ^= 1;
        await writeFile(join(blocks, path!), bytes);
      },
      collect: async () => void (await daemon.ipfs("repo", "gc", "-q")),
      stop: daemon.stop,
    };
  },
});

describe("Kubo and the rest of IPFS", { skip }, () => {
  let daemon: KuboDaemon;
  let directory: string;
  let store: BlobStore;
  before(async () => {
    daemon = await startKubo(program!);
    directory = await mkdtemp(join(tmpdir(), "assay-kubo-test-"));
    store = new KuboStore({ url: daemon.url, fetchTimeout: 5000 });
  });
  after(async () => {
    await daemon?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  test("`ipfs add` gives a file the CID of the blob, and `ipfs cat` its bytes", async () => {
    for (const size of [0, 1, chunkBytes, chunkBytes + 1, maxBlobBytes]) {
      const bytes = generator(size).bytes(size);
      const path = join(directory, "file");
      await writeFile(path, bytes);
      const cid = await daemon.ipfs(
        "add",
        "-Q",
        "--cid-version=1",
        "--raw-leaves",
        `--chunker=size-${chunkBytes}`,
        path,
      );
      assert.equal(cid, blobCid(bytes).toString());
      await daemon.ipfs("get", "-o", join(directory, "back"), cid);
      assertSame(await readFile(join(directory, "back")), bytes);
    }
  });

  test("a Kubo node and a keeper's helia node fetch from each other by bitswap", async () => {
    const helia = await HeliaStore.open({
      directory: join(directory, "helia"),
      listen: ["/ip4/127.0.0.1/tcp/0"],
    });
    try {
      await helia.connect(daemon.swarm);
      const bytes = generator(77).bytes(maxBlobBytes);
      const { cid } = await helia.put(bytes);
      assertSame(await collect(store.get(cid)), bytes);
      // Several at a time: each of their blocks comes on a stream of its own, and none may be turned away.
      const others = [78, 79, 80, 81].map((seed) => generator(seed).bytes(maxBlobBytes));
      const kept = await Promise.all(others.map((blob) => store.put(blob)));
      const fetched = await Promise.all(kept.map(({ cid }) => collect(helia.get(cid))));
      for (const [i, blob] of fetched.entries()) assertSame(blob, others[i]!);
    } finally {
      await helia.close();
    }
  });

  test("a stored blob survives the node's garbage collection", async () => {
    const bytes = generator(82).bytes(chunkBytes + 9);
    const { cid } = await store.put(bytes);
    await daemon.ipfs("repo", "gc", "-q");
    assertSame(await collect(store.get(cid)), bytes);
  });

  test("a node that lies, breaks off or is gone is told apart", async () => {
    let faults: Fault[] = [];
    const proxy = await faultyProxy(
      daemon.url.replace("/api/v0", ""),
      () => faults.shift() ?? { kind: "none" },
    );
    const through = new KuboStore({ url: `${proxy.url}/api/v0`, fetchTimeout: 5000 });
    const bytes = generator(83).bytes(3 * chunkBytes);
    faults = [{ kind: "cut-upload", after: 400_000 }];
    await assert.rejects(through.put(bytes), BackendUnavailableError);
    assert.equal(await through.has(blobCid(bytes)), false);
    const { cid } = await through.put(bytes);
    faults = [{ kind: "none" }, { kind: "flip", at: 1000 }];
    await assert.rejects(collect(through.get(cid)), WrongBytesError);
    faults = [{ kind: "none" }, { kind: "none" }, { kind: "cut-download", after: 1000 }];
    await assert.rejects(collect(through.get(cid)), BackendUnavailableError);
    assertSame(await collect(through.get(cid)), bytes);
    await proxy.close();
    await assert.rejects(through.put(bytes), BackendUnavailableError);
    await assert.rejects(collect(through.get(cid)), BackendUnavailableError);
    const missing = blobCid(generator(84).bytes(30));
    await assert.rejects(
      collect(new KuboStore({ url: daemon.url, fetchTimeout: 200 }).get(missing)),
      BlobNotFoundError,
    );
  });
});
