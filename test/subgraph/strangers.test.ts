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

describe("the GraphQL server and questions that are nested deeply", () => {
  let nodes: Nodes;

  before(async () => {
    nodes = await Nodes.open();
    nodes.add(
      1n,
      Array.from({ length: 1_000 }, (_, i) => `node ${i}`),
      "node 0",
    );
  });

  after(() => nodes.close());

  const nested = (open: string, inner: string, close: string, depth: number) =>
    open.repeat(depth) + inner + close.repeat(depth);
  const lists = (depth: number) => nested("[", "", "]", depth);
  const filters = (depth: number) => nested('{"and":[', '{"id":"x"}', "]}", depth);
  const asked = (query: string, x: string) => `{"query":${JSON.stringify(query)},"variables":{"x":${x}}}`;
  const filtered = "query ($x: Node_filter) { nodes(where: $x) { id } }";
  const literal = (depth: number) =>
    JSON.stringify({ query: `{ nodes(where: ${nested("{and:[", '{id:"x"}', "]}", depth)}) { id } }` });
  /** Questions by what is nested in them: some break what writes a message, some what reads one, some what answers. */
  const attacks: Record<string, string> = {
    "lists that no operation declares": asked(point.query, lists(100_000)),
    "a few lists that no operation declares": asked(point.query, lists(5_000)),
    "filters in a variable": asked(filtered, filters(12_000)),
    "a few filters in a variable": asked(filtered, filters(2_500)),
    "filters in the text": literal(3_000),
    "a few filters in the text": literal(600),
  };

  for (const [what, body] of Object.entries(attacks))
    it(`answers everybody's own question after one with ${what}`, async () => {
      const server = await nodes.serve();
      const post = poster(() => server);
      await (await post(body)).text();
      for (let i = 0; i < 10; i++) {
        const answer = await post({ query: `{ node(id: "node ${i}") { id } }` });
        assert.deepEqual(await answer.json(), { data: { node: { id: `node ${i}` } } });
      }
    });

  it("answers everybody's own question while such ones wait in the queue", async () => {
    const server = await nodes.serve({ time: 5_000 });
    const post = poster(() => server);
    const slow = `{ ${Array.from({ length: 4 }, (_, i) => `a${i}: nodes(first: 1000, skip: ${i}) { next { before(first: 100) { id } } }`).join(" ")} }`;
    const busy = Array.from({ length: 8 }, (_, i) => post({ query: `${slow} # ${i}` }));
    const hostile = Object.values(attacks).map((body) => post(body));
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, i) => post({ query: `{ node(id: "node ${i}") { id } }` })),
    );
    for (const [i, answer] of answers.entries())
      assert.deepEqual(await answer.json(), { data: { node: { id: `node ${i}` } } });
    for (const answer of await Promise.all([...busy, ...hostile])) await answer.text();
  });

  it("says how deep a question may be", async () => {
    const server = await nodes.serve();
    const post = poster(() => server);
    const refused = "the query has values inside one another deeper than 100";
    assert.equal(await messageOf(await post(asked(filtered, filters(60)))), refused);
    assert.equal(await messageOf(await post(literal(60))), refused);
    assert.equal(await messageOf(await post(asked(filtered, filters(20)))), undefined);
    assert.equal(await messageOf(await post(literal(20))), undefined);
  });

  it("counts a number of entities that is null as what is given then", async () => {
    const server = await nodes.serve();
    const post = poster(() => server);
    const wide =
      "query ($n: Int) { nodes(first: $n) { next { before(first: $n) { next { before(first: $n) { next { before(first: $n) { id } } } } } } } }";
    const refused = /could name more than 1000000 entities/;
    assert.match((await messageOf(await post({ query: wide, variables: { n: 100 } }))) ?? "", refused);
    assert.match((await messageOf(await post({ query: wide, variables: { n: null } }))) ?? "", refused);
    assert.match((await messageOf(await post({ query: wide }))) ?? "", refused);
  });
});
