import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Address, padHex, toHex } from "viem";
import { Indexer, type IndexerObserver } from "../../subgraph/node/indexer/indexer.ts";
import { readSubgraph, type Subgraph } from "../../subgraph/node/manifest.ts";
import { Database } from "../../subgraph/node/store/database.ts";
import { EntityStore } from "../../subgraph/node/store/entity-store.ts";
import { addressOf, SyntheticChain, type SyntheticEvent } from "./chain.ts";

const manifest = resolve(import.meta.dirname, "../../subgraph/build/subgraph.yaml");
const account = (n: number): Address => padHex(toHex(n + 1), { size: 20 });

/** Every third block: an operator registers and stakes, an amount that depends on the branch. */
const staking = (block: number, fork: string): SyntheticEvent[] =>
  block % 3 !== 1
    ? []
    : [
        {
          contract: "Staking",
          name: "OperatorRegistered",
          args: { operator: account(block), roles: 1, peerId: "0x0102", endpoint: `node "${block}"` },
        },
        {
          contract: "Staking",
          name: "Staked",
          args: { operator: account(block), from: account(block), amount: fork === "main" ? 100n : 77n },
        },
      ];

/** A retrieval that failed though it was never asked for: no mapping can handle it. */
const nobodysChallenge = { challengeId: 5n, bundleId: padHex("0x01"), operator: account(40) };

