import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Address, type Hex, padHex, toHex } from "viem";
import { InconsistentAnswerError } from "../../keepers/src/chain/rpc/errors.ts";
import { Indexer, type IndexerObserver } from "../../subgraph/node/indexer/indexer.ts";
import { readSubgraph, type Subgraph } from "../../subgraph/node/manifest.ts";
import { readEntitySchema } from "../../subgraph/node/schema/entity-schema.ts";
import { Database } from "../../subgraph/node/store/database.ts";
import { EntityStore } from "../../subgraph/node/store/entity-store.ts";
import { BigDecimal } from "../../subgraph/node/values/big-decimal.ts";
import type { Value } from "../../subgraph/node/values/value.ts";
import { addressOf, SyntheticChain, type SyntheticEvent } from "./chain.ts";

const schema = readEntitySchema(`
  type Thing @entity(immutable: false) {
    id: Bytes!
    a: BigInt!
    b: String
    c: BigDecimal
    d: Bytes
    e: [Int!]
    f: Boolean
    g: Int
    owner: Owner
  }
  type Owner @entity(immutable: false) { id: ID! name: String things: [Thing!]! @derivedFrom(field: "owner") }
  type Note @entity(immutable: true) { id: ID! text: String! }`);

const blockHash = (n: number): Hex => padHex(toHex(n + 1), { size: 32 });

/** Numbers below a limit, the same ones each time. */
function dice(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % limit;
  };
}

/** All that is stored, apart from the numbers of rows. */
function dump(database: Database): string {
  const tables = database.all(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'meta$' ORDER BY name",
  );
  const rows = tables.map(({ name: table }) =>
    database.all(`SELECT * FROM "${table}"`).map(({ vid$, ...row }) =>
      JSON.stringify(row, (_, value) => {
        if (typeof value === "bigint") return `${value}n`;
        return value instanceof Uint8Array ? Buffer.from(value).toString("hex") : (value as unknown);
      }),
    ),
  );
  return rows.map((table) => table.sort().join("\n")).join("\n\n");
}

/** Changes entities at random: makes, changes, removes, makes again. */
function change(store: EntityStore, roll: (limit: number) => number, block: number): void {
  for (let i = roll(6); i >= 0; i--) {
    const id = `0x0${roll(8)}`;
    const [thing, owner] = [store.type("Thing"), store.type("Owner")];
    const kind = roll(10);
    if (kind === 0 && store.get(thing, id) !== undefined) store.remove(thing, id);
    else if (kind === 1) store.set(owner, `o${roll(3)}`, new Map([["name", `n${roll(4)}`]]));
    else if (kind === 2) store.set(store.type("Note"), `${block} ${i}`, new Map([["text", `t${roll(2)}`]]));
    else {
      const fields: [string, Value][] = [
        ["a", BigInt(roll(3)) - 1n],
        ["b", roll(3) === 0 ? null : `b${roll(3)}`],
        ["c", BigDecimal.parse(`${roll(3)}.5`)],
        ["d", Uint8Array.of(roll(3))],
        ["e", [roll(2), roll(2)]],
        ["f", roll(2) === 0],
        ["g", roll(4)],
        ["owner", roll(4) === 0 ? null : `o${roll(3)}`],
      ];
      store.set(thing, id, new Map(fields.filter(([name]) => name === "a" || roll(3) === 0)));
    }
  }
}

