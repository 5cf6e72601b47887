import assert from "node:assert/strict";
import { createServer } from "node:net";
import { afterEach, describe, mock, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { systemClock } from "../../../../keepers/src/chain/clock.ts";
import { RateLimit } from "../../../../keepers/src/chain/rpc/rate-limit.ts";
import { budgetOf } from "../../../../keepers/src/storage/transport/byte-budget.ts";
import { encodeHeader } from "../../../../keepers/src/storage/transport/codec.ts";
import { TransportError } from "../../../../keepers/src/storage/transport/errors.ts";
import {
  createHost,
  type Host,
  type HostParameters,
} from "../../../../keepers/src/storage/transport/host.ts";
import { PeerLimits, shareOfThread } from "../../../../keepers/src/storage/transport/peer-limits.ts";
import {
  isPublicAddress,
  isPublicIp,
  publicLookup,
} from "../../../../keepers/src/storage/transport/public-addresses.ts";
import type { ServerOptions } from "../../../../keepers/src/storage/transport/rpc-server.ts";
import { ShardClient } from "../../../../keepers/src/storage/transport/shard-client.ts";
import { shardProtocol } from "../../../../keepers/src/storage/transport/shard-protocol.ts";
import { ShardServer } from "../../../../keepers/src/storage/transport/shard-service.ts";
import { datasetId, serviceOver } from "./service.ts";

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const action of cleanUp.splice(0).reverse()) await action();
});

async function node(parameters: HostParameters = {}): Promise<Host> {
  const host = await createHost({ localNetwork: true, ...parameters });
  cleanUp.push(async () => host.stop());
  return host;
}

async function keeper(
  service = serviceOver(new Map()),
  { memory, ...options }: ServerOptions & Pick<HostParameters, "memory"> = {},
): Promise<{ host: Host; server: ShardServer; address: string }> {
  const host = await node({ listen: ["/ip4/127.0.0.1/tcp/0"], memory });
  const server = await ShardServer.start(host, service, options);
  cleanUp.push(() => server.stop());
  return { host, server, address: host.getMultiaddrs()[0]!.toString() };
}

async function until(holds: () => boolean, what: string): Promise<void> {
  for (let tries = 0; !holds(); tries++) {
    if (tries > 500) assert.fail(`never: ${what}`);
    await delay(10);
  }
}

const proveRequest = { datasetId, bundleIndex: 0, seed: `0x${"01".repeat(32)}` } as const;

