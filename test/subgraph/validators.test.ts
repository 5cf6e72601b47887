import assert from "node:assert/strict";
import { resolve } from "node:path";
import { describe, it } from "node:test";
import { padHex } from "viem";
import { Indexer } from "../../subgraph/node/indexer/indexer.ts";
import { readSubgraph } from "../../subgraph/node/manifest.ts";
import { Database } from "../../subgraph/node/store/database.ts";
import { EntityStore } from "../../subgraph/node/store/entity-store.ts";
import { addressOf, SyntheticChain, type SyntheticEvent } from "./chain.ts";

const operator = padHex("0x0e", { size: 20 });
const id = 1n;
const key = { g1: [1n, 2n], g2: [1n, 2n, 3n, 4n] };
const events: SyntheticEvent[] = [
  {
    contract: "Staking",
    name: "OperatorRegistered",
    args: { operator, roles: 4, peerId: "0x0102", endpoint: "" },
  },
  { contract: "ValidatorSet", name: "Enrolled", args: { id, operator, place: 0n, key } },
  { contract: "ValidatorSet", name: "WeightSet", args: { id, weight: 7n, fromRotation: 3n } },
  { contract: "ValidatorSet", name: "Resigned", args: { id, exitAt: 1_000n } },
  { contract: "ValidatorSet", name: "ExitDelayed", args: { id, exitAt: 2_000n } },
];

describe("a validator in the subgraph, by the bytecode that is deployed", () => {
  it("leaves when its last duty was over for long enough, not when it said that it resigned", async () => {
    const names = ["Staking", "ValidatorSet"] as const;
    const subgraph = readSubgraph(resolve(import.meta.dirname, "../../subgraph/build/subgraph.yaml"), {
      sources: new Map(names.map((name) => [name, { address: addressOf(name), startBlock: 0n }])),
      network: "test",
    });
    const { database } = Database.openOrRebuild(":memory:", subgraph.schema, subgraph.deployment);
    const store = new EntityStore(database, subgraph.schema);
    const chain = new SyntheticChain((block) => events.slice(block, block + 1));
    const indexer = new Indexer({ subgraph, store, source: chain, history: 256n });
    const exitAt = () => store.get(store.type("Validator"), "1")?.get("exitAt");
    chain.mine(4);
    await indexer.catchUp();
    assert.equal(exitAt(), 1_000n);
    chain.mine(1);
    await indexer.catchUp();
    assert.equal(exitAt(), 2_000n);
    assert.equal(store.get(store.type("Validator"), "1")?.get("isResigned"), true);
    database.close();
  });
});
