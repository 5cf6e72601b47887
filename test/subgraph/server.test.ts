import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { buildSchema, parse, validate } from "graphql";
import type { Hex } from "viem";
import { defaultLimits, withinLimits } from "../../subgraph/node/query/limits.ts";
import { type GraphqlServer, serveGraphql } from "../../subgraph/node/query/server.ts";
import { readEntitySchema } from "../../subgraph/node/schema/entity-schema.ts";
import { Database } from "../../subgraph/node/store/database.ts";
import { EntityStore } from "../../subgraph/node/store/entity-store.ts";

const zeros: Hex = `0x${"0".repeat(64)}`;

describe("the GraphQL server", () => {
  let server: GraphqlServer;

  const post = (body: unknown, headers: Record<string, string> = {}) =>
    fetch(server.url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });

  before(async () => {
    const schema = readEntitySchema(
      'type Node @entity(immutable: false) { id: ID! next: Node before: [Node!]! @derivedFrom(field: "next") }',
    );
    const database = Database.open(":memory:", schema, "test");
    const store = new EntityStore(database, schema);
    store.set(store.type("Node"), "one", new Map([["next", "one"]]));
    database.transaction(() => store.commit({ number: 1n, hash: zeros, parentHash: zeros, timestamp: 7n }));
    server = await serveGraphql({ schema, store, deployment: "test", failed: () => false, name: "test" });
  });

  after(() => server.close());

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
    const { errors } = (await (await post({ query: `{ nodes { ${"id ".repeat(80_000)} } }` })).json()) as {
      errors: { message: string }[];
    };
    assert.deepEqual(
      errors.map(({ message }) => message),
      ["the query has more than 2000 fields"],
    );
  });

  it("does not read requests without end", async () => {
    const answer = await post({ query: `{ nodes { id } } # ${"x".repeat(300_000)}` }).catch(() => undefined);
    assert.ok(answer === undefined || answer.status === 413);
    assert.equal((await post({ query: "{ nodes { id } }" })).status, 200, "and goes on with others");
  });
});

describe("the limits of queries", () => {
  it("follow no fragment into itself", () => {
    const schema = buildSchema("type Query { a: Query }");
    const document = parse("{ ...F } fragment F on Query { a { ...F } }");
    assert.deepEqual(validate(schema, document, [withinLimits(defaultLimits, undefined)]), []);
  });
});
