import assert from "node:assert/strict";
import { type FileHandle, mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Connection, Stream } from "@libp2p/interface";
import { HeliaStore } from "../../../../keepers/src/storage/backends/helia.ts";
import { budgetOf } from "../../../../keepers/src/storage/transport/byte-budget.ts";
import { encodeHeader } from "../../../../keepers/src/storage/transport/codec.ts";
import { MalformedMessageError, RefusalError } from "../../../../keepers/src/storage/transport/errors.ts";
import { withoutRest } from "../../../../keepers/src/storage/transport/gatherer.ts";
import { ShardClient } from "../../../../keepers/src/storage/transport/shard-client.ts";
import { shardProtocol } from "../../../../keepers/src/storage/transport/shard-protocol.ts";
import type { ShardService } from "../../../../keepers/src/storage/transport/shard-service.ts";
import { UploadStaging } from "../../../../keepers/src/storage/transport/upload-staging.ts";
import { generator } from "../random.ts";
import { datasetId, serviceOver } from "./service.ts";
import { cleanUp, host, pair, same } from "./shard-scene.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** What this process holds in memory of its own making, in bytes. */
function inMemory(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

async function until(holds: () => boolean, what: string): Promise<void> {
  for (let tries = 0; !holds(); tries++) {
    if (tries > 1000) assert.fail(`never: ${what}`);
    await delay(5);
  }
}

/** A service that reads no body, until the peer is gone. */
function waiting(): ShardService {
  const service = serviceOver(new Map());
  service.put = (_, __, ___, { signal }) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  return service;
}

const putOf = (body: number, bundleIndex = 0) =>
  encodeHeader({ method: "put", params: { datasetId, bundleIndex, offset: 0, total: body }, body });

/** Sends bytes as frames of one length each. @returns how many were sent before the stream was given up */
async function sendIn(stream: Stream, bytes: Uint8Array, pieceBytes: number): Promise<number> {
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    try {
      // What goes out in one turn of the loop is written together, but stays a frame each.
      if (!stream.send(bytes.subarray(at, at + pieceBytes))) {
        await stream.onDrain({ signal: AbortSignal.timeout(500) });
      }
    } catch {
      return at;
    }
    if ((at / pieceBytes) % 64 === 63) await delay(0);
    if (stream.status !== "open") return at;
  }
  return bytes.length;
}

test("attack: a short view on a large buffer is copied, of Node's buffers as well, and a long one is not", () => {
  const large = Buffer.alloc(65_536, 7);
  for (const view of [large.subarray(100, 700), new Uint8Array(large.buffer, large.byteOffset, 600)]) {
    const copy = withoutRest(view);
    assert.equal(copy.buffer.byteLength, 600);
    assert.deepEqual([...copy], [...view]);
  }
  const long = new Uint8Array(65_536).subarray(0, 60_000);
  assert.equal(withoutRest(long), long);
});