describe("the indexer", () => {
  let folder: string;
  let subgraph: Subgraph;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "assay-subgraph-"));
    subgraph = readSubgraph(manifest, {
      sources: new Map([["Staking", { address: addressOf("Staking"), startBlock: 0n }]]),
      network: "test",
    });
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  const open = (
    source: SyntheticChain,
    path = ":memory:",
    observer: IndexerObserver = {},
    history = 256n,
  ) => {
    const { database, movedTo } = Database.openOrRebuild(path, subgraph.schema, subgraph.deployment);
    const store = new EntityStore(database, subgraph.schema);
    return { database, movedTo, store, indexer: new Indexer({ subgraph, store, source, observer, history }) };
  };
  const staked = (store: EntityStore): bigint =>
    (store.get(store.type("Network"), "assay")?.get("staked") as bigint | undefined) ?? 0n;

  it("writes parameters down as JSON, whatever stands in them", async () => {
    const endpoints = [
      "",
      '"',
      '"a',
      'a"',
      "\\",
      "\n",
      "a\u0000b\u001fc",
      '""\\"',
      "é \u{1f600} \u2028",
      "plain",
    ];
    const chain = new SyntheticChain((block) => [
      {
        contract: "Staking",
        name: "OperatorRegistered",
        args: { operator: account(block), roles: 1, peerId: "0x", endpoint: endpoints[block]! },
      },
    ]);
    chain.mine(endpoints.length);
    const { database, indexer } = open(chain);
    await indexer.catchUp();
    const rows = database.all('SELECT parameters FROM "Event" ORDER BY id');
    assert.deepEqual(
      rows.map(({ parameters }) => (JSON.parse(parameters as string) as { endpoint: string }).endpoint),
      endpoints,
    );
  });

  it("rolls 64 blocks back when the chain does, to the proof of indexing of whoever saw the new branch alone", async () => {
    const chain = new SyntheticChain(staking);
    chain.mine(200);
    const depths: bigint[] = [];
    const first = open(chain, ":memory:", { reorganised: (depth) => depths.push(depth) });
    await first.indexer.catchUp();
    assert.equal(staked(first.store), 67n * 100n);
    chain.reorganise(136, "other");
    await first.indexer.catchUp();
    assert.deepEqual(depths, [64n]);
    const second = open(chain);
    await second.indexer.catchUp();
    assert.equal(staked(first.store), 45n * 100n + 22n * 77n);
    assert.equal(first.store.head()!.proof, second.store.head()!.proof);
    assert.equal(first.store.head()!.hash, second.store.head()!.hash);
  });

  it("ends with the same proof whether it read block by block or in bulk", async () => {
    const chain = new SyntheticChain(staking);
    chain.mine(400);
    const near = open(chain, ":memory:", {}, 1_000n);
    const bulk = open(chain, ":memory:", {}, 10n);
    await near.indexer.catchUp();
    const all = chain.reads;
    await bulk.indexer.catchUp();
    assert.ok(chain.reads - all < all / 2, "blocks without events are left out");
    assert.equal(near.store.head()!.proof, bulk.store.head()!.proof);
  });

  it("goes on where it stopped after a restart, each event once", async () => {
    const chain = new SyntheticChain(staking);
    const path = join(folder, "restart.sqlite");
    chain.mine(50);
    const first = open(chain, path);
    await first.indexer.catchUp();
    first.database.close();
    chain.mine(50);
    const second = open(chain, path);
    assert.equal(second.movedTo, undefined);
    const before = chain.reads;
    await second.indexer.catchUp();
    assert.equal(chain.reads - before, 50);
    assert.equal(staked(second.store), 33n * 100n);
    second.database.close();
  });

  it("moves a damaged database aside and fills a new one", async () => {
    const chain = new SyntheticChain(staking);
    chain.mine(60);
    const path = join(folder, "damaged.sqlite");
    const first = open(chain, path);
    await first.indexer.catchUp();
    const { proof } = first.store.head()!;
    first.database.close();
    const file = openSync(path, "r+");
    for (let at = 8_192; at < statSync(path).size; at += 4_096)
      writeSync(file, Buffer.alloc(512, 0xa5), 0, 512, at);
    closeSync(file);
    const second = open(chain, path);
    assert.equal(second.movedTo, `${path}.unusable`);
    assert.ok(readdirSync(folder).includes("damaged.sqlite.unusable"));
    await second.indexer.catchUp();
    assert.equal(second.store.head()!.proof, proof);
    second.database.close();
  });

  it("does not take a database of another subgraph for its own", () => {
    const path = join(folder, "other.sqlite");
    Database.open(path, subgraph.schema, "another deployment").close();
    assert.throws(
      () => Database.open(path, subgraph.schema, subgraph.deployment),
      /another subgraph or chain/,
    );
  });

  it("reads every header again before it believes that a mapping failed", async () => {
    const misled = new SyntheticChain((block, fork) =>
      block === 20
        ? [{ contract: "RetrievalChallenges", name: "RetrievalFailed", args: nobodysChallenge }]
        : staking(block, fork),
    );
    const chain = new (class extends SyntheticChain {
      override blocks(from: bigint, to: bigint, sparse: boolean) {
        return sparse ? misled.blocks(from, to, true) : super.blocks(from, to, false);
      }
    })(staking);
    misled.mine(60);
    chain.mine(60);
    const sources = new Map(
      ["Staking", "RetrievalChallenges"].map((name) => [name, { address: addressOf(name), startBlock: 0n }]),
    );
    subgraph = readSubgraph(manifest, { sources, network: "test" });
    const bulk = open(chain, ":memory:", {}, 10n);
    const near = open(chain);
    await bulk.indexer.catchUp();
    await near.indexer.catchUp();
    assert.equal(bulk.indexer.hasFailed, false);
    assert.equal(bulk.store.head()!.proof, near.store.head()!.proof);
  });

  it("stops before a block whose mapping fails, says so, and keeps what came before", async () => {
    const chain = new SyntheticChain((block, fork) =>
      block === 40 && fork === "main"
        ? [
            ...staking(40, fork),
            { contract: "RetrievalChallenges", name: "RetrievalFailed", args: nobodysChallenge },
          ]
        : staking(block, fork),
    );
    subgraph = readSubgraph(manifest, {
      sources: new Map(
        ["Staking", "RetrievalChallenges"].map((name) => [
          name,
          { address: addressOf(name), startBlock: 0n },
        ]),
      ),
      network: "test",
    });
    chain.mine(60);
    const failures: string[] = [];
    const path = join(folder, "failed.sqlite");
    const node = open(chain, path, { failed: ({ message }) => failures.push(message) });
    await node.indexer.catchUp();
    assert.equal(failures.length, 1);
    assert.match(failures[0]!, /unexpected null/);
    assert.equal(node.store.head()!.number, 39n);
    assert.equal(node.store.get(node.store.type("Operator"), account(40)), undefined);
    node.database.close();
    const again = open(chain, path);
    assert.equal(again.indexer.hasFailed, true, "a restart does not pass over it");
    assert.deepEqual(await again.indexer.step(), { kind: "failed" });
    chain.reorganise(35, "other");
    await again.indexer.catchUp();
    assert.equal(again.indexer.hasFailed, false, "the block is no longer part of the chain");
    assert.equal(again.store.head()!.number, 59n);
    again.database.close();
  });
});