describe("peers that fill a keeper", () => {
  test("attack: whoever asks and goes away has nothing worked on any more", async () => {
    const service = serviceOver(new Map());
    const ended: unknown[] = [];
    let begun = 0;
    service.prove = (_, { signal }) =>
      new Promise((_, reject) => {
        begun++;
        signal.addEventListener("abort", () => {
          ended.push(signal.reason);
          reject(signal.reason);
        });
      });
    const { address, server } = await keeper(service);
    const stranger = await node();
    const client = await ShardClient.connect(stranger, address, { attempts: 1 });
    const giveUp = new AbortController();
    const abandoned = client.prove(proveRequest, { signal: giveUp.signal });
    const cut = client.prove(proveRequest);
    const failures = Promise.allSettled([abandoned, cut]);
    await until(() => begun === 2, "both are worked on");
    giveUp.abort(new Error("enough"));
    await until(() => ended.length === 1, "the one that was given up has ended");
    stranger.getConnections()[0]!.abort(new Error("gone"));
    await until(() => ended.length === 2, "the one of the broken connection has ended");
    assert.ok(ended.every((reason) => reason instanceof TransportError));
    await until(() => server.stats.requests === 0, "no request is left");
    await failures;
  });

  test("attack: streams are counted by peer, over all of its connections", async () => {
    const { host, server, address } = await keeper(undefined, { streamsPerPeer: 4 });
    const stranger = await node();
    const streams: Stream[] = [];
    for (let connections = 0; connections < 4; connections++) {
      const connection = await stranger.dial(multiaddr(address), { force: true });
      for (let each = 0; each < 4; each++) {
        const stream = await connection.newStream(shardProtocol.id).catch(() => undefined);
        if (stream !== undefined) streams.push(stream);
      }
    }
    assert.equal(host.getConnections(stranger.peerId).length, 4);
    await until(() => server.stats.refused.streams >= 12, "twelve of sixteen are refused");
    assert.equal(server.stats.streams, 4);
    const other = await ShardClient.connect(await node(), address);
    await other.status({ datasetId, bundleIndices: [0] });
  });

  test("attack: one peer holds a few connections, however many it opens", async () => {
    const { host, address } = await keeper();
    const stranger = await node();
    for (let i = 0; i < 20; i++) {
      await stranger.dial(multiaddr(address), { force: true }).catch(() => undefined);
    }
    await until(() => host.getConnections(stranger.peerId).length <= 8, "eight are left");
    const other = await ShardClient.connect(await node(), address);
    await other.status({ datasetId, bundleIndices: [0] });
  });

  test("attack: bodies that nobody reads are bounded for all peers together, and room comes back", async () => {
    const service = serviceOver(new Map());
    service.put = (_, __, ___, { signal }) =>
      new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    const total = 4 * 2 ** 20;
    const { host, address } = await keeper(service, { memory: { total, perPeer: 2 * 2 ** 20 } });
    const budget = budgetOf(host);
    const body = 8_000_000;
    const message = encodeHeader({
      method: "put",
      params: { datasetId, bundleIndex: 0, offset: 0, total: body },
      body,
    });
    const strangers: Host[] = [];
    let most = 0;
    for (let peers = 0; peers < 6; peers++) {
      const stranger = await node();
      strangers.push(stranger);
      for (let each = 0; each < 8; each++) {
        const stream = await stranger
          .dialProtocol(multiaddr(address), shardProtocol.id)
          .catch(() => undefined);
        if (stream === undefined) continue;
        stream.addEventListener("close", () => undefined);
        try {
          stream.send(message);
          stream.send(new Uint8Array(900_000));
        } catch {
          // Refused already.
        }
      }
      await delay(50);
      most = Math.max(most, budget.used);
      assert.ok(budget.used <= total, `${budget.used} bytes`);
    }
    assert.ok(most > total / 2, `the attack filled ${most} of ${total} bytes`);
    assert.ok(budget.refused > 0, "nothing was refused");
    for (const stranger of strangers) await stranger.stop();
    await until(() => budget.used === 0, "everything was given back");
  });

  test("attack: identities without end, each shut out, are not remembered without end", () => {
    let now = 0;
    const limits = new PeerLimits({ faults: 1, now: () => now });
    for (let peer = 0; peer < 25_000; peer++) {
      limits.fault(String(peer));
      now++;
    }
    assert.ok(limits.remembered <= 10_001, `${limits.remembered}`);
    assert.ok(limits.isShutOut("24999"));
  });
});

describe("prices of requests", () => {
  test("attack: peers without end ask for no more than 40 % of a thread together", () => {
    let now = 0;
    const limits = new PeerLimits({ inAll: shareOfThread, now: () => now });
    const price = 20;
    let answered = 0;
    // A hundred seconds, in each of which a hundred new identities ask for as much as they may.
    for (let second = 0; second < 100; second++) {
      for (let peer = 0; peer < 100; peer++) {
        for (let each = 0; each < 200; each++) {
          if (limits.begin(`${second} ${peer}`, price) !== "ok") break;
          answered++;
          limits.end(`${second} ${peer}`);
        }
      }
      now += 1000;
    }
    const milliseconds = (answered * price) / 10;
    assert.ok(milliseconds <= 100 * 400 + 500, `${milliseconds} of 100,000 ms`);
    assert.ok(milliseconds >= 100 * 390, `only ${milliseconds} of 100,000 ms`);
    assert.equal(limits.begin("another", price), "ok", "and whoever comes later is answered");
  });

  test("are those of the bytes that must be read and hashed for an answer", () => {
    const { offer, get, cells } = shardProtocol.methods;
    const bundleIndices = [0];
    const long = offer.cost({ bundleIndices }, 253_952);
    assert.ok(long >= 430, `a manifest that takes 43 ms has the price ${long}`);
    assert.ok(long <= 1000, "one peer's allowance of a second is enough for it");
    assert.ok(offer.cost({ bundleIndices: Array(1024).fill(0) }, 0) > offer.cost({ bundleIndices }, 0));
    assert.equal(get.cost({ offset: 262_143, length: 2 }), get.cost({ offset: 0, length: 524_288 }));
    assert.ok(get.cost({ offset: 0, length: 8_000_000 }) > 15 * get.cost({ offset: 0, length: 1 }));
    assert.ok(cells.cost({ cells: Array(64).fill(0) }) > 20 * cells.cost({ cells: [0] }) * 0.8);
  });
});

