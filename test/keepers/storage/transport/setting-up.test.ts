import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { MultiaddrConnection, Upgrader } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { Pending } from "../../../../keepers/src/storage/transport/pending.ts";
import { Upgrades } from "../../../../keepers/src/storage/transport/upgrades.ts";
import { isClosed, line, node, socketTo, webSocketFrame, webSocketTo } from "./raw-peer.ts";

const identify = "/ipfs/id/1.0.0";
const ping = "/ipfs/ping/1.0.0";

describe("connections that are being set up", () => {
  it("attack: keep nobody out, however many of them say nothing", async () => {
    const keeper = await node(["/ip4/127.0.0.1/tcp/0"]);
    for (let i = 0; i < 120; i++) {
      await socketTo(keeper);
      if (i % 50 === 49) await delay(1000);
    }
    await delay(1000);
    const connection = await (await node()).dial(keeper.getMultiaddrs()[0]!);
    assert.equal(connection.status, "open");
  });

  it("attack: are ended when one brings thousands of pieces before anybody knows who it is", async () => {
    const keeper = await node(["/ip4/127.0.0.1/tcp/0"]);
    const socket = await socketTo(keeper);
    socket.setNoDelay(true);
    for (let i = 0; i < 3000 && !socket.destroyed; i++) {
      socket.write(Uint8Array.of(1));
      if (i % 8 === 7) await new Promise((done) => setImmediate(done));
    }
    assert.equal(await isClosed(socket, 3), true);
  });

  it("attack: are ended when one is not set up in time", { timeout: 20_000 }, async () => {
    const keeper = await node(["/ip4/127.0.0.1/tcp/0"]);
    assert.equal(await isClosed(await socketTo(keeper), 8), true);
  });

  const scene = () => {
    const aborted: string[] = [];
    const begun: (() => void)[] = [];
    const upgrader = {
      upgradeInbound: () => new Promise<void>((done) => begun.push(done)),
    } as unknown as Upgrader;
    const guarded = new Upgrades().guard(upgrader);
    const open = (address: string) => {
      const connection = {
        remoteAddr: multiaddr(address),
        onData: () => undefined,
        send: () => true,
        abort: () => void aborted.push(address),
      } as unknown as MultiaddrConnection;
      return guarded.upgradeInbound(connection, {} as never).catch(() => undefined);
    };
    return { aborted, begun, open };
  };

  it("attack: are few of one address, of which the oldest make way, and those of another go on", async () => {
    const { aborted, begun, open } = scene();
    for (let i = 0; i < 20; i++) void open(`/ip4/8.8.8.8/tcp/${1000 + i}`);
    void open("/ip4/9.9.9.9/tcp/1000");
    await delay(10);
    assert.deepEqual(
      aborted,
      [0, 1, 2, 3].map((i) => `/ip4/8.8.8.8/tcp/${1000 + i}`),
    );
    assert.equal(begun.length, 21);
    for (const done of begun.splice(0)) done();
    await delay(10);
    void open("/ip4/8.8.8.8/tcp/2000");
    await delay(10);
    assert.deepEqual([begun.length, aborted.length], [1, 4], "those that are set up count no more");
  });

  it("attack: are begun for one /64 of IPv6 no more often than for one address", async () => {
    const { begun, open } = scene();
    for (let i = 0; i < 200; i++) void open(`/ip6/2606:4700::${(i + 1).toString(16)}/tcp/1000`);
    void open("/ip6/2606:4700:0:1::1/tcp/1000");
    await delay(10);
    assert.ok(begun.length > 40 && begun.length < 50, `${begun.length} are begun`);
  });

  it("attack: do not fill all places, from however many addresses they come", async () => {
    const { aborted, begun, open } = scene();
    for (let i = 0; i < 600; i++) void open(`/ip4/8.8.${i >>> 8}.${i & 255}/tcp/1000`);
    await delay(10);
    assert.deepEqual([begun.length, aborted.length], [600, 88]);
  });

  it("attack: are closed where a socket does not become a WebSocket in time", {
    timeout: 30_000,
  }, async () => {
    const keeper = await node(["/ip4/127.0.0.1/tcp/0/ws"]);
    const [silent, slow] = [await socketTo(keeper), await socketTo(keeper)];
    slow.write("GET / HTTP/1.1\r\n");
    assert.deepEqual([await isClosed(silent, 14), await isClosed(slow, 2)], [true, true]);
  });

  it("attack: are ended at once where one fails: what is sent on it would be read, and its end be nobody's", async () => {
    const keeper = await node(["/ip4/127.0.0.1/tcp/0/ws"]);
    const socket = await webSocketTo(keeper);
    const agreed = Buffer.concat([line("/multistream/1.0.0"), line("/noise")]);
    socket.write(Buffer.concat([webSocketFrame(true, 2, agreed.length), agreed]));
    // No first message of Noise.
    socket.write(Buffer.concat([webSocketFrame(true, 2, 22), Buffer.of(0, 20), Buffer.alloc(20)]));
    socket.resume();
    assert.equal(await isClosed(socket, 3), true);
  });

  it("attack: are given up before the library hears that they failed: it waits for what nobody reads, and then ends the process", async () => {
    const failure = new Error("not set up");
    const fail = async () => await Promise.reject(failure);
    const guarded = new Upgrades().guard({
      upgradeInbound: fail,
      upgradeOutbound: fail,
    } as unknown as Upgrader);
    for (const upgrade of [guarded.upgradeInbound, guarded.upgradeOutbound]) {
      const aborted: unknown[] = [];
      const connection = {
        remoteAddr: multiaddr("/ip4/8.8.8.8/tcp/1"),
        onData: () => undefined,
        send: () => true,
        abort: (error: Error) => void aborted.push(error),
      } as unknown as MultiaddrConnection;
      await assert.rejects(
        (upgrade as Upgrader["upgradeInbound"])(connection, {} as never).catch((error: unknown) => {
          assert.deepEqual(aborted, [failure]);
          throw error;
        }),
        failure,
      );
    }
  });

  it("attack: keep no page out, however many sockets say nothing", async () => {
    const keeper = await node(["/ip4/127.0.0.1/tcp/0/ws"]);
    for (let i = 0; i < 600; i++) await socketTo(keeper);
    const address = keeper.getMultiaddrs()[0]!;
    const connection = await (await node()).dial(address, { signal: AbortSignal.timeout(5000) });
    assert.equal(connection.status, "open");
  });

  it("attack: make way for others in the order in which they came, those of one address first", () => {
    const ended: number[] = [];
    const pending = new Pending<number>({ ofNet: 3, inAll: 6, end: (one) => ended.push(one) });
    for (let i = 0; i < 5; i++) pending.enter(i, "8.8.8.8");
    assert.deepEqual(ended, [0, 1]);
    for (let i = 5; i < 10; i++) pending.enter(i, undefined);
    assert.deepEqual(ended, [0, 1, 2, 3]);
    pending.leave(5);
    pending.enter(10, "9.9.9.9");
    assert.deepEqual(ended, [0, 1, 2, 3], "what is done takes no place");
    pending.endAll();
    assert.deepEqual(ended.slice(4), [4, 6, 7, 8, 9, 10]);
  });
});

