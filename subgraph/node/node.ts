import type { GraphQLSchema } from "graphql";
import type { Address } from "viem";
import type { ChainClient } from "../../keepers/src/chain/client.ts";
import type { Clock } from "../../keepers/src/chain/clock.ts";
import type { DeployedName, Deployment } from "../../keepers/src/chain/deployment.ts";
import { RpcSource } from "./indexer/chain-source.ts";
import { Indexer, type IndexerObserver } from "./indexer/indexer.ts";
import { readSubgraph } from "./manifest.ts";
import { executableSchema } from "./query/resolvers.ts";
import { type GraphqlServer, serveGraphql } from "./query/server.ts";
import { Database } from "./store/database.ts";
import { EntityStore } from "./store/entity-store.ts";

export type SubgraphNodeOptions = {
  /** What `graph build` wrote: `build/subgraph.yaml`. */
  readonly manifest: string;
  readonly client: ChainClient;
  readonly deployment: Deployment;
  /** File of the database; in ":memory:" it can be indexed, and not served. */
  readonly path: string;
  readonly history?: bigint;
  readonly maximumRange?: bigint;
  readonly pollInterval?: number;
  readonly clock?: Clock;
  readonly observer?: IndexerObserver;
};

/** The subgraph of one deployment, indexed and queried in this process. */
export type SubgraphNode = {
  readonly deployment: string;
  readonly indexer: Indexer;
  readonly store: EntityStore;
  readonly schema: GraphQLSchema;
  /** Where a database that could not be used was moved; the new one is filled from the chain. */
  readonly movedTo: string | undefined;
  serve(options?: { host?: string; port?: number }): Promise<GraphqlServer>;
  close(): void;
};

/** Opens the node; nothing is indexed before `indexer.run` or `indexer.catchUp`. */
export function openSubgraph(options: SubgraphNodeOptions): SubgraphNode {
  const { client, deployment } = options;
  const addresses = Object.entries(deployment.addresses) as [DeployedName, Address][];
  const sources = new Map(
    addresses.map(([name, address]) => [name as string, { address, startBlock: deployment.startBlock }]),
  );
  const subgraph = readSubgraph(options.manifest, { sources, network: `eip155:${deployment.chainId}` });
  const { database, movedTo } = Database.openOrRebuild(options.path, subgraph.schema, subgraph.deployment);
  const store = new EntityStore(database, subgraph.schema);
  const indexer = new Indexer({
    ...options,
    subgraph,
    store,
    source: new RpcSource(
      client,
      subgraph.dataSources.map(({ address, handlers }) => ({
        address,
        topics: handlers.map(({ topic }) => topic),
      })),
      options.maximumRange,
    ),
  });
  const parts = { schema: subgraph.schema, deployment: subgraph.deployment };
  return {
    deployment: subgraph.deployment,
    indexer,
    store,
    schema: executableSchema({ ...parts, store, failed: () => indexer.hasFailed }),
    movedTo,
    serve: (where = {}) => serveGraphql({ ...parts, path: options.path, ...where, name: "assay" }),
    close: () => database.close(),
  };
}
