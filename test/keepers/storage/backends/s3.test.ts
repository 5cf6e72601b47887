import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { inspect } from "node:util";
import { collect } from "../../../../keepers/src/storage/backends/backend.ts";
import { blobCid, chunkBytes, maxBlobBytes } from "../../../../keepers/src/storage/backends/blob-cid.ts";
import {
  AccessDeniedError,
  BackendUnavailableError,
  RejectedRequestError,
  WrongBytesError,
} from "../../../../keepers/src/storage/backends/errors.ts";
import { openBackend } from "../../../../keepers/src/storage/backends/open.ts";
import { S3Store } from "../../../../keepers/src/storage/backends/s3.ts";
import { generator } from "../random.ts";
import { assertSame, conformance } from "./conformance.ts";
import { type Fault, faultyProxy } from "./faulty-proxy.ts";

type Server = { run(): Promise<{ address: string; port: number }>; close(): Promise<void> };
type ServerClass = new (options: object) => Server;
const S3rver = createRequire(import.meta.url)("@20minutes/s3rver") as ServerClass;

const credentials = { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" };
const bucket = "bundles";

/** A server that checks Signature V4. */
async function startServer(): Promise<{ endpoint: string; directory: string; stop(): Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), "assay-s3-"));
  const server = new S3rver({
    port: 0,
    address: "127.0.0.1",
    silent: true,
    directory,
    configureBuckets: [{ name: bucket }],
  });
  const { port } = await server.run();
  return {
    endpoint: `http://127.0.0.1:${port}`,
    directory,
    async stop() {
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

conformance("S3", {
  skip: false,
  async open() {
    const { endpoint, directory, stop } = await startServer();
    const prefix = "keeper one/blobs/";
    return {
      store: new S3Store({ endpoint, bucket, prefix, credentials }),
      async corrupt(cid) {
        const path = join(directory, bucket, `${prefix}${cid}._S3rver_object`);
        const bytes = await readFile(path);
        bytes[299]! ^= 1;
        await writeFile(path, bytes);
      },
      stop,
    };
  },
});

describe("S3 store", () => {
  let server: Awaited<ReturnType<typeof startServer>>;
  let faults: Fault[] = [];
  let proxy: Awaited<ReturnType<typeof faultyProxy>>;
  let store: S3Store;
  const bytes = generator(31).bytes(maxBlobBytes);

  before(async () => {
    server = await startServer();
    proxy = await faultyProxy(server.endpoint, () => faults.shift() ?? { kind: "none" });
    store = new S3Store({ endpoint: proxy.url, bucket, credentials, backOff: 2, timeout: 5000 });
  });
  after(async () => {
    await proxy.close();
    await server.stop();
  });

  test("a wrong secret or key is refused at once", async () => {
    for (const wrong of [
      { ...credentials, secretAccessKey: "guess" },
      { ...credentials, accessKeyId: "nobody" },
    ]) {
      let requests = 0;
      const counter = await faultyProxy(server.endpoint, () => {
        requests++;
        return { kind: "none" };
      });
      const intruder = new S3Store({ endpoint: counter.url, bucket, credentials: wrong });
      await assert.rejects(intruder.put(bytes.subarray(0, 10)), AccessDeniedError);
      await assert.rejects(collect(intruder.get(blobCid(bytes.subarray(0, 10)))), AccessDeniedError);
      assert.equal(requests, 2, "a plain no is not asked for twice");
      await counter.close();
    }
    assert.equal(await store.has(blobCid(bytes.subarray(0, 10))), false);
  });

  test("an upload whose connection is cut is made again, and what a careless server kept of it is not handed on", async () => {
    const cid = blobCid(bytes);
    const direct = new S3Store({ endpoint: server.endpoint, bucket, credentials });
    // The first request stores the root, the second the bytes.
    faults = [
      { kind: "none" },
      { kind: "cut-upload", after: 3_000_000 },
      { kind: "cut-upload", after: 6_000_000 },
    ];
    await store.put(bytes);
    assert.deepEqual(faults, []);
    assertSame(await collect(direct.get(cid)), bytes);

    const lost = generator(32).bytes(2_000_000);
    faults = [{ kind: "none" }, ...Array<Fault>(5).fill({ kind: "cut-upload", after: 1_000_000 })];
    await assert.rejects(store.put(lost), BackendUnavailableError);
    // This server keeps half of an object; S3 itself does not.
    await assert.rejects(collect(direct.get(blobCid(lost))), WrongBytesError);
    await store.put(lost);
    assertSame(await collect(store.get(blobCid(lost))), lost);
  });

  test("a download whose connection is cut goes on where it stopped", async () => {
    const { cid } = await store.put(bytes);
    faults = [
      { kind: "none" },
      { kind: "cut-download", after: 3_000_000 },
      { kind: "cut-download", after: 1_000_000 },
    ];
    assertSame(await collect(store.get(cid)), bytes);
    assert.deepEqual(faults, []);
  });

  test("a server that fails or is silent for a while is asked again", async () => {
    faults = [
      { kind: "status", status: 503 },
      { kind: "status", status: 500 },
      { kind: "status", status: 429 },
    ];
    const { cid } = await store.put(bytes.subarray(0, 20));
    const hasty = new S3Store({ endpoint: proxy.url, bucket, credentials, backOff: 2, timeout: 150 });
    faults = [{ kind: "silence" }];
    assertSame(await collect(hasty.get(cid)), bytes.subarray(0, 20));
    faults = Array<Fault>(5).fill({ kind: "status", status: 503 });
    await assert.rejects(store.has(cid), BackendUnavailableError);
    assert.deepEqual(faults, []);
  });

  test("a request that makes no sense to the server is not repeated", async () => {
    faults = [{ kind: "status", status: 400 }];
    await assert.rejects(store.put(bytes.subarray(0, 30)), RejectedRequestError);
    assert.deepEqual(faults, []);
  });

  test("a lying gateway is caught in the whole and in ranges", async () => {
    const { cid } = await store.put(bytes);
    faults = [{ kind: "none" }, { kind: "flip", at: 1_000_000 }];
    await assert.rejects(collect(store.get(cid)), WrongBytesError);
    faults = [{ kind: "none" }, { kind: "flip", at: 7 }];
    await assert.rejects(collect(store.get(cid, { offset: 5 * chunkBytes, length: 100 })), WrongBytesError);
    // A lie about the root alone costs a full download.
    faults = [{ kind: "flip", at: 50 }];
    assertSame(await collect(store.get(cid, { offset: 5, length: 100 })), bytes.subarray(5, 105));
  });

  test("a bucket that does not exist is named", async () => {
    const lost = new S3Store({
      endpoint: server.endpoint,
      bucket: "no-such-bucket",
      credentials,
      attempts: 1,
    });
    await assert.rejects(lost.put(new Uint8Array(3)), /no-such-bucket does not exist/);
    await assert.rejects(async () => {
      for await (const _ of lost.list());
    }, /no-such-bucket does not exist/);
  });

  test("lists go on over pages", async () => {
    // The server above cannot make continuation tokens with OpenSSL 3, so the pages of the S3 reference are served here.
    const cids = Array.from({ length: 5 }, (_, i) => blobCid(Uint8Array.of(i)).toString());
    const token = "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=";
    const queries: URLSearchParams[] = [];
    const pages = createServer((request, response) => {
      const query = new URL(request.url!, "http://localhost").searchParams;
      queries.push(query);
      const second = query.get("continuation-token") === token;
      const keys = second
        ? cids.slice(3)
        : [...cids.slice(0, 3), "not a blob &amp; no CID", `${cids[0]}.root`];
      const next = second ? "" : `<NextContinuationToken>${token}</NextContinuationToken>`;
      const contents = keys
        .map((key) => `<Contents><Key>a&amp;b/${key}</Key><Size>1</Size></Contents>`)
        .join("");
      response.end(
        `<?xml version="1.0"?><ListBucketResult><IsTruncated>${!second}</IsTruncated>${contents}${next}</ListBucketResult>`,
      );
    });
    pages.listen(0, "127.0.0.1");
    await once(pages, "listening");
    const endpoint = `http://127.0.0.1:${(pages.address() as AddressInfo).port}`;
    const seen: string[] = [];
    for await (const cid of new S3Store({ endpoint, bucket, prefix: "a&b/", credentials }).list())
      seen.push(cid.toString());
    pages.closeAllConnections();
    pages.close();
    assert.deepEqual(seen, cids);
    assert.deepEqual(
      queries.map((query) => query.get("prefix")),
      ["a&b/", "a&b/"],
    );
  });

  test("a list that does not end is given up: the same token again, or page after page without a key", async () => {
    for (const tokenOf of [() => "same", (page: number) => `page-${page}`]) {
      let asked = 0;
      const endless = createServer((_, response) => {
        asked++;
        const next = `<NextContinuationToken>${tokenOf(asked)}</NextContinuationToken>`;
        response.end(
          `<?xml version="1.0"?><ListBucketResult><IsTruncated>true</IsTruncated>${next}</ListBucketResult>`,
        );
      });
      endless.listen(0, "127.0.0.1");
      await once(endless, "listening");
      const endpoint = `http://127.0.0.1:${(endless.address() as AddressInfo).port}`;
      await assert.rejects(async () => {
        for await (const _ of new S3Store({ endpoint, bucket, credentials }).list());
      }, /a list that does not end/);
      assert.ok(asked <= 101, `${asked} pages`);
      endless.closeAllConnections();
      endless.close();
    }
  });

  test("the secret is not shown by anything that prints the store", async () => {
    const secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    const opened = await openBackend(
      { kind: "s3", endpoint: server.endpoint, bucket },
      { s3Credentials: { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: secret } },
    );
    const error = await opened.put(new Uint8Array(1)).catch((reason: unknown) => reason);
    for (const shown of [
      inspect(opened, { depth: 9, showHidden: true }),
      JSON.stringify(opened),
      inspect(error, { depth: 9 }),
    ]) {
      assert.ok(!shown.includes(secret));
    }
    await assert.rejects(
      openBackend({ kind: "s3", endpoint: server.endpoint, bucket }),
      /needs an access key/,
    );
  });
});