describe("messages of a WebSocket", () => {
  it("attack: end the connection when one comes in thousands of pieces, which the library would keep", async () => {
    const keeper = await node(["/ip4/127.0.0.1/tcp/0/ws"]);
    const socket = await webSocketTo(keeper);
    socket.write(webSocketFrame(true, 2, 100_000));
    for (let i = 0; i < 2_500 && !socket.destroyed; i++) {
      socket.write(Uint8Array.of(1));
      await new Promise((done) => setImmediate(done));
    }
    assert.equal(await isClosed(socket, 1), true);
  });

  it("attack: end the connection when one has hundreds of fragments, each of which holds on to a buffer", async () => {
    const keeper = await node(["/ip4/127.0.0.1/tcp/0/ws"]);
    const socket = await webSocketTo(keeper);
    const fragments = Array.from({ length: 200 }, (_, i) => [
      webSocketFrame(false, i === 0 ? 2 : 0, 1),
      Buffer.of(1),
    ]);
    socket.write(Buffer.concat(fragments.flat()));
    assert.equal(await isClosed(socket, 1), true);
  });
});

describe("a WebSocket that brings nothing", () => {
  for (const [what, opcode] of [
    ["pings", 9],
    ["messages without bytes", 2],
  ] as const) {
    it(`attack: is ended after some ${what}`, async () => {
      const keeper = await node(["/ip4/127.0.0.1/tcp/0/ws"]);
      const socket = await webSocketTo(keeper);
      socket.resume();
      const few = Buffer.concat(Array<Buffer>(50).fill(webSocketFrame(true, opcode, 0)));
      socket.write(few);
      await delay(200);
      assert.equal(socket.destroyed, false);
      // The library ends one that brings more than sixty pings at once.
      for (let i = 0; i < 3; i++) {
        socket.write(few);
        await delay(100);
      }
      assert.equal(await isClosed(socket, 2), true);
    });
  }
});