describe("blocks that are taken back", () => {
  it("leave what was there before them, in the database and in memory, whatever they did", () => {
    for (let seed = 1; seed <= 30; seed++) {
      const roll = dice(seed);
      const database = Database.open(":memory:", schema, "test");
      const store = new EntityStore(database, schema);
      const states: string[] = [];
      for (let step = 0; step < 40; step++) {
        if (states.length > 2 && roll(4) === 0) {
          const kept = Math.max(0, states.length - 1 - roll(8));
          states.length = kept + 1;
          store.rollBack(BigInt(kept));
          assert.equal(dump(database), states[kept], `seed ${seed}, step ${step}`);
          const fresh = new EntityStore(database, schema);
          for (const type of [store.type("Thing"), store.type("Owner")])
            for (let i = 0; i < 8; i++) {
              const id = type.name === "Owner" ? `o${i}` : `0x0${i}`;
              assert.deepEqual(store.get(type, id), fresh.get(type, id), `seed ${seed}, step ${step}, ${id}`);
            }
        }
        const number = states.length;
        change(store, roll, number);
        database.transaction(() =>
          store.commit({
            number: BigInt(number),
            hash: blockHash(step),
            parentHash: blockHash(step - 1),
            timestamp: BigInt(step),
          }),
        );
        states.push(dump(database));
      }
      database.close();
    }
  });

  it("are written over by those in their place, as if these had been the first", () => {
    for (let seed = 1; seed <= 30; seed++) {
      const roll = dice(seed);
      const database = Database.open(":memory:", schema, "test");
      const store = new EntityStore(database, schema);
      const add = (to: EntityStore, block: number, branch: number) => {
        change(to, dice(branch), block);
        const number = BigInt(block);
        to.commit({ number, hash: blockHash(branch), parentHash: blockHash(0), timestamp: number });
      };
      /** What each block does. */
      const branches: number[] = [];
      for (let step = 0; step < 20; step++) {
        database.transaction(() => {
          if (branches.length > 2 && roll(2) === 0) {
            branches.length -= 1 + roll(Math.min(8, branches.length - 1));
            for (const _type of store.takeBack(BigInt(branches.length - 1)));
          }
          for (let i = roll(6); i >= 0; i--) {
            // Often what was in this place before, or much the same.
            branches.push(branches.length * 3 + roll(2));
            add(store, branches.length - 1, branches.at(-1)!);
          }
          store.settle();
        });
        const fresh = Database.open(":memory:", schema, "test");
        const other = new EntityStore(fresh, schema);
        fresh.transaction(() => {
          for (const [block, branch] of branches.entries()) add(other, block, branch);
        });
        assert.equal(dump(database), dump(fresh), `seed ${seed}, step ${step}`);
        assert.equal(store.head()!.proof, other.head()!.proof);
        fresh.close();
      }
      database.close();
    }
  });

  it("go at once where they are too many to wait for others in their place", () => {
    const database = Database.open(":memory:", schema, "test");
    const store = new EntityStore(database, schema);
    const add = (block: number, text: string) => {
      for (let i = 0; i <= 20_000; i++) {
        if (block > 1) store.set(store.type("Note"), `${block} ${i}`, new Map([["text", text]]));
        store.set(store.type("Owner"), `o${i}`, new Map([["name", text]]));
      }
      const number = BigInt(block);
      store.commit({ number, hash: blockHash(block), parentHash: blockHash(0), timestamp: number });
    };
    database.transaction(() => add(1, "one"));
    const before = dump(database);
    database.transaction(() => add(2, "two"));
    const after = dump(database);
    store.rollBack(1n);
    assert.ok(dump(database) === before);
    database.transaction(() => add(2, "two"));
    assert.ok(dump(database) === after);
    database.close();
  });

  it("leave no trace when what takes their place is given up", () => {
    const database = Database.open(":memory:", schema, "test");
    const store = new EntityStore(database, schema);
    const note = store.type("Note");
    const add = (block: bigint, text: string) => {
      store.set(note, `n${block}`, new Map([["text", text]]));
      store.commit({
        number: block,
        hash: blockHash(text.length),
        parentHash: blockHash(0),
        timestamp: block,
      });
    };
    database.transaction(() => {
      for (const block of [1n, 2n, 3n]) add(block, "one");
    });
    const before = dump(database);
    database.begin();
    for (const _type of store.takeBack(1n));
    assert.equal(store.get(note, "n2"), undefined);
    add(2n, "other");
    database.rollBack();
    store.forget();
    assert.equal(dump(database), before);
    assert.equal(store.get(note, "n3")!.get("text"), "one");
    assert.throws(() => store.set(note, "n3", new Map([["text", "two"]])), /immutable/);
    database.close();
  });
});

const account = (n: number): Address => padHex(toHex(n + 1), { size: 20 });
const staking = (block: number, fork: string): SyntheticEvent[] => [
  {
    contract: "Staking",
    name: "Staked",
    args: { operator: account(block % 7), from: account(block), amount: fork === "main" ? 100n : 77n },
  },
];

