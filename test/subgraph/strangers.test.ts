import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { after, before, describe, it } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { messageOf, Nodes, poster } from "./nodes.ts";

const point = { query: '{ node(id: "node 7") { id } }' };

describe("the GraphQL server and clients that leave", () => {
  let nodes: Nodes;
  const list = "{ nodes(first: 1000) { id next { id } } }";

  before(async () => {
    nodes = await Nodes.open();
    nodes.add(
      1n,
      Array.from({ length: 1_000 }, (_, i) => `node ${i}`),
      "node 0",
    );
  });

  after(() => nodes.close());

  /** A connection over which so many questions have been sent at once, none of whose answers is read. */
  async function asking(url: string, questions: number): Promise<Socket> {
    const { host, hostname, port, pathname } = new URL(url);
    const socket = connect(Number(port), hostname).pause();
    await once(socket, "connect");
    const request = `GET ${pathname}?query=${encodeURIComponent(list)} HTTP/1.1\r\nhost: ${host}\r\n\r\n`;
    await new Promise<unknown>((sent) => socket.write(request.repeat(questions), sent));
    return socket;
  }

  for (const questions of [1, 8])
    it(`counts no answer as unsent once its client has gone, of ${questions} questions over one connection`, async () => {
      const whole = JSON.stringify({
        data: {
          nodes: Array.from({ length: 1_000 }, (_, i) => ({ id: `node ${i}`, next: { id: "node 0" } })),
        },
      }).length;
      // A single answer that nobody fetches leaves no room for another one.
      const server = await nodes.serve({ unsent: whole + 20 });
      const post = poster(() => server);
      // The first question starts the process that answers: its clients are gone long before it has.
      const sockets = await Promise.all(Array.from({ length: 4 }, () => asking(server.url, questions)));
      await wait(100);
      for (const socket of sockets) socket.destroy();
      const until = Date.now() + 15_000;
      let said: string | undefined = "not asked yet";
      while (said !== undefined && Date.now() < until) said = await messageOf(await post({ query: list }));
      assert.equal(said, undefined);
      for (let i = 0; i < 5; i++) assert.equal(await messageOf(await post({ query: list })), undefined);
    });

  it("takes what nobody waits for out of the queue", async () => {
    const server = await nodes.serve({ waiting: 4, time: 5_000 });
    const post = poster(() => server);
    const slow = `{ ${Array.from({ length: 8 }, (_, i) => `a${i}: nodes(first: 1000, skip: ${i}) { next { before(first: 100) { id } } }`).join(" ")} }`;
    const gone = new AbortController();
    const left = Array.from({ length: 32 }, (_, i) =>
      fetch(server.url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ query: `${slow} # ${i}` }),
        signal: gone.signal,
      }).then(
        () => "answered",
        () => "gone",
      ),
    );
    await wait(300);
    gone.abort();
    await Promise.all(left);
    await wait(50);
    assert.equal(await messageOf(await post(point)), undefined);
  });
});

describe("the GraphQL server and documents that differ", () => {
  let nodes: Nodes;

  before(async () => {
    nodes = await Nodes.open();
    nodes.add(1n, ["node 7"], "node 7");
  });

  after(() => nodes.close());

  it("keeps none that it refuses, however many come one after the other", async () => {
    const server = await nodes.serve({ listening: 96 });
    const post = poster(() => server);
    const wide = `{ ${"a ".repeat(19_900)}}`;
    const broken = `{ nodes(where: { id: "${"x".repeat(100_000)}" }) ~`;
    for (let i = 0; i < 40; i++) {
      assert.equal(
        await messageOf(await post({ query: `${wide}#${i}` })),
        "the query has more than 2000 fields",
      );
      assert.match((await messageOf(await post({ query: `${broken}#${i}` }))) ?? "", /Syntax Error/);
    }
  });

  it("keeps no more of those that it answers than there is room for", async () => {
    const server = await nodes.serve({ listening: 96, heap: 64 });
    const post = poster(() => server);
    const names = Array.from({ length: 1_600 }, (_, i) => `a${i}: id`).join(" ");
    for (let i = 0; i < 60; i++)
      assert.equal(
        await messageOf(await post({ query: `{ node(id: "node 7") { ${names} } } # ${i}` })),
        undefined,
      );
    // Short ones that stand for many fields: each fragment holds the one after it eight times.
    const each = (next: string) => Array.from({ length: 8 }, (_, i) => `b${i}: next { ${next} }`).join(" ");
    const fragments = `fragment A on Node { ${each("...B")} } fragment B on Node { ${each("...C")} } fragment C on Node { ${each("id")} }`;
    for (let i = 0; i < 120; i++)
      assert.equal(
        await messageOf(await post({ query: `{ node(id: "node 7") { ...A } } ${fragments} # ${i}` })),
        undefined,
      );
  });
});