describe("a WebSocket that is given up", () => {
  it("attack: is closed, although the library names a code that may not be sent", async () => {
    const keeper = await node(["/ip4/127.0.0.1/tcp/0/ws"]);
    const stranger = await node();
    await stranger.dial(keeper.getMultiaddrs()[0]!);
    for (let tries = 0; keeper.getConnections().length === 0 && tries < 100; tries++) await delay(20);
    const [connection] = keeper.getConnections();
    connection!.abort(new Error("shut out"));
    for (let tries = 0; stranger.getConnections().length > 0 && tries < 100; tries++) await delay(20);
    assert.equal(stranger.getConnections().length, 0);
  });
});

describe("what a node answers without being asked by its operator", () => {
  it("is who it is, and that it is there", async () => {
    const keeper = await node(["/ip4/127.0.0.1/tcp/0"]);
    const stranger = await node();
    const connection = await stranger.dial(keeper.getMultiaddrs()[0]!);
    const told = await stranger.services.identify.identify(connection);
    assert.ok(told.peerId.equals(keeper.peerId));
    assert.ok(told.protocols.includes(ping));
    for (let i = 0; i < 3; i++) assert.ok((await stranger.services.ping.ping(keeper.peerId)) >= 0);
  });

  it("attack: keeps little of what is sent to it meanwhile", async () => {
    const keeper = await node(["/ip4/127.0.0.1/tcp/0"]);
    const stranger = await node();
    const connection = await stranger.dial(keeper.getMultiaddrs()[0]!);
    for (const protocol of [identify, ping]) {
      const stream = await connection.newStream(protocol);
      let sent = 0;
      for (; stream.status === "open" && sent < 8_000_000; sent += 65_536) {
        try {
          if (!stream.send(new Uint8Array(65_536)))
            await stream.onDrain({ signal: AbortSignal.timeout(2000) });
        } catch {
          break;
        }
        await delay(1);
      }
      const theirs = keeper.getConnections(stranger.peerId).flatMap(({ streams }) => streams);
      const unread = theirs.reduce(
        (sum, each) => sum + (each as { readBufferLength?: number }).readBufferLength!,
        0,
      );
      assert.ok(unread <= 1 << 17, `${protocol}: ${unread} bytes are kept`);
    }
  });

  it("attack: is answered so often and no more", async () => {
    const keeper = await node(["/ip4/127.0.0.1/tcp/0"]);
    const stranger = await node();
    const connection = await stranger.dial(keeper.getMultiaddrs()[0]!);
    let answered = 0;
    for (let i = 0; i < 60; i++) {
      const told = await stranger.services.identify.identify(connection).catch(() => undefined);
      if (told !== undefined) answered++;
    }
    assert.ok(answered >= 5 && answered < 40, `${answered} times`);
  });
});
