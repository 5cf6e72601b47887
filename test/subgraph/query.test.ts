import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { graphqlSync, parse, validate } from "graphql";
import type { Hex } from "viem";
import { AnswerTooLongError, QueryPlan } from "../../subgraph/node/query/plan.ts";
import { executableSchema } from "../../subgraph/node/query/resolvers.ts";
import { readEntitySchema } from "../../subgraph/node/schema/entity-schema.ts";
import { Database } from "../../subgraph/node/store/database.ts";
import { EntityStore } from "../../subgraph/node/store/entity-store.ts";
import { EntityReader } from "../../subgraph/node/store/select.ts";
import { BigDecimal } from "../../subgraph/node/values/big-decimal.ts";
import type { Value } from "../../subgraph/node/values/value.ts";

const source = `
  enum Colour { Red Green }
  type Owner @entity(immutable: false) {
    id: Bytes!
    name: String
    things: [Thing!]! @derivedFrom(field: "owner")
    friends: [Owner!]!
  }
  type Thing @entity(immutable: false) {
    id: ID!
    owner: Owner
    label: String
    count: BigInt!
    ratio: BigDecimal
    size: Int
    data: Bytes
    tags: [String!]
    numbers: [BigInt!]
    colour: Colour
    isNew: Boolean
  }
  type Note @entity(immutable: true) { id: ID! text: String! }`;

const hash = (n: number): Hex => `0x${n.toString(16).padStart(64, "0")}`;
const bytes = (...given: number[]) => Uint8Array.from(given);

class Fixture {
  readonly schema = readEntitySchema(source);
  readonly database = Database.open(":memory:", this.schema, "test");
  readonly store = new EntityStore(this.database, this.schema);
  failed = false;
  readonly api = executableSchema({
    schema: this.schema,
    store: this.store,
    deployment: "test",
    failed: () => this.failed,
  });
  #fork = 0;

  set(type: string, id: string, fields: Record<string, Value>): void {
    this.store.set(this.store.type(type), id, new Map(Object.entries(fields)));
  }

