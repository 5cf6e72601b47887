import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { multiaddr } from "@multiformats/multiaddr";
import { collect } from "../../../../keepers/src/storage/backends/backend.ts";
import { endpointOf, parseEndpoint } from "../../../../keepers/src/storage/transport/endpoint.ts";
import { TransportError, WrongPeerError } from "../../../../keepers/src/storage/transport/errors.ts";
import { createHost, type Host } from "../../../../keepers/src/storage/transport/host.ts";
import { ShardClient } from "../../../../keepers/src/storage/transport/shard-client.ts";
import { ShardServer } from "../../../../keepers/src/storage/transport/shard-service.ts";
import { generator } from "../random.ts";
import { datasetId, serviceOver } from "./service.ts";

const peerId = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";

describe("a keeper that pages reach", () => {
  let server: Host;
  let client: Host;
  let shards: ShardServer;
  const bundles = new Map<number, Uint8Array>();

  before(async () => {
    server = await createHost({
      localNetwork: true,
      listen: ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0/ws"],
    });
    client = await createHost({ localNetwork: true });
    shards = await ShardServer.start(server, serviceOver(bundles));
  });

  after(async () => {
    await shards?.stop();
    await client?.stop();
    await server?.stop();
  });

  const web = () => server.getMultiaddrs().find((address) => String(address).includes("/ws"))!;

  it("takes a bundle over a WebSocket and gives it back", async () => {
    const shard = await ShardClient.connect(client, String(web()));
    const bytes = generator(8).bytes(3_000_000);
    const { accepted } = await shard.offer(
      {
        datasetId,
        owner: `0x${"0a".repeat(20)}`,
        manifestCid: "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e",
        bundleIndices: [1],
      },
      generator(9).bytes(1000),
    );
    assert.deepEqual(accepted, [1]);
    await shard.put({ datasetId, bundleIndex: 1, bytes });
    assert.deepEqual(bundles.get(1), bytes);
    const read = await collect(shard.get({ datasetId, bundleIndex: 1, offset: 5, length: 2_000_000 }));
    assert.deepEqual(read, bytes.subarray(5, 2_000_005));
    await shard.close();
  });

  const port = () => Number(/\/tcp\/(\d+)/.exec(String(web()))![1]);

  it("attack: closes a connection whose message is longer than any that makes sense", async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${port()}`);
    await once(socket, "open");
    socket.send(new Uint8Array(1 << 20));
    const [{ code }] = (await once(socket, "close")) as [CloseEvent];
    assert.equal(code, 1009);
  });

  it("attack: frames that break the protocol end their connection, not the keeper", async () => {
    const socket = connect(port(), "127.0.0.1");
    const key = Buffer.alloc(16).toString("base64");
    const headers = `Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}`;
    socket.write(`GET / HTTP/1.1\r\n${headers}\r\n\r\n`);
    await once(socket, "data");
    // Every reserved bit is set, and there is no such opcode.
    socket.end(Buffer.from([0xff, 0xff, 0, 0, 0, 0]));
    socket.resume();
    await once(socket, "close");
  });

  for (const [what, headers] of [
    ["anything", []],
    ["a WebSocket in a way that is none", ["Upgrade: websocket"]],
    ["a WebSocket, and for more before it has one", ["Upgrade: websocket", "Connection: Upgrade"]],
  ] as const) {
    it(`attack: answers nothing to whoever asks for ${what} over HTTP`, async () => {
      const socket = connect(port(), "127.0.0.1");
      const request = ["GET / HTTP/1.1", "Host: a", ...headers, "", ""].join("\r\n");
      const answers: Buffer[] = [];
      socket.on("data", (data) => answers.push(data));
      socket.on("error", () => undefined);
      // Its first bytes alone, so that the rest comes in another read.
      socket.write(request.slice(0, 20));
      await delay(50);
      socket.write(request.slice(20) + (what.includes("more") ? request.repeat(2000) : ""));
      await new Promise((closed) => socket.once("close", closed));
      assert.equal(Buffer.concat(answers).length, 0);
    });
  }

  it("takes a request for a WebSocket that comes in pieces", async () => {
    const socket = connect(port(), "127.0.0.1");
    const key = Buffer.alloc(16).toString("base64");
    const headers = `Host: x\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}`;
    socket.setNoDelay(true);
    for (const piece of ["G", "ET / HTTP/1.1\r\nUpgra", `de: WebSocket\r\n${headers}\r`, "\n\r\n"]) {
      socket.write(piece);
      await delay(30);
    }
    const [answer] = (await once(socket, "data")) as [Buffer];
    assert.match(answer.toString(), /^HTTP\/1.1 101/);
    socket.destroy();
  });

  it("names a plain address and a WebSocket, and whoever dials uses one that answers", async () => {
    const endpoint = endpointOf(server.getMultiaddrs())!;
    const [plain, socket] = parseEndpoint(endpoint);
    assert.match(String(plain), /tcp\/\d+\/p2p/);
    assert.match(String(socket), /\/ws\/p2p/);
    const shard = await ShardClient.connect(client, `/ip4/127.0.0.1/tcp/1,${socket}`);
    assert.equal(shard.peer, server.peerId.toString());
    await shard.close();
  });

  it("refuses endpoints that make no sense", async () => {
    const address = "/ip4/127.0.0.1/tcp/1";
    assert.equal(endpointOf([]), undefined);
    assert.equal(endpointOf([multiaddr(address)]), address);
    const long = multiaddr(`/dns4/${"a".repeat(63)}.${"b".repeat(63)}.example.org/tcp/1`);
    assert.equal(endpointOf([long, long.encapsulate("/ws")]), String(long), "the chain takes 256 bytes");
    const reach = (endpoint: string) => ShardClient.connect(client, endpoint);
    await assert.rejects(reach(`${address},nonsense/p2p/${peerId}`), TransportError);
    await assert.rejects(reach(new Array(5).fill(`${address}/p2p/${peerId}`).join(",")), TransportError);
    await assert.rejects(reach(`${address},${address}`), TransportError);
    await assert.rejects(reach(`${address}/p2p/${peerId},${web()}`), WrongPeerError);
  });
});
