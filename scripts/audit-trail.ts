import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { EmbeddedNetwork } from "../keepers/src/roles/embedded/network.ts";
import { openSubgraph, type SubgraphNode } from "../subgraph/node/node.ts";
import type { GraphqlServer } from "../subgraph/node/query/server.ts";
import { root } from "./setup.ts";

const question = `{
  _meta { block { number } hasIndexingErrors }
  network(id: "assay") { operators datasets bundles auditsAnswered auditsMissed jobs jobsFinalised convictions paid slashed }
  jobs(orderBy: openedAt) { id status price paid refunded slashed provider { id } certificates { stateRoot } }
  challenges { id status interval moves(orderBy: number, orderDirection: desc, first: 1) { number } }
  slashes { operator { id } amount reason }
}`;

export type Trail = {
  readonly _meta: { readonly block: { readonly number: number }; readonly hasIndexingErrors: boolean };
  readonly network: Record<string, number | string>;
  readonly jobs: readonly { readonly id: string; readonly status: string }[];
  readonly challenges: readonly { readonly id: string; readonly status: string }[];
  readonly slashes: readonly { readonly reason: string }[];
};

/** Indexes the embedded network from its first block on, while it runs, and serves what was found. */
export class AuditTrail {
  readonly #network: EmbeddedNetwork;
  readonly #node: SubgraphNode;
  readonly #server: GraphqlServer;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  private constructor(network: EmbeddedNetwork, node: SubgraphNode, server: GraphqlServer) {
    this.#network = network;
    this.#node = node;
    this.#server = server;
    this.#running = node.indexer.run(this.#stop.signal);
  }

  static async start(network: EmbeddedNetwork, folder: string): Promise<AuditTrail> {
    const node = openSubgraph({
      manifest: join(root, "subgraph", "build", "subgraph.yaml"),
      client: network.client,
      deployment: network.deployment,
      path: join(folder, "subgraph.sqlite"),
      pollInterval: 250,
    });
    return new AuditTrail(network, node, await node.serve());
  }

  /** Address of the GraphQL endpoint. */
  get url(): string {
    return this.#server.url;
  }

  /** Waits until the last block is indexed and asks over HTTP what happened. */
  async ask(): Promise<{ trail: Trail; lagSeconds: number }> {
    const head = await this.#network.client.public.getBlockNumber();
    const asked = performance.now();
    while ((this.#node.store.head()?.number ?? -1n) < head && !this.#node.indexer.hasFailed)
      await setTimeout(20);
    const lagSeconds = Math.round(performance.now() - asked) / 1000;
    const response = await fetch(this.url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query: question }),
    });
    const { data, errors } = (await response.json()) as { data?: Trail; errors?: { message: string }[] };
    if (data === undefined || errors !== undefined)
      throw new Error(`the subgraph does not answer: ${errors?.map(({ message }) => message).join("; ")}`);
    return { trail: data, lagSeconds };
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#server.close();
    this.#node.close();
  }
}
