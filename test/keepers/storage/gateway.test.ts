import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { AssayError } from "../../../keepers/src/core/errors.ts";
import type { BlobStore } from "../../../keepers/src/storage/backends/backend.ts";
import { blobCid, maxBlobBytes } from "../../../keepers/src/storage/backends/blob-cid.ts";
import { openBackend } from "../../../keepers/src/storage/backends/open.ts";
import { type Gateway, serveGateway } from "../../../keepers/src/storage/gateway.ts";
import { generator } from "./random.ts";

const random = generator(21);

describe("the gateway of a storage node", () => {
  let folder: string;
  const stores: BlobStore[] = [];
  let gateway: Gateway;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "assay-gateway-"));
    for (const name of ["a", "b"])
      stores.push(await openBackend({ kind: "fs", directory: join(folder, name) }, {}));
    gateway = await serveGateway({ stores: () => stores, port: 0 });
  });

  after(async () => {
    await gateway?.close();
    for (const store of stores) await store.close();
    await rm(folder, { recursive: true, force: true });
  });

  const get = (path: string, method = "GET") => fetch(`${gateway.url}${path}`, { method });

  it("gives a blob of any size that one of its stores holds, to pages of any origin", async () => {
    for (const [i, size] of [12, 300_000, maxBlobBytes].entries()) {
      const bytes = random.bytes(size);
      await stores[i % 2]!.put(bytes);
      const response = await get(`/ipfs/${blobCid(bytes)}?filename=x`);
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("access-control-allow-origin"), "*");
      assert.match(response.headers.get("cache-control")!, /immutable/);
      assert.deepEqual(new Uint8Array(await response.arrayBuffer()), bytes);
    }
  });

  it("refuses what is no blob's CID, what is not there, and what is no reading", async () => {
    const absent = blobCid(random.bytes(5));
    assert.equal((await get(`/ipfs/${absent}`)).status, 404);
    assert.equal((await get("/ipfs/bafybad")).status, 400);
    assert.equal((await get(`/ipfs/../${absent}`)).status, 404);
    assert.equal((await get("/")).status, 404);
    assert.equal((await get(`/ipfs/${absent}`, "PUT")).status, 405);
    const bytes = random.bytes(7);
    await stores[0]!.put(bytes);
    const head = await get(`/ipfs/${blobCid(bytes)}`, "HEAD");
    assert.deepEqual([head.status, await head.text()], [200, ""]);
  });

  it("attack: connections without end are turned away, and it answers again when they are gone", async () => {
    const { hostname, port } = new URL(gateway.url);
    let refused = 0;
    const sockets = await Promise.all(
      Array.from({ length: 300 }, async () => {
        const socket = connect(Number(port), hostname);
        socket.on("error", () => undefined);
        socket.once("close", () => refused++);
        await once(socket, "connect");
        return socket;
      }),
    );
    for (let tries = 0; refused < 44 && tries < 300; tries++) await delay(10);
    assert.ok(refused >= 44 && refused < 60, `${refused} of 300 were turned away`);
    for (const socket of sockets) socket.destroy();
    await delay(100);
    assert.equal((await get("/")).status, 404);
  });

  it("ends early when a store fails, and says when its port is taken", async () => {
    const cid = blobCid(random.bytes(9));
    const goneAway = () => new Error("the disk went away");
    const failing = {
      has: async () => true,
      async *get() {
        yield new Uint8Array(1000);
        throw goneAway();
      },
    };
    const broken = await serveGateway({ stores: () => [failing], port: 0 });
    await assert.rejects(fetch(`${broken.url}/ipfs/${cid}`).then((response) => response.arrayBuffer()));
    await broken.close();
    const unread = { ...failing, has: () => Promise.reject(goneAway()) };
    const silent = await serveGateway({ stores: () => [unread], port: 0 });
    const answer = await fetch(`${silent.url}/ipfs/${cid}`);
    await silent.close();
    assert.equal(answer.status, 502);
    assert.doesNotMatch(await answer.text(), /disk/, "strangers are told nothing of it");
    const port = Number(new URL(gateway.url).port);
    await assert.rejects(serveGateway({ stores: () => [], port }), AssayError);
  });
});
