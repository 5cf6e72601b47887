import assert from "node:assert/strict";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { after, before, describe, it } from "node:test";
import { buildSchema, getIntrospectionQuery, parse } from "graphql";
import { costError, defaultLimits } from "../../subgraph/node/query/limits.ts";
import type { GraphqlServer } from "../../subgraph/node/query/server.ts";
import { endThread, messageOf, Nodes, poster } from "./nodes.ts";

describe("the GraphQL server", () => {
  let server: GraphqlServer;
  let nodes: Nodes;
  const post = poster(() => server);

  before(async () => {
    nodes = await Nodes.open();
    nodes.add(1n, ["one"], "one");
    server = await nodes.serve();
  });

  after(() => nodes.close());

  it("answers queries with variables, under the path that graph-node has", async () => {
    assert.match(server.url, /\/subgraphs\/name\/test$/);
    const answer = await post({
      query: "query ($id: ID!) { node(id: $id) { id next { id } before { id } } }",
      variables: { id: "one" },
    });
    assert.equal(answer.status, 200);
    assert.deepEqual(await answer.json(), {
      data: { node: { id: "one", next: { id: "one" }, before: [{ id: "one" }] } },
    });
  });

  it("shows GraphiQL to browsers", async () => {
    const answer = await fetch(server.url, { headers: { accept: "text/html" } });
    assert.match(await answer.text(), /graphiql/i);
  });

  it("says what is wrong with a query, and nothing of itself", async () => {
    for (const [body, expected] of [
      [{ query: "{ nodes { nothing } }" }, /Cannot query field/],
      [{ query: "{ nodes(first: 2000) { id } }" }, /between 0 and 1000/],
      [{ query: "{" }, /Syntax Error/],
      [{ query: "mutation { nodes { id } }" }, /not configured to execute mutation|Schema is not configured/],
    ] as const) {
      const { errors } = (await (await post(body)).json()) as {
        errors: { message: string; extensions?: object }[];
      };
      assert.match(errors[0]!.message, expected);
      assert.doesNotMatch(JSON.stringify(errors), /\.ts:|node_modules|originalError/);
    }
    const { errors } = (await (await post("not JSON")).json()) as { errors: { message: string }[] };
    assert.match(errors[0]!.message, /JSON|parse/i);
  });

  it("refuses queries that would cost too much: deep, wide, many entities, by fragments too, with variables", async () => {
    const nested = (depth: number): string => (depth === 0 ? "id" : `next { ${nested(depth - 1)} }`);
    const lists = (depth: number): string =>
      depth === 0 ? "id" : `before(first: 1000) { ${lists(depth - 1)} }`;
    const doubled = Array.from(
      { length: 16 },
      (_, i) => `fragment F${i} on Node { ...F${i + 1} a${i}: id ...F${i + 1} }`,
    );
    for (const [query, expected, variables] of [
      [`{ nodes { ${nested(20)} } }`, /deeper than 12/],
      [`{ nodes(first: 1000) { ${lists(2)} } }`, /more than 1000000 entities/],
      [
        "query ($n: Int) { nodes(first: $n) { before(first: $n) { before(first: $n) { id } } } }",
        /more than 1000000/,
        { n: 1_000 },
      ],
      [`{ nodes { ...F0 } } ${doubled.join(" ")} fragment F16 on Node { id }`, /more than 2000 fields/],
    ] as const) {
      const { errors } = (await (await post({ query, variables })).json()) as {
        errors: { message: string }[];
      };
      assert.match(errors[0]!.message, expected);
    }
  });

  it("judges a query by the variables it comes with now, not by those it came with first", async () => {
    const query = "query ($n: Int) { nodes(first: $n) { before(first: $n) { before(first: $n) { id } } } }";
    const ask = async (n: number) =>
      (await (await post({ query, variables: { n } })).json()) as { errors?: { message: string }[] };
    assert.equal((await ask(1)).errors, undefined);
    assert.match((await ask(1_000)).errors![0]!.message, /more than 1000000/);
    assert.equal((await ask(1)).errors, undefined);
  });

  it("refuses a query of very many fields before it compares them with one another", async () => {
    const { errors } = (await (await post({ query: `{ nodes { ${"id ".repeat(19_000)} } }` })).json()) as {
      errors: { message: string }[];
    };
    assert.deepEqual(
      errors.map(({ message }) => message),
      ["the query has more than 2000 fields"],
    );
  });

  it("answers introspection, and refuses documents of too many tokens and fragments without end", async () => {
    const introspection = (await (await post({ query: getIntrospectionQuery() })).json()) as {
      errors?: unknown;
    };
    assert.equal(introspection.errors, undefined);
    const names = Array.from({ length: 12 }, (_, i) => `F${i}`);
    const mutual = names.map(
      (name) =>
        `fragment ${name} on Node { ${names
          .filter((each) => each !== name)
          .map((each) => `...${each}`)
          .join(" ")} }`,
    );
    for (const [query, expected] of [
      [`{ nodes(where: { or: [${"{} ".repeat(30_000)}] }) { id } }`, /20000 tokens/],
      [`{ nodes { ...F0 } } ${mutual.join(" ")}`, /spreads itself/],
    ] as const) {
      const { errors } = (await (await post({ query })).json()) as { errors: { message: string }[] };
      assert.match(errors[0]!.message, expected);
    }
  });

  it("does not read requests without end", async () => {
    const answer = await post({ query: `{ nodes { id } } # ${"x".repeat(300_000)}` }).catch(() => undefined);
    assert.ok(answer === undefined || answer.status === 413);
    assert.equal((await post({ query: "{ nodes { id } }" })).status, 200, "and goes on with others");
  });
});

