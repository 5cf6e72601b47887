import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { ShardClient } from "../../../../keepers/src/storage/transport/shard-client.ts";
import { ShardServer } from "../../../../keepers/src/storage/transport/shard-service.ts";
import { latest } from "../lateness.ts";
import { generator } from "../random.ts";
import { cleanUp, flags, header, node, type Raw, rawPeer, types } from "./raw-peer.ts";
import { datasetId, serviceOver } from "./service.ts";

const pings = Buffer.alloc(12 * 4000, header(types.ping, flags.syn, 0, 7));

for (const [kind, address] of [
  ["a plain connection", "/ip4/127.0.0.1/tcp/0"],
  ["a WebSocket", "/ip4/127.0.0.1/tcp/0/ws"],
] as const) {
  describe(`strangers over ${kind}`, () => {
    it("attack: make no timer late with what each of them may send at once", async () => {
      const keeper = await node([address], { isRegistered: () => false });
      const strangers: Raw[] = [];
      for (let i = 0; i < 20; i++) strangers.push(await rawPeer(keeper));
      const late = await latest(async () => {
        for (const { send } of strangers) send(pings);
        await delay(1000);
      });
      assert.ok(late < 400, `a timer was ${late} ms late`);
      assert.ok(strangers.every(({ connection }) => connection.status === "open"));
    });

    it("wait where they send too much, and are answered after it", async () => {
      const keeper = await node([address]);
      const bundles = new Map<number, Uint8Array>();
      const shards = await ShardServer.start(keeper, serviceOver(bundles));
      cleanUp.push(() => shards.stop());
      const stranger = await node();
      const client = await ShardClient.connect(stranger, String(keeper.getMultiaddrs()[0]));
      cleanUp.push(() => client.close());
      const { muxer } = stranger.getConnections()[0] as unknown as {
        muxer: { maConn: { send(bytes: Uint8Array): void } };
      };
      // Updates of a stream that is not there.
      muxer.maConn.send(Buffer.alloc(12 * 3000, header(types.windowUpdate, 0, 99_999, 1)));
      const bytes = generator(1).bytes(2_000_000);
      await client.put({ datasetId, bundleIndex: 0, bytes });
      assert.equal(Buffer.compare(bundles.get(0)!, bytes), 0);
    });
  });
}
