import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import type { Stream } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { maxBlobBytes } from "../../../../keepers/src/storage/backends/blob-cid.ts";
import { encodeHeader } from "../../../../keepers/src/storage/transport/codec.ts";
import { RefusalError, TransportError } from "../../../../keepers/src/storage/transport/errors.ts";
import type { Host } from "../../../../keepers/src/storage/transport/host.ts";
import { ShardClient } from "../../../../keepers/src/storage/transport/shard-client.ts";
import { maxManifestBytes, shardProtocol } from "../../../../keepers/src/storage/transport/shard-protocol.ts";
import { datasetId, serviceOver } from "./service.ts";
import { bytes, host, manifestCid, owner, pair, same } from "./shard-scene.ts";

describe("shard server against broken and hostile peers", () => {
  async function raw(address: string): Promise<{ stream: Stream; node: Host }> {
    const node = await host(false);
    return { node, stream: await node.dialProtocol(multiaddr(address), shardProtocol.id) };
  }

  async function ended(stream: Stream): Promise<void> {
    if (stream.status === "open") await once(stream as unknown as EventTarget, "close");
  }

  const header = (fields: object): Uint8Array => encodeHeader({ body: 0, ...fields });
  const get = { method: "get", params: { datasetId, bundleIndex: 0, offset: 0, length: 1 } };

  const malformed: [string, Uint8Array][] = [
    ["a header above its limit", Uint8Array.of(0xff, 0xff, 0xff, 0xff)],
    ["no JSON", Uint8Array.of(0, 0, 0, 2, 0x41, 0x41)],
    ["an unknown method", header({ method: "format-disk", params: {} })],
    ["a method of the prototype", header({ method: "toString", params: {} })],
    ["a parameter too many", header({ ...get, params: { ...get.params, path: "../../key" } })],
    ["a path for a dataset", header({ ...get, params: { ...get.params, datasetId: "../../key" } })],
    ["a negative offset", header({ ...get, params: { ...get.params, offset: -1 } })],
    ["a range beyond any bundle", header({ ...get, params: { ...get.params, length: maxBlobBytes + 1 } })],
    [
      "too many cells",
      header({ method: "cells", params: { datasetId, bundleIndex: 0, cells: Array(65).fill(1) } }),
    ],
    ["a body where none belongs", header({ ...get, body: 1 })],
    [
      "an oversized manifest",
      header({
        method: "offer",
        params: { datasetId, owner, manifestCid, bundleIndices: [1] },
        body: maxManifestBytes + 1,
      }),
    ],
    [
      "an oversized bundle",
      header({
        method: "put",
        params: { datasetId, bundleIndex: 0, offset: 0, total: 1 },
        body: maxBlobBytes + 1,
      }),
    ],
  ];
  for (const [what, message] of malformed) {
    test(`${what} resets the stream and reaches no service`, async () => {
      const service = serviceOver(new Map([[0, bytes]]));
      const { address, client } = await pair(service);
      const { stream } = await raw(address);
      stream.send(message);
      await ended(stream);
      assert.deepEqual(service.callers, []);
      same(await client.read({ datasetId, bundleIndex: 0, offset: 1, length: 1 }), bytes.subarray(1, 2));
    });
  }

  test("a peer that keeps breaking the protocol is shut out, others are served", async () => {
    const { address, client, server } = await pair(serviceOver(new Map([[0, bytes]])), { faults: 3 });
    const { node } = await raw(address);
    for (let i = 0; i < 3; i++) {
      const stream = await node.dialProtocol(multiaddr(address), shardProtocol.id);
      stream.send(Uint8Array.of(0xff, 0xff, 0xff, 0xff));
      await ended(stream);
    }
    const refused = await ShardClient.connect(node, address, { attempts: 1 });
    await assert.rejects(refused.read({ datasetId, bundleIndex: 0, offset: 0, length: 1 }), TransportError);
    same(await client.read({ datasetId, bundleIndex: 0, offset: 1, length: 1 }), bytes.subarray(1, 2));
    assert.ok(server.getPeers().length >= 1);
  });

  test("a message that never ends is given up", async () => {
    const service = serviceOver(new Map());
    const { address } = await pair(service, { silence: 100 });
    const half = await raw(address);
    half.stream.send(header(get).subarray(0, 9));
    await ended(half.stream);
    const slow = await raw(address);
    const message = header(get);
    // One byte at a time, each well within the limit on silence, but the whole is not.
    for (let i = 0; i < message.length && slow.stream.status === "open"; i++) {
      slow.stream.send(message.subarray(i, i + 1));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await ended(slow.stream);
    assert.deepEqual(service.callers, []);
  });

  test("an idle stream is closed, and the client opens another", async () => {
    const { client, clientHost } = await pair(serviceOver(new Map([[0, bytes]])), { idle: 60 });
    await client.status({ datasetId, bundleIndices: [0] });
    const stream = clientHost
      .getConnections()[0]!
      .streams.find(({ protocol }) => protocol === shardProtocol.id)!;
    await ended(stream);
    await client.status({ datasetId, bundleIndices: [0] });
  });

  test("requests beyond the allowance are refused, and granted again with time", async () => {
    let now = 1000;
    const { client } = await pair(
      serviceOver(new Map()),
      { burst: 3, perSecond: 1, now: () => now },
      { attempts: 1 },
    );
    const ask = (): Promise<unknown> => client.status({ datasetId, bundleIndices: [0] });
    for (let i = 0; i < 3; i++) await ask();
    await assert.rejects(ask(), (error) => error instanceof RefusalError && error.code === "rate-limited");
    now += 1000;
    await ask();
    await assert.rejects(ask(), RefusalError);
  });

  test("a peer may only have so many requests under way", async () => {
    const service = serviceOver(new Map());
    let release = (): void => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    service.status = async ({ bundleIndices }) => {
      await gate;
      return {
        bundles: bundleIndices.map((bundleIndex) => ({ bundleIndex, state: "absent" as const, received: 0 })),
      };
    };
    const { client } = await pair(service, { concurrent: 2 }, { attempts: 1 });
    const results = Array.from({ length: 5 }, () => client.status({ datasetId, bundleIndices: [0] }));
    const settled = Promise.allSettled(results);
    const refusals = await Promise.any(
      [results[2]!, results[3]!, results[4]!].map((result) =>
        result.then(
          () => assert.fail(),
          (error) => error,
        ),
      ),
    );
    assert.ok(refusals instanceof RefusalError && refusals.code === "busy");
    release();
    const outcomes = await settled;
    assert.equal(outcomes.filter(({ status }) => status === "fulfilled").length, 2);
  });

  test("a reader that does not read holds the keeper back instead of filling its memory", async () => {
    const service = serviceOver(new Map());
    let produced = 0;
    service.get = async function* ({ length }) {
      for (let left = length; left > 0; ) {
        const piece = new Uint8Array(Math.min(left, 65_536));
        left -= piece.length;
        produced += piece.length;
        yield piece;
      }
    };
    const { address } = await pair(service);
    const { stream } = await raw(address);
    stream.pause();
    stream.send(header({ ...get, params: { ...get.params, length: maxBlobBytes } }));
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.ok(produced < 3_000_000, `${produced} bytes were produced for nobody`);
    stream.abort(new Error("done"));
  });
});