/** A chain that is watched while it is read, and fails when it is told to. */
class WatchedChain extends SyntheticChain {
  headers = 0;
  onRead: (from: bigint) => void = () => {};

  override async header(number: bigint) {
    this.headers++;
    return super.header(number);
  }

  override async blocks(from: bigint, to: bigint, sparse: boolean) {
    this.onRead(from);
    return super.blocks(from, to, sparse);
  }
}

describe("a reorganisation", () => {
  let folder: string;
  let subgraph: Subgraph;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "assay-take-back-"));
    subgraph = readSubgraph(resolve(import.meta.dirname, "../../subgraph/build/subgraph.yaml"), {
      sources: new Map([["Staking", { address: addressOf("Staking"), startBlock: 0n }]]),
      network: "test",
    });
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  const open = (source: SyntheticChain, path: string, observer: IndexerObserver = {}) => {
    const database = Database.open(path, subgraph.schema, subgraph.deployment);
    const store = new EntityStore(database, subgraph.schema);
    return { database, store, indexer: new Indexer({ subgraph, store, source, observer }) };
  };

  it("is seen by readers when it is done, not before", async () => {
    const chain = new WatchedChain(staking);
    chain.mine(200);
    const path = join(folder, "atomic.sqlite");
    const node = open(chain, path);
    await node.indexer.catchUp();
    const old = node.store.head()!;
    const reading = Database.openToRead(path);
    const reader = new EntityStore(reading, subgraph.schema);
    const seen: (string | undefined)[] = [];
    chain.onRead = () => seen.push(reader.head()?.hash);
    chain.reorganise(100, "other");
    await node.indexer.catchUp();
    assert.equal(seen.length, 4, "a hundred blocks, 32 at a time");
    assert.deepEqual(new Set(seen), new Set([old.hash]));
    assert.notEqual(reader.head()!.hash, old.hash);
    assert.equal(reader.head()!.number, old.number);
    reading.close();
    node.database.close();
  });

  it("is found without a look at each of its blocks", async () => {
    for (const depth of [1, 2, 3, 4, 5, 31, 32, 33, 64, 100, 197, 198]) {
      const chain = new WatchedChain(staking);
      chain.mine(200);
      const depths: bigint[] = [];
      const node = open(chain, ":memory:", { reorganised: (found) => depths.push(found) });
      await node.indexer.catchUp();
      chain.reorganise(200 - depth, "other");
      const before = chain.headers;
      await node.indexer.step();
      assert.deepEqual(depths, [BigInt(depth)]);
      // The blocks themselves are headers here as well.
      assert.ok(chain.headers - before - depth <= 2 * Math.ceil(Math.log2(depth + 1)) + 2);
      const fresh = open(chain, ":memory:");
      await fresh.indexer.catchUp();
      assert.equal(node.store.head()!.proof, fresh.store.head()!.proof);
      if (depth === 64) assert.equal(dump(node.database), dump(fresh.database));
    }
  });

  it("keeps what it got of a chain that cannot be read any further, and goes on from there", async () => {
    const chain = new WatchedChain(staking);
    chain.mine(200);
    const depths: bigint[] = [];
    const node = open(chain, ":memory:", { reorganised: (depth) => depths.push(depth) });
    await node.indexer.catchUp();
    const { hash } = node.store.head()!;
    chain.reorganise(100, "other");
    const failing = (at: bigint) => {
      chain.onRead = (from) => {
        if (from === at) throw new InconsistentAnswerError("the chain moved");
      };
    };
    failing(100n);
    await assert.rejects(node.indexer.step(), InconsistentAnswerError);
    assert.equal(node.store.head()!.hash, hash, "nothing was taken back for nothing");
    assert.deepEqual(depths, []);
    failing(164n);
    await assert.rejects(node.indexer.step(), InconsistentAnswerError);
    assert.equal(node.store.head()!.number, 163n);
    assert.deepEqual(depths, [100n]);
    chain.onRead = () => {};
    await node.indexer.catchUp();
    const fresh = open(chain, ":memory:");
    await fresh.indexer.catchUp();
    assert.equal(node.store.head()!.proof, fresh.store.head()!.proof);
    assert.deepEqual(depths, [100n]);
  });
});
