import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Connection, Stream } from "@libp2p/interface";
import { collect } from "../../../../keepers/src/storage/backends/backend.ts";
import { BitswapCost, bitswapPrices } from "../../../../keepers/src/storage/backends/bitswap-cost.ts";
import { bitswapWantsKept } from "../../../../keepers/src/storage/backends/bitswap-guard.ts";
import { blobCid } from "../../../../keepers/src/storage/backends/blob-cid.ts";
import { HeliaStore } from "../../../../keepers/src/storage/backends/helia.ts";
import { budgetOf } from "../../../../keepers/src/storage/transport/byte-budget.ts";
import {
  createHost,
  type Host,
  type HostParameters,
} from "../../../../keepers/src/storage/transport/host.ts";
import { latest } from "../lateness.ts";
import { generator } from "../random.ts";
import { assertSame } from "./conformance.ts";

const protocol = "/ipfs/bitswap/1.2.0";
/** Milliseconds by which a timer may come late. */
const mostLate = 400;

const directory = await mkdtemp(join(tmpdir(), "assay-bitswap-"));
const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const action of cleanUp.splice(0).reverse()) await action();
});
after(() => rm(directory, { recursive: true, force: true }));

async function node(listening: boolean, options: Partial<HostParameters> = {}): Promise<Host> {
  const listen = listening ? ["/ip4/127.0.0.1/tcp/0"] : [];
  const host = await createHost({ localNetwork: true, listen, ...options });
  cleanUp.push(async () => host.stop());
  return host;
}

async function keeper(name: string, options?: Partial<HostParameters>): Promise<HeliaStore> {
  const store = await HeliaStore.open({ directory: join(directory, name), host: await node(true, options) });
  cleanUp.push(() => store.close());
  return store;
}

async function dial(store: HeliaStore): Promise<Connection> {
  return (await node(false)).dial(store.host.getMultiaddrs()[0]!);
}

