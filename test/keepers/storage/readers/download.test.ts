import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import { DownloadError, download } from "../../../../keepers/src/storage/readers/download.ts";
import { mnistFiles, openMnist } from "../../../../keepers/src/storage/readers/mnist.ts";
import { drain, temporaryFolder } from "./support.ts";

async function serve(test: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  test.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const file = Buffer.from("the right bytes ".repeat(1000));
const sha256 = createHash("sha256").update(file).digest("hex");

describe("downloading a file", () => {
  async function attempt(test: TestContext, listener: RequestListener, paths: readonly string[]) {
    const base = await serve(test, listener);
    const folder = await temporaryFolder(test);
    const target = join(folder, "cache", "file");
    const urls = paths.map((path) => `${base}${path}`);
    return { folder, target, done: download({ urls, sha256, maxBytes: file.length, target, timeout: 5000 }) };
  }

  it("takes the first mirror that sends the right bytes, plain or gzip, and passes over bad ones", async (test) => {
    const asked: string[] = [];
    const { target, done } = await attempt(
      test,
      ({ url }, response) => {
        asked.push(url!);
        if (url === "/missing") response.writeHead(404).end("no");
        else if (url === "/wrong") response.end(Buffer.alloc(file.length));
        else if (url === "/long") response.end(gzipSync(Buffer.alloc(50_000_000)));
        else if (url === "/cut") response.end(gzipSync(file).subarray(0, -20));
        else if (url === "/broken")
          response.writeHead(200, { "content-length": "99999" }).write("x", () => response.destroy());
        else if (url === "/moved") response.writeHead(302, { location: "/packed" }).end();
        else response.end(url === "/packed" ? gzipSync(file) : file);
      },
      ["/missing", "/wrong", "/long", "/cut", "/broken", "/moved", "/plain"],
    );
    await done;
    assert.deepEqual(await readFile(target), file);
    assert.deepEqual(asked, ["/missing", "/wrong", "/long", "/cut", "/broken", "/moved", "/packed"]);
    assert.deepEqual(await readdir(join(target, "..")), ["file"]);
  });

  it("says why each mirror failed, and leaves nothing behind", async (test) => {
    const { target, done } = await attempt(
      test,
      ({ url }, response) => {
        if (url === "/a") response.writeHead(503).end();
        else response.end("other bytes");
      },
      ["/a", "/b"],
    );
    await assert.rejects(
      done,
      (error: unknown) =>
        error instanceof DownloadError &&
        /\/a: it answered 503; .*\/b: it sent another file/.test(error.message),
    );
    assert.deepEqual(await readdir(join(target, "..")), []);
  });

  it("does not wait for ever for a mirror that says nothing", async (test) => {
    const base = await serve(test, () => undefined);
    const target = join(await temporaryFolder(test), "file");
    await assert.rejects(
      download({ urls: [`${base}/`], sha256, maxBytes: 10, target, timeout: 50 }),
      /timeout|aborted/,
    );
  });
});

const data = process.env.ASSAY_DATA;
const skip = data === undefined ? "ASSAY_DATA names no folder with MNIST" : false;

describe("MNIST from a mirror", { skip }, () => {
  it("is fetched once, checked by hash, and read from the cache afterwards; a damaged cache is replaced", async (test) => {
    let requests = 0;
    const mirror = await serve(test, async ({ url }, response) => {
      requests++;
      // As the reader does: the folder itself, or a folder "mnist" in it.
      const folder = existsSync(join(data!, "mnist")) ? join(data!, "mnist") : data!;
      response.end(await readFile(join(folder, url!)));
    });
    const empty = await temporaryFolder(test);
    const cacheDirectory = await temporaryFolder(test);
    const before = process.env.ASSAY_DATA;
    process.env.ASSAY_DATA = empty;
    test.after(() => {
      process.env.ASSAY_DATA = before;
    });
    const open = () => openMnist({ split: "test", cacheDirectory, mirrors: [mirror] });
    assert.equal((await drain(await open())).length, 10_000);
    assert.equal(requests, 2);
    await open();
    assert.equal(requests, 2);
    await (await import("node:fs/promises")).truncate(join(cacheDirectory, mnistFiles.test.labels.name), 100);
    await open();
    assert.equal(requests, 3);
    await assert.rejects(openMnist({ split: "test", directory: empty }), /holds no t10k-images-idx3-ubyte/);
  });
});
