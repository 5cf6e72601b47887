import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer, type Socket } from "node:net";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { multiaddr } from "@multiformats/multiaddr";
import { uriOf } from "../../../../keepers/src/storage/transport/web-socket-client.ts";
import { cleanUp, node } from "./raw-peer.ts";

/** A server of WebSockets that is told of each, with the request for it. */
async function server(onOpen: (socket: Socket, request: string) => void): Promise<string> {
  const listening = createServer((socket) => {
    socket.on("error", () => undefined);
    cleanUp.push(() => socket.destroy());
    socket.once("data", (data) => {
      const key = /sec-websocket-key: (.*)\r\n/i.exec(data.toString())![1]!;
      const accept = createHash("sha1").update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
      const headers = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}`;
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${headers}\r\n\r\n`);
      onOpen(socket, data.toString());
    });
  });
  await new Promise<void>((done) => listening.listen(0, "127.0.0.1", done));
  cleanUp.push(() => listening.close());
  return `/ip4/127.0.0.1/tcp/${(listening.address() as { port: number }).port}/ws`;
}

const dial = async (address: string) =>
  await (await node()).dial(multiaddr(address), { signal: AbortSignal.timeout(8000) });

describe("a WebSocket that a node has dialled", () => {
  it("attack: is ended when it is given up, whatever the other side does", async () => {
    const keeper = await node(["/ip4/127.0.0.1/tcp/0/ws"]);
    const connection = await (await node()).dial(keeper.getMultiaddrs()[0]!);
    const { websocket } = (connection as unknown as { maConn: { websocket: { readyState: number } } }).maConn;
    for (let tries = 0; keeper.getConnections().length === 0 && tries < 100; tries++) await delay(20);
    connection.abort(new Error("given up"));
    for (let tries = 0; keeper.getConnections().length > 0 && tries < 100; tries++) await delay(20);
    assert.deepEqual([websocket.readyState, keeper.getConnections().length], [WebSocket.CLOSED, 0]);
  });

  it("attack: takes no message that is longer than makes sense, and none that is compressed", async () => {
    const requests: string[] = [];
    let isClosed = false;
    const address = await server((socket, request) => {
      requests.push(request);
      socket.once("close", () => {
        isClosed = true;
      });
      socket.resume();
      // Its length alone.
      socket.write(Buffer.of(0x82, 127, 0, 0, 0, 0, 0, 0x10, 0, 0));
    });
    const began = performance.now();
    await assert.rejects(dial(address));
    assert.ok(performance.now() - began < 4000, `${performance.now() - began} ms`);
    for (let tries = 0; !isClosed && tries < 100; tries++) await delay(50);
    assert.equal(isClosed, true);
    assert.equal(/extensions/i.test(requests[0]!), false);
  });

  it("attack: ends no process with a frame that breaks the protocol, or an answer that is none", async () => {
    await assert.rejects(dial(await server((socket) => socket.write(Buffer.alloc(20, 0xff)))));
    const silent = createServer((socket) => socket.end("HTTP/1.1 200 OK\r\n\r\n"));
    await new Promise<void>((done) => silent.listen(0, "127.0.0.1", done));
    cleanUp.push(() => silent.close());
    const { port } = silent.address() as { port: number };
    await assert.rejects(dial(`/ip4/127.0.0.1/tcp/${port}/ws`));
    await delay(100);
  });

  it("is dialled where its address says", () => {
    for (const [address, uri] of [
      ["/ip4/1.2.3.4/tcp/4703/ws", "ws://1.2.3.4:4703"],
      ["/ip6/2606:4700::1/tcp/4703/ws", "ws://[2606:4700::1]:4703"],
      ["/dns4/a.example/tcp/443/tls/ws", "wss://a.example:443"],
      ["/dns/a.example/tcp/443/wss", "wss://a.example:443"],
      ["/ip4/1.2.3.4/tcp/443/tls/sni/a.example/ws", "wss://a.example:443"],
    ]) {
      assert.equal(uriOf(multiaddr(address)), uri);
    }
  });
});