/** Sends bytes, and waits until they are heard or the stream is given up. @returns how the stream stands then */
async function send(stream: Stream, bytes: Uint8Array): Promise<Stream["status"]> {
  try {
    if (!stream.send(bytes)) await stream.onDrain({ signal: AbortSignal.timeout(2000) });
  } catch {}
  for (let tries = 0; stream.status === "open" && tries < 40; tries++) await delay(10);
  return stream.status;
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

function repeated(unit: readonly number[], count: number): Uint8Array {
  const bytes = new Uint8Array(unit.length * count);
  for (let i = 0; i < count; i++) bytes.set(unit, i * unit.length);
  return bytes;
}

/** A field of bytes, or a message where there is no tag, with its length before it. */
function framed(tag: number | undefined, bytes: Uint8Array): Uint8Array {
  return Uint8Array.from([...(tag === undefined ? [] : [tag]), ...varint(bytes.length), ...bytes]);
}

/** The field of a wantlist that wants a block. */
function wantOf(i: number): Uint8Array {
  const { bytes } = blobCid(Uint8Array.from([i, i >> 8, 9]));
  return framed(0x0a, Uint8Array.from([...framed(0x0a, bytes), 0x10, 1, 0x28, 1]));
}

function wantsOf(count: number): Uint8Array {
  return framed(undefined, framed(0x0a, Buffer.concat(Array.from({ length: count }, (_, i) => wantOf(i)))));
}

/** Says that no bytes are pending. */
const short = [2, 0x28, 0];

describe("messages of bitswap that cost the thread", { timeout: 60_000 }, () => {
  for (const [name, unit] of [
    ["of no bytes", [0]],
    ["of no bytes whose length is longer than it need be", [0x80, 0]],
    ["of two bytes", short],
  ] as const) {
    test(`attack: many ${name} in one frame are given up before they are handled`, async () => {
      const store = await keeper("small");
      const connection = await dial(store);
      const late = await latest(async () => {
        for (let streams = 0; streams < 2; streams++) {
          const stream = await connection.newStream(protocol);
          const bytes = repeated(unit, Math.floor(240_000 / unit.length));
          assert.notEqual(await send(stream, bytes), "open", "the stream goes on");
        }
      });
      assert.ok(late < mostLate, `a timer came ${late} ms late`);
    });
  }

  test("attack: what comes before the stream is handed over is counted as well", async () => {
    const store = await keeper("early");
    const connection = await dial(store);
    const { muxer } = connection as unknown as { muxer: { createStream(): Promise<Stream> } };
    const stream = await muxer.createStream();
    const hello = ["/multistream/1.0.0\n", `${protocol}\n`].map((line) =>
      framed(undefined, new TextEncoder().encode(line)),
    );
    const late = await latest(async () => {
      const status = await send(stream, Buffer.concat([...hello, repeated(short, 50_000)]));
      assert.notEqual(status, "open", "the stream goes on");
    });
    assert.ok(late < mostLate, `a timer came ${late} ms late`);
  });

  test("attack: a message of half a million empty blocks is given up before it is decoded", async () => {
    const store = await keeper("blocks");
    const stream = await (await dial(store)).newStream(protocol);
    const late = await latest(async () => {
      const bytes = framed(undefined, repeated([0x1a, 0], 500_000));
      assert.notEqual(await send(stream, bytes), "open", "the stream goes on");
    });
    assert.ok(late < mostLate, `a timer came ${late} ms late`);
  });

  test("attack: a block's prefix of a hundred thousand numbers is given up before they are read", async () => {
    const store = await keeper("prefix");
    const stream = await (await dial(store)).newStream(protocol);
    const late = await latest(async () => {
      const bytes = framed(undefined, framed(0x1a, framed(0x0a, new Uint8Array(100_000).fill(1))));
      assert.notEqual(await send(stream, bytes), "open", "the stream goes on");
    });
    assert.ok(late < mostLate, `a timer came ${late} ms late`);
  });

  test("attack: no text is made of a block of 1 MB that is said to be its own hash", async () => {
    const connection = await dial(await keeper("identity"));
    const data = framed(0x12, new Uint8Array(1_000_000).fill(9));
    const took: number[] = [];
    // The first of them is there so that no more is new to the thread when it is measured.
    for (const hash of [0x12, 0x12, 0]) {
      const prefix = framed(0x0a, Uint8Array.of(1, 0x55, hash));
      const bytes = framed(undefined, framed(0x1a, Buffer.concat([prefix, data])));
      const stream = await connection.newStream(protocol);
      const before = process.cpuUsage();
      for (let blocks = 0; blocks < 30; blocks++) {
        if (!stream.send(bytes)) await stream.onDrain({ signal: AbortSignal.timeout(10_000) });
      }
      await stream.close({ signal: AbortSignal.timeout(10_000) });
      await delay(100);
      took.push(process.cpuUsage(before).user / 1000);
    }
    assert.ok(took[2]! < 2 * took[1]!, `they take ${took} ms`);
  });

  test("attack: peers without end take no more than what is left to all of them", async () => {
    const store = await keeper("many");
    const connections = await Promise.all(Array.from({ length: 10 }, () => dial(store)));
    const statuses: Stream["status"][] = [];
    const late = await latest(async () => {
      const streams = await Promise.all(connections.map((each) => each.newStream(protocol)));
      statuses.push(...(await Promise.all(streams.map((each) => send(each, repeated(short, 400))))));
    });
    const heard = statuses.filter((status) => status === "open").length;
    // Each alone is heard with so many; of all peers together four and what comes back meanwhile.
    assert.ok(heard >= 1 && heard <= 8, `${heard} of them are heard`);
    assert.ok(late < mostLate, `a timer came ${late} ms late`);
  });

  test("attack: a stranger that takes all that it may leaves others enough to be heard", async () => {
    const store = await keeper("greedy", { isRegistered: () => false });
    const [greedy, other] = await Promise.all([dial(store), dial(store)]);
    const statuses: Stream["status"][] = [];
    for (let streams = 0; streams < 3; streams++)
      statuses.push(await send(await greedy.newStream(protocol), repeated(short, 400)));
    assert.notEqual(statuses.at(-1), "open", "it is heard on");
    assert.equal(await send(await other.newStream(protocol), repeated(short, 400)), "open");
  });

  test("attack: whoever sends what is no message again and again is shut out", async () => {
    const store = await keeper("shut");
    const connection = await dial(store);
    for (let streams = 0; streams < 5; streams++) {
      await send(await connection.newStream(protocol), Uint8Array.of(0));
    }
    for (let tries = 0; store.host.getConnections().length > 0 && tries < 100; tries++) await delay(10);
    assert.equal(store.host.getConnections().length, 0);
    assert.equal(budgetOf(store.host).used, 0);
  });

  test("attack: of all that a peer wants at once no more is read into memory than is kept of its wants", async () => {
    const store = await keeper("wants");
    const held = await Promise.all(
      Array.from({ length: bitswapWantsKept + 20 }, (_, i) => store.put(generator(i).bytes(2000))),
    );
    const answers: number[] = [];
    const asking = await node(false);
    await asking.handle(protocol, async (stream) => {
      let bytes = 0;
      stream.addEventListener("message", ({ data }) => {
        bytes += data.byteLength;
      });
      stream.addEventListener("remoteCloseWrite", () => answers.push(bytes));
    });
    const connection = await asking.dial(store.host.getMultiaddrs()[0]!);
    const wants = held.map(({ cid }) => framed(0x0a, framed(0x0a, cid.bytes)));
    const stream = await connection.newStream(protocol);
    assert.equal(await send(stream, framed(undefined, framed(0x0a, Buffer.concat(wants)))), "open");
    for (let tries = 0; answers.length === 0 && tries < 200; tries++) await delay(10);
    await delay(100);
    const blocks = answers.reduce((sum, bytes) => sum + bytes, 0) / 2000;
    // Each has some 20 bytes around it.
    assert.ok(blocks > 100 && blocks < 1.02 * bitswapWantsKept, `${blocks} blocks were sent`);
  });

  test("a thousand wants, and blocks meanwhile, are no such messages", async () => {
    const store = await keeper("honest");
    const connection = await dial(store);
    const stream = await connection.newStream(protocol);
    assert.equal(await send(stream, wantsOf(1024)), "open");
    const reader = await HeliaStore.open({ directory: join(directory, "reader"), host: await node(false) });
    cleanUp.push(() => reader.close());
    await reader.connect(store.host.getMultiaddrs()[0]!.toString());
    const bytes = generator(7).bytes(1_000_000);
    const { cid } = await store.put(bytes);
    assertSame(await collect(reader.get(cid)), bytes);
    assert.equal(stream.status, "open");
  });
});

describe("the cost of messages of bitswap", () => {
  const { message, want, block, field } = bitswapPrices;

  for (const pieceBytes of [1, 7, 10_000]) {
    test(`is that of their parts, in pieces of ${pieceBytes} bytes`, () => {
      const data = framed(0x12, new Uint8Array(300));
      const bytes = Buffer.concat([
        wantsOf(3),
        framed(
          undefined,
          framed(0x1a, Buffer.concat([framed(0x0a, Uint8Array.of(1, 0x55, 0x12, 0x20)), data])),
        ),
        // The largest number there is, fields that nobody knows, and a number that is below zero.
        Uint8Array.from([13, 0x28, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7d, 1, 2, 3, 4, 0x78, 5]),
        Uint8Array.from([11, 0x28, ...Array(9).fill(0xff), 1]),
      ]);
      const costs = new BitswapCost();
      let cost = 0;
      for (let at = 0; at < bytes.length; at += pieceBytes) {
        cost += costs.add(bytes.subarray(at, at + pieceBytes));
      }
      assert.equal(costs.messages, 4);
      const wants = message + 2 * field + 3 * (field + want + 3 * field);
      const expected =
        wants + (message + field + block + 2 * field) + (message + 3 * field) + (message + field);
      assert.ok(Math.abs(cost - expected) < 1e-9, `${cost}, not ${expected}`);
    });
  }

  for (const [name, bytes] of [
    ["of no bytes", [0]],
    ["of a length that is longer than it need be", [0x82, 0, 0x28, 0]],
    ["of more than may be", [0x81, 0x80, 0x40]],
    ["with a part that is longer than the whole", [2, 0x1a, 1]],
    ["that ends within a field", [1, 0x28]],
    ["that ends within a number", [2, 0x28, 0x80]],
    ["with bytes where the library reads a number", [3, 0x2a, 1, 0]],
    ["with a number where the library reads bytes", [2, 0x18, 0]],
    [
      "with a number that the library reads further than it goes",
      [8, 0x28, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 0],
    ],
    ["with a group", [2, 0x7b, 0x7c]],
    // The library skips ten bytes for each, and would read what a guard skips as the field.
    ["with a tag of six bytes", [10, 0xfa, 0x80, 0x80, 0x80, 0x80, 0, 2, 0x1a, 0, 0]],
    ["with a tag of nine bytes", [13, 0xfa, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0, 2, 0x1a, 0, 0]],
    ["with a size of nine bytes", [13, 0x7a, 0x82, ...Array(7).fill(0x80), 0, 0x1a, 0, 0]],
    ["with a size that does not fit", [7, 0x7a, 0x80, 0x80, 0x80, 0x80, 0x10, 0]],
    // Of both the library makes more the longer they are.
    ["with a block's prefix of 41 bytes", [45, 0x1a, 43, 0x0a, 41, ...Array(41).fill(1)]],
    [
      "that wants a CID of 169 bytes",
      [
        ...varint(178),
        0x0a,
        ...varint(175),
        0x0a,
        ...varint(172),
        0x0a,
        ...varint(169),
        ...Array(169).fill(1),
      ],
    ],
    [
      "on a CID of 169 bytes",
      [...varint(175), 0x22, ...varint(172), 0x0a, ...varint(169), ...Array(169).fill(1)],
    ],
    ["with a size of six bytes", [10, 0x7a, 0x82, 0x80, 0x80, 0x80, 0x80, 0, 0x1a, 0, 0]],
    ["with a field whose number does not fit", [7, 0x88, 0x80, 0x80, 0x80, 0x10, 0, 0]],
  ] as const) {
    test(`attack: is not told of a message ${name}`, () => {
      assert.throws(() => new BitswapCost().add(Uint8Array.from(bytes)), { name: "MalformedMessageError" });
    });
  }
});
