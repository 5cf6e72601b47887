/** What a keeper keeps of answers that nobody reads. */
import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { z } from "zod";
import { createHost } from "../../../../keepers/src/storage/transport/host.ts";
import { defineProtocol } from "../../../../keepers/src/storage/transport/rpc.ts";
import { RpcClient } from "../../../../keepers/src/storage/transport/rpc-client.ts";
import { RpcServer, type ServerOptions } from "../../../../keepers/src/storage/transport/rpc-server.ts";

const cleanUp: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const action of cleanUp.splice(0).reverse()) await action();
});

const length = 2 ** 26;
const protocol = defineProtocol("/assay/unread-answers-test/1.0.0", {
  get: {
    request: z.strictObject({ pieces: z.int() }),
    response: z.strictObject({}),
    ...{ requestBody: 0, responseBody: length, timeout: 10_000, idempotent: true, cost: 1 },
  },
});

/** A keeper that answers with a body in so many pieces, a peer that has asked for one, and how much was made of it. */
async function ask(pieces: number, options: ServerOptions = {}) {
  const host = await createHost({ localNetwork: true, listen: ["/ip4/127.0.0.1/tcp/0"] });
  cleanUp.push(async () => host.stop());
  const seen = { made: 0, ended: 0 };
  async function* body(piece: number) {
    try {
      for (let i = 0; i < length / piece; i++) {
        seen.made += piece;
        yield new Uint8Array(piece);
      }
    } finally {
      seen.ended++;
    }
  }
  const get = async (request: { pieces: number }) => ({
    result: {},
    body: { length, bytes: body(length / request.pieces) },
  });
  const server = await RpcServer.start(host, protocol, { get }, options);
  cleanUp.push(() => server.stop());
  const own = await createHost({ localNetwork: true });
  cleanUp.push(async () => own.stop());
  const client = await RpcClient.connect(own, protocol, host.getMultiaddrs()[0]!.toString());
  const reply = await client.call("get", { pieces });
  return { seen, reply, iterator: reply.body[Symbol.asyncIterator]() };
}

async function until(holds: () => boolean, what: string): Promise<void> {
  for (let tries = 0; !holds(); tries++) {
    if (tries > 500) assert.fail(`never: ${what}`);
    await delay(10);
  }
}

describe("answers that nobody reads", { timeout: 60_000 }, () => {
  it("attack: are made no further than a window of the muxer has room for, also once some of it was read", async () => {
    const { seen, iterator } = await ask(1024);
    await delay(500);
    assert.ok(seen.made <= 2 ** 21, `${seen.made} bytes were made for nobody`);
    let read = 0;
    while (read < 2 ** 23) read += (await iterator.next()).value!.length;
    await delay(500);
    assert.ok(seen.made <= read + 2 ** 21, `${seen.made} bytes were made, and ${read} read`);
    while (read < length) read += (await iterator.next()).value!.length;
    await until(() => seen.ended === 1, "all of it is sent");
  });

  it("attack: count as sent when all of them have gone, in however large pieces they are made", async () => {
    const { seen, iterator } = await ask(1);
    await delay(500);
    assert.equal(seen.ended, 0);
    let read = 0;
    while (read < length / 2) read += (await iterator.next()).value!.length;
    await delay(200);
    assert.equal(seen.ended, 0, "the whole piece is in memory until its end is gone");
    while (read < length) read += (await iterator.next()).value!.length;
    await until(() => seen.ended === 1, "all of it is sent");
  });

  it("attack: are given up after a silence, and not while they are read, however long that takes", async () => {
    const { seen, iterator } = await ask(1, { silence: 400 });
    let read = 0;
    for (let i = 0; i < 10; i++) {
      for (const enough = read + 2 ** 21; read < enough; ) read += (await iterator.next()).value!.length;
      await delay(100);
    }
    assert.equal(seen.ended, 0);
    await until(() => seen.ended === 1, "it is given up");
    const all = async () => {
      while (read < length) read += (await iterator.next()).value!.length;
    };
    await assert.rejects(all);
  });
});
