import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { Address } from "viem";
import { type EmbeddedChain, startEmbeddedChain, untilCall } from "./embedded-chain.ts";
import { seeded } from "./random.ts";

const key = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const sender: Address = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
const intents = 8;

let chain: EmbeddedChain;
let server: Server;
let folder: string;
let onRequest: (method: string) => void = () => {};

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "assay-killed-"));
  chain = await startEmbeddedChain({ automine: true });
  server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { id, method, params } = JSON.parse(Buffer.concat(chunks).toString()) as {
      id: number;
      method: string;
      params: unknown[];
    };
    onRequest(method);
    try {
      response.end(JSON.stringify({ id, result: await chain.rpc(method, params) }));
    } catch (error) {
      const { code, message, data } = error as { code: number; message: string; data: unknown };
      response.end(JSON.stringify({ id, error: { code, message, data } }));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
after(async () => {
  server.close().closeAllConnections();
  await chain.close();
  rmSync(folder, { recursive: true, force: true });
});

describe("transaction queue in a process of its own", () => {
  it("carries every intent out once, although the process is killed again and again at random requests", async () => {
    const target = await chain.deploy("until");
    const random = seeded(11);
    const { port } = server.address() as AddressInfo;
    const args = [`http://127.0.0.1:${port}`, join(folder, "keeper.sqlite"), target, untilCall(2n ** 64n)];
    let kills = 0;
    for (let ended = false; !ended; ) {
      const child = spawn(
        process.execPath,
        [join(import.meta.dirname, "queue.child.ts"), ...args, String(intents)],
        { stdio: ["ignore", "ignore", "inherit"], env: { ...process.env, QUEUE_KEY: key } },
      );
      // The last lives are left alone, so that the run ends whatever the seed.
      let left = kills < 12 ? 3 + random.below(28) : Number.POSITIVE_INFINITY;
      onRequest = () => {
        if (--left === 0) child.kill("SIGKILL");
      };
      const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
        child.on("exit", (...outcome) => resolve(outcome)),
      );
      if (signal === "SIGKILL") kills++;
      else {
        assert.equal(code, 0);
        ended = true;
      }
    }
    assert.ok(kills >= 5, `${kills} kills`);
    const logs = await chain.client.public.getLogs({ address: target, fromBlock: 0n });
    assert.equal(logs.length, intents);
    assert.equal(await chain.client.public.getTransactionCount({ address: sender }), intents);
  });
});