describe("a machine whose clock is set back", () => {
  test("attack: lets nobody wait", async () => {
    const real = Date.now();
    const clock = mock.method(Date, "now", () => real);
    try {
      const limits = new PeerLimits({ burst: 1, perSecond: 1000 });
      assert.equal(limits.begin("peer", 1), "ok");
      limits.end("peer");
      const calls = new RateLimit(50, systemClock);
      for (let i = 0; i < 50; i++) await calls.wait();
      clock.mock.mockImplementation(() => real - 600_000);
      await delay(20);
      assert.equal(limits.begin("peer", 1), "ok", "the allowance comes back with time that has passed");
      const started = performance.now();
      await calls.wait();
      assert.ok(performance.now() - started < 1000, "a call waits no longer than its rate says");
    } finally {
      clock.mock.restore();
    }
  });
});

describe("addresses that others write on chain", () => {
  const inside = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.251",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:a00:1",
    "::7f00:1",
    "64:ff9b::7f00:1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "ff02::1",
    "2002:7f00:1::",
    "2001::1",
    "2001:db8::1",
  ];

  test("are dialled on the open internet alone", () => {
    for (const address of inside) {
      assert.equal(isPublicIp(address), false, address);
      const version = address.includes(":") ? "ip6" : "ip4";
      assert.equal(isPublicAddress(multiaddr(`/${version}/${address}/tcp/4701`)), false, address);
    }
    for (const address of ["1.1.1.1", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "2a00:1450::5"]) {
      assert.equal(isPublicIp(address), true, address);
    }
    for (const address of ["fe80::1%eth0", "localhost", ""]) assert.equal(isPublicIp(address), false);
    assert.equal(isPublicAddress(multiaddr("/dns4/keeper.example.org/tcp/4701")), true);
    assert.equal(isPublicAddress(multiaddr("/dns4/keeper.example.org/tcp/4703/ws")), false);
    assert.equal(isPublicAddress(multiaddr("/unix/%2Fvar%2Frun%2Fdocker.sock")), false);
  });

  for (const address of [
    "/ip4/127.0.0.1",
    "/ip6/::1",
    "/ip6/::ffff:127.0.0.1",
    "/dns4/localhost",
    "/dns/0x7f000001",
    "/dns6/localhost",
  ]) {
    test(`attack: no connection is made to ${address}`, async () => {
      let reached = 0;
      const server = createServer((socket) => {
        reached++;
        socket.destroy();
      });
      await new Promise<void>((listening) => server.listen(0, listening));
      cleanUp.push(() => new Promise((closed) => server.close(closed)));
      const { port } = server.address() as { port: number };
      const denied: string[] = [];
      const cautious = await node({ localNetwork: false, onDenied: (what) => denied.push(what) });
      const stranger = await node();
      const endpoint = `${address}/tcp/${port}`;
      const peer = stranger.peerId.toString();
      await assert.rejects(ShardClient.connect(cautious, endpoint, { peer }), TransportError);
      assert.equal(reached, 0);
      if (address.startsWith("/ip")) assert.deepEqual(denied, ["dial"]);
      // The same address is reached by a keeper of a local network, so that the refusal above means something.
      const trusting = await node();
      if (!address.includes("ffff")) {
        await assert.rejects(ShardClient.connect(trusting, endpoint, { peer }), TransportError);
        assert.ok(reached > 0 || address === "/dns6/localhost");
      }
    });
  }

  test("attack: a name that means this machine is no address, however it is asked for", async () => {
    const looked = (all: boolean) =>
      new Promise((resolve, reject) =>
        publicLookup("localhost", { all }, (error, found) => (error ? reject(error) : resolve(found))),
      );
    await assert.rejects(looked(false), /no address of the open internet/);
    await assert.rejects(looked(true), /no address of the open internet/);
  });
});