describe("bytes that come in tiny pieces", { timeout: 60_000 }, () => {
  for (const before of [0, 300_000]) {
    test(`attack: a body that nobody reads is given up${before > 0 ? ", also behind large ones" : ""}`, async () => {
      const { server, shards, clientHost } = await pair(waiting());
      const budget = budgetOf(server);
      const connection = clientHost.getConnections()[0]!;
      const length = 200 * 1024;
      for (let streams = 0; streams < 3; streams++) {
        const stream = await connection.newStream(shardProtocol.id);
        stream.send(putOf(2 ** 20));
        // Each in a frame of its own, of which the last leaves the peer the rest of its window and no more.
        for (let sent = 60_000; sent <= before; sent += 60_000) {
          stream.send(new Uint8Array(60_000));
          await until(() => budget.used >= sent, "the large piece has come");
        }
        assert.ok((await sendIn(stream, new Uint8Array(length), 1)) < length / 2, "the stream goes on");
      }
      await until(() => shards.stats.streams === 0, "no stream is left");
      assert.equal(shards.stats.refused.malformed, 3);
      assert.equal(budget.used, 0);
    });
  }

  test("attack: whoever does so again and again is shut out", async () => {
    const { server, clientHost, client } = await pair(waiting());
    const connection: Connection = clientHost.getConnections()[0]!;
    for (let streams = 0; streams < 5; streams++) {
      const stream = await connection.newStream(shardProtocol.id);
      stream.send(putOf(2 ** 20));
      await sendIn(stream, new Uint8Array(50_000), 1);
    }
    await until(() => server.getConnections().length === 0, "the connection is closed");
    await assert.rejects(client.status({ datasetId, bundleIndices: [0] }));
  });

  test("attack: short ones between long ones keep no more in memory than is counted", async () => {
    const service = waiting();
    const wait = service.put;
    service.put = async (request, body, length, caller) => {
      if (request.bundleIndex !== 1) return wait(request, body, length, caller);
      for await (const _ of body);
      return { received: length };
    };
    const { server, clientHost } = await pair(service, { burst: 1e6 });
    const connection = clientHost.getConnections()[0]!;
    const budget = budgetOf(server);
    const [counted, held] = [budget.used, inMemory()];
    const long = new Uint8Array(60_000);
    const short = new Uint8Array(600);
    for (let streams = 0; streams < 4; streams++) {
      const unread = await connection.newStream(shardProtocol.id);
      unread.send(putOf(2 ** 20));
      const read = await connection.newStream(shardProtocol.id);
      read.send(putOf(100 * long.length, 1));
      // Each short piece comes in one packet with a long one, whose buffer it would hold on to.
      for (let each = 0; each < 100; each++) {
        if (!unread.send(short)) await unread.onDrain();
        if (!read.send(long)) await read.onDrain();
      }
    }
    await until(() => budget.used - counted >= 400 * short.length, "all of it has come");
    const taken = budget.used - counted;
    let grown = 0;
    // Of the long ones some may still be on their way to whoever reads them.
    const isLittle = () => {
      grown = inMemory() - held;
      return grown < 3 * taken + 2 ** 22;
    };
    await until(isLittle, "what is read has left the memory").catch(() => undefined);
    assert.ok(isLittle(), `${taken} bytes are counted, and ${grown} more are in memory`);
  });

  test("attack: costs the peer what it costs the thread", async () => {
    const { clientHost, address, client } = await pair(
      serviceOver(new Map()),
      // A put of 128 kB has the price 14, its pieces of 600 bytes some 30.
      { burst: 40, perSecond: 0.001 },
      { attempts: 1 },
    );
    assert.ok(address !== "");
    const length = 128_000;
    const stream = await clientHost.getConnections()[0]!.newStream(shardProtocol.id);
    stream.send(putOf(length));
    assert.equal(await sendIn(stream, new Uint8Array(length), 600), length);
    await delay(200);
    await assert.rejects(
      client.put({ datasetId, bundleIndex: 1, bytes: new Uint8Array(length) }),
      (error) => error instanceof RefusalError && error.code === "rate-limited",
    );
    // Far beyond its allowance it is not heard to the end.
    const long = new Uint8Array(2 ** 20);
    const next = await (await host(false)).dial(clientHost.getConnections()[0]!.remoteAddr);
    const cut = await next.newStream(shardProtocol.id);
    cut.send(putOf(long.length));
    assert.ok((await sendIn(cut, long, 600)) < long.length, "it was heard to the end");
  });

  test("a slow link whose pieces are those of TCP is heard to the end, and costs no more", async () => {
    const bundles = new Map<number, Uint8Array>();
    const { clientHost, client } = await pair(serviceOver(bundles), { burst: 300, perSecond: 0.001 });
    const bytes = generator(4).bytes(300_000);
    const stream = await clientHost.getConnections()[0]!.newStream(shardProtocol.id);
    stream.send(putOf(bytes.length));
    assert.equal(await sendIn(stream, bytes, 1440), bytes.length);
    await until(() => bundles.has(0), "the bundle is there");
    same(bundles.get(0)!, bytes);
    assert.deepEqual((await client.status({ datasetId, bundleIndices: [0] })).bundles[0]!.state, "held");
  });

  test("short requests without end on one stream are no such pieces", async () => {
    const { client } = await pair(serviceOver(new Map()), { burst: 1e6 });
    for (let each = 0; each < 500; each++) await client.status({ datasetId, bundleIndices: [each] });
  });

  test("attack: a keeper that answers in them is given up", async () => {
    const keeper = await host(true);
    const length = 2 ** 20;
    let sent = 0;
    await keeper.handle(shardProtocol.id, async (stream) => {
      stream.addEventListener("message", () => undefined);
      stream.send(encodeHeader({ ok: true, result: {}, body: length }));
      sent = await sendIn(stream, new Uint8Array(length), 1);
    });
    const address = keeper.getMultiaddrs()[0]!.toString();
    const client = await ShardClient.connect(await host(false), address, { backOff: 5 });
    cleanUp.push(() => client.close());
    await assert.rejects(
      client.read({ datasetId, bundleIndex: 0, offset: 0, length }),
      (error) => error instanceof MalformedMessageError && /pieces/.test(error.message),
    );
    assert.ok(sent < length / 2);
  });

  test("attack: a message of bitswap in them is given up, one in larger pieces is not", async () => {
    const folder = await mkdtemp(join(tmpdir(), "assay-tiny-"));
    const keeper = await host(true);
    const store = await HeliaStore.open({ directory: folder, host: keeper });
    cleanUp.push(async () => {
      await store.close();
      await rm(folder, { recursive: true, force: true });
    });
    const connection = await (await host(false)).dial(keeper.getMultiaddrs()[0]!);
    const message = new Uint8Array(200_000);
    // The length of the message, one MiB as a varint, of the block in it and of its bytes.
    message.set([0x80, 0x80, 0x40, 0x1a, 0xfc, 0xff, 0x3f, 0x12, 0xf8, 0xff, 0x3f]);
    const tiny = await connection.newStream("/ipfs/bitswap/1.2.0");
    assert.ok((await sendIn(tiny, message, 1)) < message.length / 2, "the stream goes on");
    await until(() => budgetOf(keeper).used === 0, "its bytes are given back");
    const usual = await connection.newStream("/ipfs/bitswap/1.2.0");
    assert.equal(await sendIn(usual, message, 1440), message.length);
    assert.equal(usual.status, "open");
    // A message that says that no bytes are pending, again and again, as those of many wants are.
    const short = Uint8Array.from({ length: 3 * 500 }, (_, i) => [2, 0x28, 0][i % 3]!);
    const busy = await connection.newStream("/ipfs/bitswap/1.2.0");
    assert.equal(await sendIn(busy, short, 3), short.length);
    await delay(50);
    assert.equal(busy.status, "open");
  });

  test("are written to disk together, also those before a broken connection", async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "assay-tiny-"));
    cleanUp.push(() => rm(folder, { recursive: true, force: true }));
    const probe = await open(import.meta.filename, "r");
    const handles = Object.getPrototypeOf(probe) as FileHandle;
    await probe.close();
    const writes = t.mock.method(handles, "appendFile");
    const staging = await UploadStaging.open(folder);
    const bytes = generator(5).bytes(100_000);
    async function* broken() {
      for (let at = 0; at < 90_000; at += 10) yield bytes.subarray(at, at + 10);
      throw new Error("cut");
    }
    const bundle = { datasetId, bundleIndex: 7 };
    await assert.rejects(staging.append(bundle, 0, bytes.length, broken()), /cut/);
    assert.equal(await staging.received(bundle), 90_000);
    assert.ok(writes.mock.callCount() <= 4, `${writes.mock.callCount()} writes`);
    async function* rest() {
      yield bytes.subarray(80_000, 95_000);
      yield bytes.subarray(95_000);
    }
    assert.equal(await staging.append(bundle, 80_000, bytes.length, rest()), bytes.length);
    same(await readFile(join(folder, `${datasetId}-7`)), bytes);
  });
});
