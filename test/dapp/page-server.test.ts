import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type PageServer, servePage } from "../../scripts/page-server.ts";

describe("the server of the page", () => {
  let folder: string;
  let server: PageServer;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "assay-page-server-"));
    mkdirSync(join(folder, "page"));
    writeFileSync(join(folder, "page", "index.html"), "<p>the page</p>");
    writeFileSync(join(folder, "secret"), "not of the page");
    server = await servePage({ folder: join(folder, "page"), network: { name: "test" }, base: "/ipfs/cid/" });
  });

  after(async () => {
    await server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** As it is written: `fetch` would tidy the path up. */
  async function get(path: string): Promise<{ status: number | undefined; text: string }> {
    const { hostname, port } = new URL(server.url);
    const sent = request({ hostname, port, path }).end();
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    return { status: response.statusCode, text: (await response.toArray()).join("") };
  }

  it("gives files, the index, and the network", async () => {
    assert.deepEqual(await get("/ipfs/cid/"), { status: 200, text: "<p>the page</p>" });
    assert.deepEqual(await get("/ipfs/cid/network.json"), { status: 200, text: '{"name":"test"}' });
  });

  it("attack: gives nothing beside the page, and outlives what is no address", async () => {
    for (const path of [
      "/ipfs/cid/../../../secret",
      "/ipfs/cid/..%2fsecret",
      "/secret",
      "/ipfs/cid/%",
      "//",
      "/ipfs/cid/no",
    ])
      assert.equal((await get(path)).status, 404, path);
    assert.equal((await get("/ipfs/cid/")).status, 200);
  });
});
