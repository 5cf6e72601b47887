import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, it } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import type { Hex } from "viem";
import { readManifest } from "../../dapp/src/order/read-dataset.ts";
import { maxManifestBytes } from "../../keepers/src/core/dataset/manifest.ts";

const digest = (i: number): Hex => `0x${i.toString(16).padStart(64, "0")}`;

describe("manifests from a gateway", () => {
  const servers: Server[] = [];

  async function gateway(answer: RequestListener): Promise<string> {
    const server = createServer(answer).listen(0, "127.0.0.1");
    servers.push(server);
    await once(server, "listening");
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.close();
      server.closeAllConnections();
    }
  });

  it("attack: are not read beyond what a manifest may have, however much the owner's digest stands for", async () => {
    let sent = 0;
    const url = await gateway(async (_, response) => {
      const piece = Buffer.alloc(64 * 1024, "a");
      // As much as a blob may have, and more.
      while (sent < 64 * 2 ** 20 && !response.destroyed) {
        sent += piece.length;
        if (!response.write(piece)) await Promise.race([once(response, "drain"), once(response, "close")]);
      }
      response.end();
    });
    await assert.rejects(readManifest(url, digest(1)), new RegExp(`more than ${maxManifestBytes} bytes`));
    // What lay in the sockets besides.
    assert.ok(sent < 16 * 2 ** 20, `${sent} bytes were sent`);
  });

  it("are asked for a few at a time, and those that nobody waits for not at all", async () => {
    let [under, most, asked] = [0, 0, 0];
    const url = await gateway(async (_, response) => {
      asked++;
      most = Math.max(most, ++under);
      await wait(20);
      under--;
      response.writeHead(404).end();
    });
    const gone = new AbortController();
    const reading = Array.from({ length: 40 }, (_, i) =>
      readManifest(url, digest(i), i < 30 ? undefined : gone.signal),
    );
    gone.abort();
    const outcomes = await Promise.allSettled(reading);
    for (const { status } of outcomes) assert.equal(status, "rejected");
    assert.ok(most > 1 && most <= 8, `${most} at a time`);
    assert.equal(asked, 30);
    // Whoever left took no turn from the others.
    await assert.rejects(readManifest(url, digest(99)), /HTTP 404/);
  });
});