describe("the limits of queries", () => {
  it("take the defaults that a query gives its variables", () => {
    const server = buildSchema("type Query { nodes(first: Int): [Query!]! }");
    const document = parse(
      "query ($n: Int = 1000) { nodes(first: $n) { nodes(first: $n) { nodes(first: $n) { __typename } } } }",
    );
    const message = (variables?: Record<string, unknown>) =>
      costError(server, document, defaultLimits, variables)?.message;
    assert.match(message() ?? "", /more than 1000000 entities/);
    assert.match(message({ n: 1_000 }) ?? "", /more than 1000000 entities/);
    assert.equal(message({ n: 10 }), undefined);
  });

  it("refuse fragments that spread themselves, directly or by way of others", () => {
    const schema = buildSchema("type Query { a: Query }");
    for (const text of [
      "{ ...F } fragment F on Query { a { ...F } }",
      "{ ...F } fragment F on Query { ...G } fragment G on Query { a { ...F } }",
    ])
      assert.match(costError(schema, parse(text), defaultLimits)?.message ?? "", /spreads itself/);
  });

  it("are told in the time it takes to read the document, however often fragments stand in one another", () => {
    const schema = buildSchema("type Query { a: Query }");
    const names = Array.from({ length: 14 }, (_, i) => `F${i}`);
    // Each spreads every one after it, and nothing else: 2^13 ways lead to the last.
    const acyclic = names.map(
      (name, i) =>
        `fragment ${name} on Query { ${names
          .slice(i + 1)
          .map((each) => `...${each}`)
          .join(" ")} __typename }`,
    );
    // Each spreads every other one: without a bound, 14! ways.
    const mutual = names.map(
      (name) =>
        `fragment ${name} on Query { ${names
          .filter((each) => each !== name)
          .map((each) => `...${each}`)
          .join(" ")} }`,
    );
    const chain = Array.from({ length: 1_500 }, (_, i) => `fragment C${i} on Query { ...C${i + 1} }`);
    for (const [text, expected] of [
      [`{ ...F0 } ${acyclic.join(" ")}`, /more than 2000 fields/],
      [`{ ...F0 } ${mutual.join(" ")}`, /spreads itself/],
      [
        `{ ${"...C0 ".repeat(500)} } ${chain.join(" ")} fragment C1500 on Query { __typename }`,
        /more than 2000 fields/,
      ],
    ] as const) {
      const started = performance.now();
      assert.match(costError(schema, parse(text), defaultLimits)?.message ?? "", expected);
      const took = performance.now() - started;
      assert.ok(took < 1_000, `${took} ms`);
    }
  });

  it("count what stands in fragments that no operation uses, and in every operation of a document", () => {
    const schema = buildSchema("type Query { a: Query }");
    const message = (text: string) => costError(schema, parse(text), defaultLimits)?.message;
    assert.match(
      message(`{ __typename } fragment F on Query { ${"__typename ".repeat(3_000)} }`) ?? "",
      /never used/,
    );
    const operations = Array.from({ length: 30 }, (_, i) => `query Q${i} { ${"__typename ".repeat(100)} }`);
    assert.match(message(operations.join(" ")) ?? "", /more than 2000 fields/);
  });
});

