import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Stream } from "@libp2p/interface";
import { listenTo } from "../../../../keepers/src/storage/transport/listen.ts";
import { flags, header, line, node, rawPeer, types } from "./raw-peer.ts";

const ping = "/ipfs/ping/1.0.0";

// Whatever would end a process fails the test that is under way.
describe("a process that strangers send to", () => {
  it("attack: goes on where a ping comes with the end of its stream", async () => {
    const keeper = await node(["/ip4/127.0.0.1/tcp/0"]);
    const { connection, send } = await rawPeer(keeper);
    send(header(types.windowUpdate, flags.syn, 1001, 0));
    const agreed = Buffer.concat([line("/multistream/1.0.0"), line(ping)]);
    send(Buffer.concat([header(types.data, 0, 1001, agreed.length), agreed]));
    await delay(200);
    assert.equal(keeper.getConnections()[0]!.streams[0]!.protocol, ping);
    send(Buffer.concat([header(types.data, flags.fin, 1001, 32), Buffer.alloc(32)]));
    await delay(200);
    assert.equal(connection.status, "open");
  });

  it("ends the stream one of whose listeners throws, and goes on", async () => {
    const keeper = await node(["/ip4/127.0.0.1/tcp/0"]);
    const stranger = await node();
    const heard: Stream[] = [];
    await keeper.handle("/test", (stream) => {
      heard.push(stream);
      listenTo(stream, "message", () => {
        throw new Error("unforeseen");
      });
    });
    const stream = await stranger.dialProtocol(keeper.getMultiaddrs()[0]!, "/test");
    stream.send(new Uint8Array(1));
    for (let tries = 0; stream.status === "open" && tries < 100; tries++) await delay(20);
    assert.deepEqual([heard[0]!.status, stream.status], ["aborted", "reset"]);
  });

  it("listens to streams and connections in that way alone", () => {
    const folder = resolve(import.meta.dirname, "../../../../keepers/src");
    const direct = readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .filter((name) =>
        /(stream|connection)\w*\.addEventListener\(/i.test(readFileSync(join(folder, name), "utf8")),
      );
    assert.deepEqual(direct, []);
  });
});