  block(number: number): void {
    this.database.transaction(() =>
      this.store.commit({
        number: BigInt(number),
        hash: hash(number + this.#fork),
        parentHash: hash(number - 1 + this.#fork),
        timestamp: BigInt(1_000 + number),
      }),
    );
  }

  fork(): void {
    this.#fork += 1_000_000;
  }

  /** The answer of a plan, where there is one. */
  planned(
    text: string,
    variables?: Record<string, unknown>,
    limit = Number.POSITIVE_INFINITY,
  ): string | undefined {
    const { api, store, schema, database } = this;
    assert.deepEqual(validate(api, parse(text)), []);
    const reader = new EntityReader(database, schema);
    const parts = { api, reader, schema, store, deployment: "test", failed: () => this.failed };
    return QueryPlan.of(parts, parse(text), null)?.answer(variables, limit);
  }

  query(text: string): Record<string, unknown> {
    const result = graphqlSync({ schema: this.api, source: text });
    assert.deepEqual(result.errors ?? [], []);
    const json = JSON.stringify(result);
    assert.equal(this.planned(text) ?? json, json);
    return JSON.parse(json).data as Record<string, unknown>;
  }

  refusal(text: string): string {
    const { errors } = graphqlSync({ schema: this.api, source: text });
    assert.ok(errors !== undefined, `no error for ${text}`);
    assert.equal(this.planned(text), undefined);
    return errors.map(({ message }) => message).join("; ");
  }

  /** Ids of the things that a filter finds. */
  where(filter: string): string {
    return this.ids(`where: {${filter}}`);
  }

  ids(given: string): string {
    const { things } = this.query(`{ things(${given}) { id } }`) as { things: { id: string }[] };
    return things.map(({ id }) => id).join("");
  }
}

/** Five things of two owners: a, b, c in block 1; d, e in block 2. */
function things(): Fixture {
  const f = new Fixture();
  f.set("Owner", "0x0a", { id: bytes(10), name: "Ann", friends: [bytes(11)] });
  f.set("Owner", "0x0b", { id: bytes(11), name: "Bob", friends: [bytes(10), bytes(12)] });
  f.set("Thing", "a", {
    owner: bytes(10),
    label: "Apple",
    count: 5n,
    ratio: BigDecimal.parse("0.5"),
    size: 1,
  });
  f.set("Thing", "b", { owner: bytes(10), label: "banana", count: -7n, tags: ["x", "y"], numbers: [1n, 2n] });
  f.set("Thing", "c", {
    owner: bytes(11),
    label: "100%",
    count: 2n ** 200n,
    data: bytes(1, 2, 3),
    colour: "Red",
  });
  f.block(1);
  f.set("Thing", "d", { count: 5n, tags: [], isNew: true, colour: "Green" });
  f.set("Thing", "e", { owner: bytes(12), count: 0n, ratio: BigDecimal.parse("-2"), isNew: false, size: 3 });
  f.block(2);
  return f;
}

describe("queries in The Graph's dialect", () => {
  it("every operator", () => {
    const f = things();
    for (const [filter, expected] of [
      ['label: "Apple"', "a"],
      ["label: null", "de"],
      ["label_not: null", "abc"],
      ['label_not: "Apple"', "bc"],
      ["count_gt: 5", "c"],
      ['count_gte: "5"', "acd"],
      ["count_lt: 0", "b"],
      ["count_lte: 0", "be"],
      ["count_in: [5, 0]", "ade"],
      ["count_not_in: [5, 0]", "bc"],
      ["count_in: []", ""],
      ["count_not_in: []", ""],
      ['ratio_gt: "-1.5"', "a"],
      ["ratio_lte: -2.0", "e"],
      ['label_contains: "an"', "b"],
      ['label_contains: "AN"', ""],
      ['label_contains_nocase: "AN"', "b"],
      ['label_not_contains: "an"', "ac"],
      ['label_not_contains_nocase: "AN"', "ac"],
      ['label_starts_with: "App"', "a"],
      ['label_starts_with_nocase: "app"', "a"],
      ['label_not_starts_with: "App"', "bc"],
      ['label_not_starts_with_nocase: "BAN"', "ac"],
      ['label_ends_with: "na"', "b"],
      ['label_ends_with_nocase: "NA"', "b"],
      ['label_not_ends_with: "na"', "ac"],
      ['label_not_ends_with_nocase: "NA"', "ac"],
      ['label_gt: "A"', "ab"],
      ['data: "0x010203"', "c"],
      ['data_contains: "0x02"', "c"],
      ['data_not_contains: "0x02"', ""],
      ['tags: ["x", "y"]', "b"],
      ['tags_contains: ["y"]', "b"],
      ['tags_contains: ["y", "z"]', ""],
      ["tags_contains: []", "bd"],
      ['tags_not_contains: ["y", "z"]', "d"],
      ['tags_not: ["x", "y"]', "d"],
      ['numbers_contains: ["2"]', "b"],
      ["colour: Red", "c"],
      ["colour_in: [Red, Green]", "cd"],
      ["colour_not: Red", "d"],
      ["isNew: true", "d"],
      ["isNew_not: true", "e"],
      ["isNew_in: [true, false]", "de"],
      ["size_gte: 1", "ae"],
      ['owner: "0x0a"', "ab"],
      ['owner_not: "0x0a"', "ce"],
      ['owner_in: ["0x0b", "0x0c"]', "ce"],
      ['id_gt: "c"', "de"],
      ['id_in: ["e", "a", "nothing"]', "ae"],
    ] as const)
      assert.equal(f.where(filter), expected, filter);
  });

  it("combinations, and filters on what is referred to", () => {
    const f = things();
    for (const [filter, expected] of [
      ["and: [{ count_gt: 0 }, { count_lt: 6 }]", "ad"],
      ['or: [{ label: "Apple" }, { isNew: true }]', "ad"],
      ["and: []", "abcde"],
      ["or: []", ""],
      ["and: [{ or: [{ count: 5 }, { count: 0 }] }, { owner_not: null }]", "ae"],
      ['owner_: { name: "Ann" }', "ab"],
      ['owner_: { name_not: "Ann" }', "c"],
      ["_change_block: { number_gte: 2 }", "de"],
    ] as const)
      assert.equal(f.where(filter), expected, filter);
    const owners = (filter: string) =>
      (f.query(`{ owners(where: {${filter}}) { name } }`).owners as { name: string }[])
        .map(({ name }) => name)
        .join();
    assert.equal(owners("things_: { count_lt: 0 }"), "Ann");
    assert.equal(owners('friends_: { name: "Ann" }'), "Bob");
    assert.equal(owners('friends_contains: ["0x0c"]'), "Bob");
    assert.match(
      f.refusal('{ things(where: { label: "a", or: [{ count: 1 }] }) { id } }'),
      /"or" stands beside label/,
    );
    assert.match(f.refusal("{ things(where: { owner_: { things_: { count: 1 } } }) { id } }"), /nested/);
    assert.match(f.refusal("{ things(where: { label_gt: null }) { id } }"), /cannot be null/);
  });

  it("orders, ties by id in the same direction, nulls at the end upwards and at the beginning downwards", () => {
    const f = things();
    assert.equal(f.ids("orderBy: count"), "beadc");
    assert.equal(f.ids("orderBy: count, orderDirection: desc"), "cdaeb");
    assert.equal(f.ids("orderBy: ratio"), "eabcd");
    assert.equal(f.ids("orderBy: ratio, orderDirection: desc"), "dcbae");
    assert.equal(f.ids("orderDirection: desc"), "edcba");
    assert.equal(f.ids("orderBy: owner__name"), "abcde");
    assert.equal(f.ids("orderBy: owner__name, orderDirection: desc"), "edcba");
    assert.equal(f.ids("orderBy: count, first: 2, skip: 1"), "ea");
    assert.equal(f.ids("first: 0"), "");
    assert.match(f.refusal("{ things(first: 1001) { id } }"), /between 0 and 1000, but is 1001/);
    assert.match(f.refusal("{ things(first: -1) { id } }"), /between 0 and 1000/);
    assert.match(f.refusal("{ things(skip: 5001) { id } }"), /between 0 and 5000/);
  });

  it("nested entities, derived lists with arguments of their own, references to nothing", () => {
    const f = things();
    assert.deepEqual(
      f.query(`{
        owner(id: "0x0a") { id things(orderBy: count, first: 1) { id count ratio owner { name } } friends { name } }
        thing(id: "e") { owner { id } ratio }
        bob: owner(id: "0x0b") { friends { name } }
        nobody: owner(id: "0xff") { id }
      }`),
      {
        owner: {
          id: "0x0a",
          things: [{ id: "b", count: "-7", ratio: null, owner: { name: "Ann" } }],
          friends: [{ name: "Bob" }],
        },
        thing: { owner: null, ratio: "-2" },
        bob: { friends: [{ name: "Ann" }] },
        nobody: null,
      },
    );
    assert.match(f.refusal('{ owner(id: "zz") { id } }'), /is not an id of Owner/);
  });

  it("earlier blocks by number and by hash, and what _meta says of them", () => {
    const f = things();
    f.set("Thing", "a", { count: 6n });
    f.store.remove(f.store.type("Thing"), "b");
    f.block(3);
    assert.deepEqual(f.query('{ thing(id: "a") { count label } }'), {
      thing: { count: "6", label: "Apple" },
    });
    assert.deepEqual(f.query('{ thing(id: "a", block: { number: 2 }) { count } }'), {
      thing: { count: "5" },
    });
    assert.equal(f.ids("block: { number: 1 }"), "abc");
    assert.equal(f.ids(`block: { hash: "${hash(2)}" }`), "abcde");
    assert.equal(f.ids("block: { number_gte: 2 }"), "acde");
    assert.equal(f.ids("block: { number: 0 }"), "");
    assert.deepEqual(f.query('{ owner(id: "0x0a", block: { number: 2 }) { things { id } } }'), {
      owner: { things: [{ id: "a" }, { id: "b" }] },
    });
    assert.match(f.refusal("{ things(block: { number: 4 }) { id } }"), /only indexed up to block number 3/);
    assert.match(
      f.refusal("{ things(block: { number_gte: 4 }) { id } }"),
      /only indexed up to block number 3/,
    );
    assert.match(f.refusal(`{ things(block: { hash: "${hash(9)}" }) { id } }`), /no block with the hash/);
    assert.match(f.refusal("{ things(block: { number: 1, number_gte: 1 }) { id } }"), /only one of/);
    assert.deepEqual(f.query("{ _meta { block { number hash timestamp } deployment hasIndexingErrors } }"), {
      _meta: {
        block: { number: 3, hash: hash(3), timestamp: 1_003 },
        deployment: "test",
        hasIndexingErrors: false,
      },
    });
    assert.deepEqual(f.query("{ _meta(block: { number: 2 }) { block { number hash } } }"), {
      _meta: { block: { number: 2, hash: null } },
    });
  });

  it("after a mapping stopped: nothing, unless the client allows errors", () => {
    const f = things();
    f.failed = true;
    assert.match(f.refusal("{ things { id } }"), /indexing_error/);
    assert.equal(f.ids("subgraphError: allow"), "abcde");
  });

  it("introspection", () => {
    const f = things();
    const { __type } = f.query('{ __type(name: "Thing_filter") { inputFields { name } } }') as {
      __type: { inputFields: { name: string }[] };
    };
    const names = __type.inputFields.map(({ name }) => name);
    for (const name of ["label_not_ends_with_nocase", "count_gte", "owner_", "_change_block", "and", "or"])
      assert.ok(names.includes(name), name);
    for (const name of ["count_contains", "isNew_gt"]) assert.ok(!names.includes(name), name);
  });
});

describe("plans of queries", () => {
  it("answer to the letter as graphql does", () => {
    const f = things();
    f.set("Thing", "a", {
      count: -(2n ** 70n),
      label: 'a "quoted" \\ line\n \u2028 \u00e9 \u{1f600}',
      ratio: BigDecimal.parse("-12.500"),
      data: bytes(),
      numbers: [],
      size: -5,
    });
    f.set("Thing", "f", { count: 2n ** 48n - 1n, ratio: BigDecimal.parse("1e40"), tags: ["é", '"'] });
    f.set("Thing", "g", { count: 2n ** 53n + 1n, label: "" });
    f.set("Thing", "h", { count: -1n, numbers: [-(2n ** 90n), 0n] });
    f.store.remove(f.store.type("Thing"), "b");
    f.block(3);
    const every = "id label count ratio size data tags numbers colour isNew";
    for (const [text, variables] of [
      [`{ things { ${every} } }`],
      [`{ things(block: { number: 2 }, orderBy: owner__name) { ${every} owner { id name } } }`],
      ['{ a: thing(id: "a") { x: id id y: count __typename } none: thing(id: "z") { id } __typename }'],
      ["{ things(first: 0) { id } owners { __typename } }"],
      ["{ things { owner { things { owner { name things(first: 1, orderDirection: desc) { id } } } } } }"],
      ['{ owner(id: "0x0a") { things { id } } owner(id: "0x0a") { name things { label } } }'],
      [
        "{ things { ...A id ...B ... on Thing { label ...A } } } fragment A on Thing { count } fragment B on Thing { owner { id } ...A }",
      ],
      [
        'query Q($id: Bytes, $n: Int = 2, $w: Thing_filter) { things(where: $w, first: $n) { id } owners(where: { id: $id }) { name things(first: $n, where: { label_not: "x" }) { label } } }',
        { id: "0x0a", w: { or: [{ count_gt: "3" }, { isNew: false }] } },
      ],
      // Variables inside lists and objects: given, null, left out, by default.
      [
        "query ($a: String!, $b: String) { things(where: { label_in: [$a] }) { id } owners(where: { and: [{ name: $b }] }) { id } }",
        { a: "Apple", b: "Ann" },
      ],
      [
        "query ($o: String, $c: BigInt, $x: Int = 2) { things(where: { and: [{ or: [{ owner: $o }, { count_gt: $c }] }, { _change_block: { number_gte: $x } }] }) { id } }",
        { o: null, c: "0" },
      ],
      [
        'query ($l: String, $n: Int) { things(where: { label: $l, count_lt: 9 }, first: $n, orderBy: count) { id } thing(id: "a", block: { number: $n }) { id } }',
        {},
      ],
      ["query ($n: Int) { things(block: { number: $n }, first: $n) { id label } }", { n: 1 }],
      ["{ _meta { block { number hash parentHash timestamp __typename } deployment hasIndexingErrors } }"],
      ["{ m: _meta(block: { number: 1 }) { __typename block { n: number hash } } things { id } }"],
    ] as [string, Record<string, unknown>?][]) {
      const expected = graphqlSync({ schema: f.api, source: text, variableValues: variables });
      assert.equal(expected.errors, undefined);
      assert.equal(f.planned(text, variables), JSON.stringify(expected), text);
    }
  });

  it("leave to graphql what they do not know, and whatever ends in an error", () => {
    const f = things();
    f.set("Note", "n", { text: "once" });
    f.set("Thing", "x", { count: 1n, colour: "Blue" });
    f.block(3);
    for (const [text, variables] of [
      ["{ __schema { queryType { name } } }"],
      ["{ things { id @skip(if: true) } }"],
      ["{ owners { friends { id } } }"],
      ["{ things(first: 1001) { id } }"],
      ["{ things { id colour } }"],
      ["query ($n: Int!) { things(first: $n) { id } }", {}],
      ["query ($n: Int) { things(first: $n) { id } }", { n: "many" }],
      ["query ($n: Int = 1) { things(where: { _change_block: { number_gte: $n } }) { id } }", { n: null }],
      ["query A { things { id } } query B { notes { id } }"],
    ] as [string, Record<string, unknown>?][])
      assert.equal(f.planned(text, variables), undefined, text);
  });

  it("end where an answer is too long, before all of it is there", () => {
    const f = things();
    const text = "{ owners { name things { label } } }";
    const { length } = f.planned(text)!;
    assert.equal(f.planned(text, undefined, length)!.length, length);
    for (let limit = 20; limit < length - 2; limit++)
      assert.throws(() => f.planned(text, undefined, limit), AnswerTooLongError);
  });
});

describe("the store", () => {
  it("takes blocks back, and ends with the same proof of indexing when the same chain comes again", () => {
    const f = things();
    const [head] = f.store.blocksDownFrom(9n, 1);
    f.store.rollBack(1n);
    assert.equal(f.ids("first: 10"), "abc");
    f.set("Thing", "d", { count: 5n, tags: [], isNew: true, colour: "Green" });
    f.set("Thing", "e", {
      owner: bytes(12),
      count: 0n,
      ratio: BigDecimal.parse("-2"),
      isNew: false,
      size: 3,
    });
    f.block(2);
    assert.equal(f.store.head()!.proof, head!.proof);
    f.store.rollBack(1n);
    f.fork();
    f.set("Thing", "d", { count: 5n, tags: [], isNew: true, colour: "Green" });
    f.set("Thing", "e", {
      owner: bytes(12),
      count: 0n,
      ratio: BigDecimal.parse("-2"),
      isNew: false,
      size: 3,
    });
    f.block(2);
    assert.notEqual(f.store.head()!.proof, head!.proof, "another block is another history");
  });

  it("brings updated and removed entities back when their block goes", () => {
    const f = things();
    f.set("Thing", "a", { count: 9n, label: null });
    f.store.remove(f.store.type("Thing"), "b");
    f.block(3);
    assert.deepEqual(f.query('{ thing(id: "a") { count label } b: thing(id: "b") { id } }'), {
      thing: { count: "9", label: null },
      b: null,
    });
    f.store.rollBack(2n);
    assert.deepEqual(f.query('{ thing(id: "a") { count label } b: thing(id: "b") { id } }'), {
      thing: { count: "5", label: "Apple" },
      b: { id: "b" },
    });
  });

  it("refuses changes to immutable entities, values of other types, missing required fields", () => {
    const f = things();
    f.set("Note", "n", { text: "once" });
    f.set("Note", "n", { text: "again, in the same block" });
    f.block(3);
    assert.throws(() => f.set("Note", "n", { text: "later" }), /immutable/);
    assert.throws(() => f.set("Thing", "z", {}), /required field count/);
    assert.throws(() => f.set("Thing", "a", { count: "5" }), /another type/);
    assert.throws(() => f.set("Thing", "a", { tags: "x" }), /another type/);
    assert.throws(() => f.set("Owner", "0x0a", { things: [] }), /derived/);
    assert.throws(() => f.set("Thing", "a", { nothing: 1n }), /no field nothing/);
  });
});
