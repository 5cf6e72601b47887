import assert from "node:assert/strict";
import { resolve } from "node:path";
import { before, describe, it } from "node:test";
import { execute, type GraphQLSchema, parse } from "graphql";
import { padHex, toHex, zeroAddress } from "viem";
import { Indexer } from "../../subgraph/node/indexer/indexer.ts";
import { readSubgraph } from "../../subgraph/node/manifest.ts";
import { executableSchema } from "../../subgraph/node/query/resolvers.ts";
import { plural } from "../../subgraph/node/schema/api-schema.ts";
import type { EntitySchema } from "../../subgraph/node/schema/entity-schema.ts";
import { Database } from "../../subgraph/node/store/database.ts";
import { EntityStore } from "../../subgraph/node/store/entity-store.ts";
import { readyMadeQueries } from "../../subgraph/ready-made.ts";
import { addressOf, SyntheticChain, type SyntheticEvent } from "./chain.ts";

const word = (n: number) => padHex(toHex(n), { size: 32 });
const account = (n: number) => padHex(toHex(n), { size: 20 });
const order = word(0x0d);
const [unknown, known] = [word(0xbad), word(0xda)];

const anchored: SyntheticEvent = {
  contract: "DatasetRegistry",
  name: "DatasetAnchored",
  args: {
    ...{ datasetId: known, owner: account(7), previous: word(0), manifestHash: word(1) },
    ...{ manifestDigest: word(2), objectRoot: word(3), bundlesRoot: word(4) },
    shape: { objectCount: 10n, objectSize: 65, segmentObjects: 10n, k: 8, n: 11, encrypted: false },
  },
};

/** Anybody may post an order for any dataset: the market holds no order against the registry until it is taken. */
const posted = (orderHash: string, datasetId: string): SyntheticEvent => ({
  contract: "Market",
  name: "OrderPosted",
  args: {
    ...{ orderHash, consumer: account(9), training: "0x01", package: "0x02", signature: "0x03" },
    order: {
      consumer: account(9),
      problem: {
        ...{ datasetId, trainingHash: word(5), programRoot: word(6), nodeCounts: [1, 1, 1] },
        ...{ witnessNode: 0, slots: 1, programDigest: word(9) },
      },
      conditions: {
        ...{ maximumPrice: 5n, deposit: 5n, priceFeed: zeroAddress, trainingTime: 60n, minimumCompute: 0n },
        ...{ regions: 0n, regulations: 0n, privacyTier: 0, scheme: 0, committeeSize: 0, threshold: 0 },
        ...{ checkFee: 0n, instalments: 0 },
      },
      ...{ nonce: 1n, expiry: 99n },
    },
  },
});

describe("an order for a dataset that is none", () => {
  let schema: GraphQLSchema;
  let entities: EntitySchema;

  const ask = (text: string, variableValues: Record<string, unknown> = {}) => {
    const { data, errors } = execute({ schema, document: parse(text), variableValues }) as {
      data?: Record<string, unknown> | null;
      errors?: readonly Error[];
    };
    assert.deepEqual(errors ?? [], [], text);
    return JSON.parse(JSON.stringify(data)) as Record<string, never>;
  };

  before(async () => {
    const names = ["Market", "DatasetRegistry"];
    const sources = new Map(names.map((name) => [name, { address: addressOf(name), startBlock: 0n }]));
    const manifest = resolve(import.meta.dirname, "../../subgraph/build/subgraph.yaml");
    const subgraph = readSubgraph(manifest, { sources, network: "test" });
    entities = subgraph.schema;
    const store = new EntityStore(Database.open(":memory:", entities, "test"), entities);
    const events: Readonly<Record<number, readonly SyntheticEvent[]>> = {
      1: [anchored],
      2: [posted(order, unknown), posted(word(0x0e), known)],
    };
    const chain = new SyntheticChain((block) => events[block] ?? []);
    chain.mine(5);
    await new Indexer({ subgraph, store, source: chain }).catchUp();
    schema = executableSchema({ schema: entities, store, deployment: "test", failed: () => false });
  });

  it("attack: keeps nobody from listing orders with their datasets", () => {
    const { orders } = ask("{ orders { id datasetId dataset { id } } }");
    assert.deepEqual(orders, [
      { id: order, datasetId: unknown, dataset: null },
      { id: word(0x0e), datasetId: known, dataset: { id: known } },
    ]);
    assert.deepEqual(ask(`{ orders(where: { dataset_: { k: 8 } }) { id } }`), {
      orders: [{ id: word(0x0e) }],
    });
  });

  it("attack: fails no list of any entity with all that it refers to", () => {
    for (const { name, fields } of entities.entities.values()) {
      const selected = [...fields.values()].map((field) =>
        field.entity === undefined ? field.name : `${field.name} { id }`,
      );
      ask(`{ ${plural(name)}(first: 1000) { ${selected.join(" ")} } }`);
    }
  });

  it("attack: fails no ready-made query, whatever it is asked of", () => {
    const given = [word(0x0d), unknown, account(9), "1"];
    for (const { text } of readyMadeQueries()) {
      const { definitions } = parse(text);
      for (const value of given) {
        const variables: Record<string, unknown> = {};
        for (const definition of definitions)
          if (definition.kind === "OperationDefinition")
            for (const { variable, type, defaultValue } of definition.variableDefinitions ?? []) {
              if (defaultValue !== undefined || type.kind !== "NonNullType") continue;
              const named = type.type.kind === "NamedType" ? type.type.name.value : "";
              variables[variable.name.value] = named === "Int" ? 1 : value;
            }
        const { errors } = execute({ schema, document: parse(text), variableValues: variables }) as {
          errors?: readonly Error[];
        };
        // A number is no id of bytes, and neither is a word one of an account: that is said, and nothing else is.
        for (const { message } of errors ?? [])
          assert.match(
            message,
            /is not an id of|is not hexadecimal|cannot represent|got invalid value/,
            text,
          );
      }
    }
  });
});
