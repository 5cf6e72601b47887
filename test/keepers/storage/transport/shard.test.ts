import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { RpcBusyError } from "../../../../keepers/src/chain/rpc/errors.ts";
import { collect } from "../../../../keepers/src/storage/backends/backend.ts";
import { maxBlobBytes } from "../../../../keepers/src/storage/backends/blob-cid.ts";
import {
  RefusalError,
  TransportError,
  WrongPeerError,
} from "../../../../keepers/src/storage/transport/errors.ts";
import { ShardClient } from "../../../../keepers/src/storage/transport/shard-client.ts";
import { maxManifestBytes, shardProtocol } from "../../../../keepers/src/storage/transport/shard-protocol.ts";
import type { ShardService } from "../../../../keepers/src/storage/transport/shard-service.ts";
import { UploadStaging } from "../../../../keepers/src/storage/transport/upload-staging.ts";
import { generator } from "../random.ts";
import { datasetId, serviceOver } from "./service.ts";
import { bytes, cleanUp, directory, host, manifestCid, owner, pair, same } from "./shard-scene.ts";

describe("shard protocol", () => {
  test("a keeper that has too much to read of the chain for others says that it is busy", async () => {
    const service = serviceOver(new Map());
    service.offer = async () => {
      throw new Error("the contract could not be read", { cause: new RpcBusyError() });
    };
    const { client } = await pair(service, {}, { attempts: 1 });
    await assert.rejects(
      client.offer({ datasetId, owner, manifestCid, bundleIndices: [1] }, undefined),
      (error) => error instanceof RefusalError && error.code === "busy",
    );
  });

  test("every kind of request comes through and back", async () => {
    const bundles = new Map<number, Uint8Array>();
    const service = serviceOver(bundles);
    const { client, clientHost, server } = await pair(service);
    assert.equal(client.peer, server.peerId.toString());
    const manifest = generator(4).bytes(maxManifestBytes);
    const offered = await client.offer({ datasetId, owner, manifestCid, bundleIndices: [1, 200] }, manifest);
    assert.deepEqual(offered, {
      accepted: [1],
      refused: [{ bundleIndex: 200, reason: "no-space", detail: String(manifest.length) }],
    });
    same(await client.manifest({ datasetId }), new TextEncoder().encode("a manifest"));
    await assert.rejects(
      client.manifest({ datasetId: `0x${"cd".repeat(32)}` }),
      (error) => error instanceof RefusalError && error.code === "not-found",
    );
    const before = await client.status({ datasetId, bundleIndices: [1] });
    assert.deepEqual(before, { bundles: [{ bundleIndex: 1, state: "absent", received: 0 }] });
    const progress: number[] = [];
    await client.put(
      { datasetId, bundleIndex: 1, bytes },
      { onProgress: (received) => progress.push(received) },
    );
    assert.deepEqual(progress, [0, bytes.length]);
    same(bundles.get(1)!, bytes);
    const root = `0x${"cd".repeat(32)}` as const;
    const receipt = await client.commit({
      datasetId,
      bundleIndex: 1,
      poseidonRoot: root,
      transportRoot: root,
      validUntil: "18446744073709551615",
      latestEnd: 4_294_967_295,
    });
    assert.equal(receipt.validUntil, "18446744073709551615");
    same(await collect(client.get({ datasetId, bundleIndex: 1, offset: 0, length: bytes.length })), bytes);
    same(await client.read({ datasetId, bundleIndex: 1, offset: 777, length: 98 }), bytes.subarray(777, 875));
    const cells = await client.cells({ datasetId, bundleIndex: 1, cells: [0, 16383, 5] });
    assert.deepEqual(
      cells.map(({ index }) => index),
      [0, 16383, 5],
    );
    same(cells[1]!.cell, bytes.subarray(16383 * 496));
    assert.deepEqual(cells[2]!.siblings, [new Uint8Array(32).fill(5), new Uint8Array(32).fill(6)]);
    const possession = await client.prove({ datasetId, bundleIndex: 1, seed: `0x${"ff".repeat(32)}` });
    assert.equal(possession.evaluation, 2n ** 256n);
    assert.equal(possession.proof.length, 128);
    assert.deepEqual(new Set(service.callers), new Set([clientHost.peerId.toString()]));
  });

  test("a hundred reads at once each get their own bytes, over a few streams", async () => {
    const { client, clientHost } = await pair(serviceOver(new Map([[0, bytes]])), {}, { streams: 8 });
    const random = generator(21);
    await Promise.all(
      Array.from({ length: 100 }, async () => {
        const offset = random.integer(bytes.length - 50_000);
        const length = 1 + random.integer(50_000);
        same(
          await client.read({ datasetId, bundleIndex: 0, offset, length }),
          bytes.subarray(offset, offset + length),
        );
      }),
    );
    const streams = clientHost
      .getConnections()[0]!
      .streams.filter(({ protocol }) => protocol === shardProtocol.id);
    assert.ok(streams.length <= 8, `${streams.length} streams`);
  });

  test("a keeper's no is told with its reason, and the stream stays usable", async () => {
    const { client, clientHost } = await pair(serviceOver(new Map([[0, bytes]])));
    const missing = client.read({ datasetId, bundleIndex: 4, offset: 0, length: 10 });
    await assert.rejects(missing, (error) => error instanceof RefusalError && error.code === "not-found");
    same(await client.read({ datasetId, bundleIndex: 0, offset: 0, length: 10 }), bytes.subarray(0, 10));
    const streams = clientHost
      .getConnections()[0]!
      .streams.filter(({ protocol }) => protocol === shardProtocol.id);
    assert.equal(streams.length, 1);
  });

  test("a refusal in the middle of an upload ends the upload", async () => {
    const { client } = await pair(serviceOver(new Map()));
    const refused = client.put({ datasetId, bundleIndex: 66, bytes });
    await assert.rejects(refused, (error) => error instanceof RefusalError && error.code === "refused");
    await client.put({ datasetId, bundleIndex: 67, bytes: bytes.subarray(0, 1000) });
  });

  test("a failure inside a keeper is not told to its peers", async () => {
    const errors: unknown[] = [];
    const service = serviceOver(new Map());
    service.commit = async () => {
      throw new Error("the password is hunter2");
    };
    const { client } = await pair(service, { onError: (error) => errors.push(error) });
    const root = `0x${"cd".repeat(32)}` as const;
    const failed = client.commit({
      datasetId,
      bundleIndex: 0,
      poseidonRoot: root,
      transportRoot: root,
      validUntil: "1",
      latestEnd: 1,
    });
    await assert.rejects(
      failed,
      (error) => error instanceof RefusalError && !String(error).includes("hunter2"),
    );
    assert.match(String(errors[0]), /hunter2/);
  });

  test("another peer than the registered one is not spoken to", async () => {
    const service = serviceOver(new Map([[0, bytes]]));
    const { address, clientHost } = await pair(service);
    const stranger = await host(false);
    const other = stranger.peerId.toString();
    const bare = address.slice(0, address.indexOf("/p2p/"));
    const before = service.callers.length;
    await assert.rejects(
      ShardClient.connect(stranger, address, { peer: clientHost.peerId.toString() }),
      WrongPeerError,
    );
    await assert.rejects(ShardClient.connect(clientHost, bare, { peer: other }), WrongPeerError);
    await assert.rejects(ShardClient.connect(clientHost, `${bare}/p2p/${other}`), WrongPeerError);
    await assert.rejects(ShardClient.connect(clientHost, bare), /does not say which peer/);
    await assert.rejects(ShardClient.connect(clientHost, "/ip4/1.2.3.4/../../x"), TransportError);
    assert.equal(service.callers.length, before);
  });

  test("a keeper that is not there is reported as such", async () => {
    const { address, server, shards } = await pair(serviceOver(new Map()));
    await shards.stop();
    await server.stop();
    await assert.rejects(ShardClient.connect(await host(false), address), TransportError);
  });

  test("a bundle of which all bytes came, and which was not taken for want of room, is taken when it is asked for again", async () => {
    const bundles = new Map<number, Uint8Array>();
    const service = serviceOver(bundles);
    let isTaken = false;
    const asked: number[] = [];
    service.status = async ({ bundleIndices }) => {
      const state = isTaken ? ("held" as const) : ("partial" as const);
      return { bundles: bundleIndices.map((bundleIndex) => ({ bundleIndex, state, received: 100 })) };
    };
    service.put = async ({ offset }, _, length) => {
      asked.push(offset, length);
      if (asked.length === 2) throw new RefusalError("busy", "too much is waiting");
      isTaken = true;
      return { received: 100 };
    };
    const { client } = await pair(service);
    await client.put({ datasetId, bundleIndex: 1, bytes: new Uint8Array(100) });
    assert.deepEqual(asked, [100, 0, 100, 0]);
    await client.put({ datasetId, bundleIndex: 1, bytes: new Uint8Array(100) });
    assert.equal(asked.length, 4, "what is held is not sent");
  });

  test("attack: bytes that somebody else has sent before are sent again, all at once", async () => {
    const service = serviceOver(new Map());
    let staged = 10;
    const asked: number[] = [];
    service.status = async ({ bundleIndices }) => ({
      bundles: bundleIndices.map((bundleIndex) => ({
        bundleIndex,
        state: "partial" as const,
        received: staged,
      })),
    });
    service.put = async ({ offset }, _, length) => {
      asked.push(offset, length);
      if (offset === 0) return { received: 100 };
      staged = 0;
      throw new RefusalError("bad-request", "these are not the bundle's roots");
    };
    const { client } = await pair(service);
    await client.put({ datasetId, bundleIndex: 1, bytes: new Uint8Array(100) });
    assert.deepEqual(asked, [10, 90, 0, 100]);
  });

  test("a silent keeper costs the time allowed, not forever", async () => {
    const service = serviceOver(new Map());
    service.status = () => new Promise(() => {});
    const { client } = await pair(service, {}, { attempts: 1 });
    await assert.rejects(client.status({ datasetId, bundleIndices: [0] }, { timeout: 100 }), TransportError);
    const reason = new Error("enough");
    const controller = new AbortController();
    setTimeout(() => controller.abort(reason), 50);
    await assert.rejects(
      client.status({ datasetId, bundleIndices: [0] }, { signal: controller.signal }),
      reason,
    );
  });

  test("attack: a keeper that answers pings and agrees to no stream costs the time allowed, not forever", async () => {
    const { client, clientHost } = await pair(serviceOver(new Map()), {}, { attempts: 1, silence: 100 });
    const connection = clientHost.getConnections()[0]!;
    connection.newStream = (_, { signal } = {}) =>
      new Promise((_, reject) => {
        signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
      });
    const asking = { signal: new AbortController().signal };
    await assert.rejects(client.status({ datasetId, bundleIndices: [0] }, asking), TransportError);
  });

  test("a harmless call is repeated when the connection breaks", async () => {
    const service = serviceOver(new Map([[0, bytes]]));
    const { client, clientHost } = await pair(service);
    await client.status({ datasetId, bundleIndices: [0] });
    clientHost.getConnections()[0]!.abort(new Error("cut"));
    const { bundles } = await client.status({ datasetId, bundleIndices: [0] });
    assert.equal(bundles[0]!.state, "held");
  });

  test("a download goes on where the connection broke", async () => {
    const service = serviceOver(new Map([[0, bytes]]));
    const asked: number[] = [];
    const get = service.get;
    service.get = async function* (request, caller) {
      asked.push(request.offset);
      let sent = 0;
      for await (const piece of get(request, caller)) {
        if (asked.length === 1 && sent >= 3_000_000) throw new Error("gone");
        sent += piece.length;
        yield piece;
      }
    };
    const { client } = await pair(service);
    same(
      await collect(client.get({ datasetId, bundleIndex: 0, offset: 5, length: 6_000_000 })),
      bytes.subarray(5, 6_000_005),
    );
    assert.equal(asked.length, 2);
    assert.ok(asked[1]! > 5);
  });

  test("attack: a holder that breaks off after each byte is given up within a few silences", async () => {
    const length = 1_000;
    const service = serviceOver(new Map([[1, new Uint8Array(length)]]));
    const dripping: ShardService = Object.assign(Object.create(service), {
      async *get(...args: Parameters<ShardService["get"]>) {
        for await (const piece of service.get(...args)) {
          yield piece.subarray(0, 1);
          await delay(90);
          throw new Error("broken off");
        }
      },
    });
    const silence = 100;
    const { client } = await pair(dripping, {}, { silence });
    let read = 0;
    const reading = async (): Promise<void> => {
      const pieces = client.get({ datasetId, bundleIndex: 1, offset: 0, length });
      for await (const piece of pieces) read += piece.length;
    };
    const begun = performance.now();
    await assert.rejects(reading(), TransportError);
    const silences = (performance.now() - begun) / silence;
    assert.ok(silences < 20, `given up after ${silences} silences`);
    assert.ok(read > 1 && read < length, `asked again where it broke off: ${read} bytes`);
  });

  test("an upload goes on where the connection broke", async () => {
    const bundles = new Map<number, Uint8Array>();
    const staging = await UploadStaging.open(join(directory, "resume"));
    const service = serviceOver(bundles, staging);
    const offsets: number[] = [];
    const put = service.put;
    let cut = (): void => {};
    service.put = async (request, body, length, caller) => {
      offsets.push(request.offset);
      async function* watched(): AsyncIterable<Uint8Array> {
        let seen = 0;
        for await (const piece of body) {
          seen += piece.length;
          yield piece;
          if (offsets.length === 1 && seen > 2_000_000) cut();
        }
      }
      return put(request, watched(), length, caller);
    };
    const { client, clientHost } = await pair(service);
    cut = () => clientHost.getConnections()[0]?.abort(new Error("cut"));
    await client.put({ datasetId, bundleIndex: 3, bytes });
    same(bundles.get(3)!, bytes);
    assert.equal(offsets[0], 0);
    assert.ok(
      offsets.length > 1 && offsets.slice(1).every((offset) => offset > 1_000_000),
      `went on at ${offsets}`,
    );
    assert.deepEqual(await staging.list(), []);
  });

  test("a keeper killed in mid-transfer is a broken connection, and its partial upload outlives it", async () => {
    const folder = join(directory, "killed");
    const start = async () => {
      const child = spawn(process.execPath, [join(import.meta.dirname, "keeper.ts"), folder], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      cleanUp.push(async () => child.kill("SIGKILL"));
      const [address] = (await once(createInterface(child.stdout!), "line")) as [string];
      return { child, address };
    };
    const first = await start();
    const clientHost = await host(false);
    const client = await ShardClient.connect(clientHost, first.address, { backOff: 5 });
    let received = 0;
    await assert.rejects(async () => {
      for await (const piece of client.get({ datasetId, bundleIndex: 0, offset: 0, length: maxBlobBytes })) {
        received += piece.length;
        if (received > 1_000_000) first.child.kill("SIGKILL");
      }
    }, TransportError);
    assert.ok(received < maxBlobBytes);

    const second = await start();
    const uploader = await ShardClient.connect(clientHost, second.address, { attempts: 1 });
    const staging = await UploadStaging.open(folder);
    const uploading = uploader.put({ datasetId, bundleIndex: 1, bytes });
    uploading.catch(() => undefined);
    while ((await staging.received({ datasetId, bundleIndex: 1 })) === 0)
      await new Promise((resolve) => setTimeout(resolve, 2));
    second.child.kill("SIGKILL");
    // A fast machine may have taken the whole bundle before the signal struck.
    await uploading.catch((error: unknown) => assert.ok(error instanceof TransportError, String(error)));

    const third = await start();
    const again = await ShardClient.connect(clientHost, third.address);
    await again.put({ datasetId, bundleIndex: 1, bytes });
    same(await again.read({ datasetId, bundleIndex: 1, offset: 0, length: bytes.length }), bytes);
  });
});
