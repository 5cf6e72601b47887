import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { publicKeyToProtobuf } from "@libp2p/crypto/keys";
import type { Connection, PeerId } from "@libp2p/interface";
import { guardBitswap } from "../../../../keepers/src/storage/backends/bitswap-guard.ts";
import { createHost, type Host } from "../../../../keepers/src/storage/transport/host.ts";
import { latest } from "../lateness.ts";

const identify = "/ipfs/id/1.0.0";
const ping = "/ipfs/ping/1.0.0";

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const action of cleanUp.splice(0).reverse()) await action();
});

async function node(listening: boolean): Promise<Host> {
  const host = await createHost({ localNetwork: true, listen: listening ? ["/ip4/127.0.0.1/tcp/0"] : [] });
  cleanUp.push(async () => host.stop());
  return host;
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

function field(number: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([Uint8Array.from([...varint(8 * number + 2), ...varint(bytes.length)]), bytes]);
}

/** Ten messages of at most so many bytes in which a peer names as many addresses as there is room for. */
function boasting(publicKey: Uint8Array, bytes: number): Buffer {
  let port = 0;
  const message = () => {
    const parts = [field(1, publicKey), field(6, Buffer.from("boaster"))];
    let room = bytes - Buffer.concat(parts).length;
    for (; room >= 5; room -= 5) {
      port++;
      parts.push(field(2, Uint8Array.of(6, port >>> 8, port & 0xff)));
    }
    const body = Buffer.concat(parts);
    return Buffer.concat([Uint8Array.from(varint(body.length)), body]);
  };
  return Buffer.concat(Array.from({ length: 10 }, message));
}

/** A peer that answers who it is with ten messages full of addresses, and counts how often it is asked. */
async function boaster(listening: boolean, bytes: number): Promise<{ host: Host; asked: () => number }> {
  const host = await node(listening);
  let asked = 0;
  const told = boasting(publicKeyToProtobuf(host.peerId.publicKey!), bytes);
  await host.unhandle(identify);
  await host.handle(identify, async (stream) => {
    asked++;
    if (!stream.send(told)) await stream.onDrain();
    await stream.close();
  });
  return { host, asked: () => asked };
}

async function until(what: () => Promise<boolean> | boolean): Promise<void> {
  for (let tries = 0; !(await what()); tries++) {
    assert.ok(tries < 200, "in time");
    await delay(20);
  }
}

describe("what a peer says of itself", () => {
  it("attack: is not asked for, whatever it would say: thousands of addresses would be compared at each stream", async () => {
    const keeper = await node(true);
    const { host, asked } = await boaster(false, 8000);
    const connection = await host.dial(keeper.getMultiaddrs()[0]!);
    await delay(200);
    const late = await latest(async () => {
      for (let i = 0; i < 5; i++) (await connection.newStream(ping)).abort(new Error("enough"));
    });
    assert.equal(asked(), 0);
    assert.ok(late < 200, `a timer was ${late} ms late`);
    assert.deepEqual((await keeper.peerStore.get(host.peerId)).addresses, []);
  });

  it("attack: is read where a node asks for it, and none of its addresses are kept", async () => {
    const { host } = await boaster(true, 4000);
    const keeper = await node(false);
    let connection: Connection | undefined;
    const late = await latest(async () => {
      connection = await keeper.dial(host.getMultiaddrs()[0]!);
      await keeper.services.identify.identify(connection);
      for (let i = 0; i < 5; i++) (await connection.newStream(ping)).abort(new Error("enough"));
    });
    assert.ok(late < 400, `a timer was ${late} ms late`);
    assert.deepEqual((await keeper.peerStore.get(host.peerId)).addresses, []);
  });

  it("is not taken where it is longer than other implementations make it", async () => {
    const { host } = await boaster(true, 8000);
    const keeper = await node(false);
    const connection = await keeper.dial(host.getMultiaddrs()[0]!);
    await assert.rejects(keeper.services.identify.identify(connection));
  });
});

describe("a peer that has gone", () => {
  it("attack: leaves nothing behind, however many come and go", async () => {
    const keeper = await node(true);
    for (let i = 0; i < 3; i++) {
      const stranger = await node(false);
      const connection = await stranger.dial(keeper.getMultiaddrs()[0]!);
      await stranger.services.ping.ping(stranger.getConnections()[0]!.remoteAddr);
      assert.equal(await keeper.peerStore.has(stranger.peerId), true, "while it is here");
      await connection.close();
    }
    await until(async () => (await keeper.peerStore.all()).length === 0);
  });

  it("is not taken for gone while it is back", async () => {
    const keeper = await node(true);
    const stranger = await node(false);
    const address = keeper.getMultiaddrs()[0]!;
    await (await stranger.dial(address)).close();
    await until(() => keeper.getConnections(stranger.peerId).length === 0);
    await stranger.dial(address);
    await stranger.services.ping.ping(address);
    await delay(1300);
    assert.equal(await keeper.peerStore.has(stranger.peerId), true);
  });

  it("attack: is told of to bitswap, which keeps its wants, although it has named no protocol", async () => {
    const keeper = await node(true);
    const gone: PeerId[] = [];
    await guardBitswap(keeper).register("/ipfs/bitswap/1.2.0", {
      onDisconnect: (peer) => void gone.push(peer),
    });
    const stranger = await node(false);
    await (await stranger.dial(keeper.getMultiaddrs()[0]!)).close();
    await until(() => gone.length > 0);
    assert.ok(gone[0]!.equals(stranger.peerId));
  });
});