describe("queries and their processes", () => {
  let nodes: Nodes;
  // As many conditions as there may be, none of which holds: each is looked at in every row, in one statement, many times.
  const conditions = Array.from({ length: 180 }, (_, i) => `{ next_contains_nocase: "${i}x" }`);
  const endless = {
    query: `{ ${Array.from({ length: 8 }, (_, i) => `a${i}: nodes(skip: ${i}, where: { or: [${conditions.slice(i).join(" ")}] }) { id }`).join(" ")} }`,
  };
  before(async () => {
    nodes = await Nodes.open();
    const ids = Array.from({ length: 20_000 }, (_, i) => `node ${i}`);
    nodes.add(1n, ids, "node 0");
  });

  after(() => nodes.close());

  it("end with a query that takes too long, and answer the others", async () => {
    const server = await nodes.serve({ time: 1_000 });
    const post = poster(() => server);
    const point = { query: '{ node(id: "node 7") { id } }' };
    assert.equal(await messageOf(await post(point)), undefined);
    const [slow, ...quick] = await Promise.all([post(endless), post(point), post(point)]);
    assert.equal(await messageOf(slow), "the query took longer than 1 s");
    for (const answer of quick) assert.deepEqual(await answer.json(), { data: { node: { id: "node 7" } } });
  });

  it("are ended in the middle of a statement, and give the machine back", async () => {
    const server = await nodes.serve({ time: 1_000 });
    const post = poster(() => server);
    // As many as there can be processes, and more: were they not ended, nobody would be answered after them.
    const answers = await Promise.all(Array.from({ length: 3 }, () => post(endless)));
    for (const answer of answers) assert.equal(await messageOf(answer), "the query took longer than 1 s");
    assert.equal(await messageOf(await post({ query: '{ node(id: "node 7") { id } }' })), undefined);
  });

  it("end with one that takes too much memory", async () => {
    const server = await nodes.serve({ heap: 48, time: 60_000, answer: 2 ** 30 });
    const post = poster(() => server);
    const aliases = Array.from({ length: 1_900 }, (_, i) => `a${i}: id`).join(" ");
    const [large, small] = await Promise.all([
      post({ query: `{ nodes(first: 1000) { ${aliases} } }` }),
      post({ query: '{ node(id: "node 7") { id } }' }),
    ]);
    assert.equal(await messageOf(large), "the answer takes too much memory");
    assert.equal(await messageOf(small), undefined);
  });

  it("give no answer that is too long, nor more than clients fetch", async () => {
    const query = "{ nodes(first: 1000) { id } }";
    for (const [limits, expected] of [
      [{ answer: 10_000 }, "the answer has more than 10000 characters; ask for less"],
      [{ unsent: 10_000 }, "too many answers wait to be fetched; ask again later"],
    ] as const) {
      const server = await nodes.serve(limits);
      const post = poster(() => server);
      assert.equal(await messageOf(await post({ query })), expected);
      for (let i = 0; i < 20; i++)
        assert.equal(await messageOf(await post({ query: "{ nodes(first: 50) { id } }" })), undefined);
    }
  });

  it("are read and refused outside the thread that indexes", async () => {
    const server = await nodes.serve();
    // As slow to validate as the limits allow: many fields of one name, each with arguments to compare.
    const same = `{ nodes { ${"before(first: 1) { id } ".repeat(900)} } }`;
    await messageOf(await poster(() => server)({ query: same }));
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    await Promise.all(Array.from({ length: 8 }, (_, i) => poster(() => server)({ query: `${same} # ${i}` })));
    delay.disable();
    assert.ok(delay.max < 100e6, `this thread stood still for ${delay.max / 1e6} ms`);
  });

  it("are answered again, at the same port, after the thread that listens has ended", async () => {
    const server = await nodes.serve({ listening: 64 });
    const post = poster(() => server);
    const ask = () => post({ query: '{ node(id: "node 7") { id } }' });
    assert.equal(await messageOf(await ask()), undefined);
    assert.ok(await endThread(post), "the thread has ended");
    const until = Date.now() + 30_000;
    let answered: string | undefined = "not asked yet";
    while (answered !== undefined && Date.now() < until) answered = await ask().then(messageOf, String);
    assert.equal(answered, undefined);
  });

  it("are served no more once closed, although the thread that listens has just ended", async () => {
    const server = await nodes.serve({ listening: 64 });
    assert.ok(await endThread(poster(() => server)), "the thread has ended");
    await server.close();
    await assert.rejects(poster(() => server)({ query: "{ nodes { id } }" }));
  });

  it("leave this thread free, and see what is stored meanwhile", async () => {
    const server = await nodes.serve();
    const post = poster(() => server);
    const meta = async () => (await post({ query: "{ _meta { block { number } } }" })).json();
    assert.deepEqual(await meta(), { data: { _meta: { block: { number: 1 } } } });
    const slow = post({ query: "{ nodes(first: 300) { next { before(first: 900) { id } } } }" });
    nodes.add(2n, ["another"], "another");
    assert.equal(await messageOf(await slow), undefined);
    assert.deepEqual(await meta(), { data: { _meta: { block: { number: 2 } } } });
  });

  it("let only so many wait", async () => {
    const server = await nodes.serve({ waiting: 2 });
    const post = poster(() => server);
    const answers = await Promise.all(Array.from({ length: 64 }, () => post({ query: "{ nodes { id } }" })));
    const messages = await Promise.all(answers.map(messageOf));
    const refused = messages.filter((message) => message !== undefined);
    assert.ok(refused.length > 0 && refused.length < 64);
    assert.deepEqual(new Set(refused), new Set(["too many queries wait; ask again later"]));
  });
});
