import { resolve } from "node:path";
import { connectChain } from "../../keepers/src/chain/client.ts";
import type { Eip1193 } from "../../keepers/src/chain/rpc/endpoint.ts";
import { RpcSource } from "../../subgraph/node/indexer/chain-source.ts";
import { Indexer, type IndexerObserver } from "../../subgraph/node/indexer/indexer.ts";
import { readSubgraph } from "../../subgraph/node/manifest.ts";
import { Database } from "../../subgraph/node/store/database.ts";
import { EntityStore } from "../../subgraph/node/store/entity-store.ts";
import { chainId, type EventChain, stakingAddress } from "./event-chain.ts";

export type IndexerOptions = {
  readonly path?: string;
  readonly history?: bigint;
  readonly timeout?: number;
  readonly observer?: IndexerObserver;
  /** Stands between the indexer and the chain. */
  readonly answer?: (method: string, params: readonly unknown[]) => unknown;
};

/** The subgraph's mapping of the staking contract over a chain of made-up events. */
export async function openIndexer(chain: EventChain, options: IndexerOptions = {}) {
  const answer = options.answer ?? ((method, params) => chain.answer(method, params));
  const provider: Eip1193 = {
    request: async ({ method, params }) => answer(method, (params ?? []) as readonly unknown[]),
  };
  const client = await connectChain({ chainId, provider, timeout: options.timeout ?? 15_000 });
  const subgraph = readSubgraph(resolve(import.meta.dirname, "../../subgraph/build/subgraph.yaml"), {
    sources: new Map([["Staking", { address: stakingAddress, startBlock: 0n }]]),
    network: "test",
  });
  const { database } = Database.openOrRebuild(
    options.path ?? ":memory:",
    subgraph.schema,
    subgraph.deployment,
  );
  const store = new EntityStore(database, subgraph.schema);
  const contracts = subgraph.dataSources.map(({ address, handlers }) => ({
    address,
    topics: handlers.map(({ topic }) => topic),
  }));
  const indexer = new Indexer({
    subgraph,
    store,
    source: new RpcSource(client, contracts),
    history: options.history ?? 256n,
    pollInterval: 1,
    ...(options.observer !== undefined && { observer: options.observer }),
  });
  return { subgraph, database, store, indexer };
}
