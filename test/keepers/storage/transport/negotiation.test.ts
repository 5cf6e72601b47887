import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { latest } from "../lateness.ts";
import { flags, header, isClosed, line, node, rawPeer, socketTo, types } from "./raw-peer.ts";

const proposal = line("/multistream/1.0.0");
/** An empty name, which no protocol has. */
const nothing = Buffer.of(1, 10);

describe("the negotiation of protocols", () => {
  for (const [what, asked] of [
    ["nothing", nothing],
    ["all there are", line("ls")],
  ] as const) {
    it(`attack: ends a connection that asks for ${what} again and again before anybody knows who it is`, async () => {
      const keeper = await node(["/ip4/127.0.0.1/tcp/0"]);
      const socket = await socketTo(keeper);
      let answered = 0;
      socket.on("data", ({ length }) => {
        answered += length;
      });
      socket.write(Buffer.concat([proposal, Buffer.alloc(500_000, asked)]));
      assert.equal(await isClosed(socket, 3), true);
      assert.ok(answered < 1000, `${answered} bytes were answered`);
    });
  }

  it("attack: ends a stream that does so, and makes nobody wait, however many there are", async () => {
    const keeper = await node(["/ip4/127.0.0.1/tcp/0"]);
    const { connection, send } = await rawPeer(keeper);
    const length = 250_000;
    const late = await latest(async () => {
      for (let stream = 1001; stream < 1041; stream += 2) {
        const asked = Buffer.concat([proposal, Buffer.alloc(length - proposal.length, nothing)]);
        send(Buffer.concat([header(types.data, flags.syn, stream, length), asked]));
      }
      await delay(1500);
    });
    assert.ok(late < 500, `a timer was ${late} ms late`);
    assert.equal(connection.status, "open");
    assert.equal(keeper.getConnections()[0]!.streams.length, 0);
  });

  it("goes on for a peer that names some protocols that there are not, and sends its message along with one that there is", async () => {
    const keeper = await node(["/ip4/127.0.0.1/tcp/0"]);
    const received: number[] = [];
    await keeper.handle("/there", (stream) => {
      stream.addEventListener("message", ({ data }) => void received.push(data.byteLength));
      for (let i = 0; i < 100; i++) stream.send(new Uint8Array(1));
    });
    const { send } = await rawPeer(keeper);
    const named = Array.from({ length: 10 }, (_, i) => line(`/not/there/${i}`));
    const sent = Buffer.concat([proposal, ...named, line("/there"), new Uint8Array(200_000)]);
    send(Buffer.concat([header(types.data, flags.syn, 1001, sent.length), sent]));
    await delay(500);
    assert.equal(keeper.getConnections()[0]!.streams[0]!.status, "open");
    assert.equal(
      received.reduce((sum, bytes) => sum + bytes, 0),
      200_000,
    );
  });
});
