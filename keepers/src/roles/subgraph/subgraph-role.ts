import { Counter, Gauge } from "prom-client";
import type { IndexerObserver } from "../../../../subgraph/node/indexer/indexer.ts";
import { openSubgraph, type SubgraphNode } from "../../../../subgraph/node/node.ts";
import type { GraphqlServer } from "../../../../subgraph/node/query/server.ts";
import type { ChainClient } from "../../chain/client.ts";
import type { Deployment } from "../../chain/deployment.ts";
import { checkChain, type Observed } from "../chain-metrics.ts";
import type { HealthCheck } from "../telemetry.ts";

export type SubgraphRoleOptions = Observed & {
  /** What `graph build` wrote: `build/subgraph.yaml`. */
  readonly manifest: string;
  readonly client: ChainClient;
  readonly deployment: Deployment;
  /** File of the database. */
  readonly path: string;
  /** Where GraphQL is served; the loopback interface by default. */
  readonly host?: string | undefined;
  /** 0 takes a free port. */
  readonly port: number;
  /** Blocks below the head that may still change. */
  readonly history?: bigint | undefined;
  /** Most blocks in one request for logs. */
  readonly maximumRange?: bigint | undefined;
  /** Milliseconds between two looks at a head that does not move. */
  readonly pollInterval?: number | undefined;
  /** Blocks that the node may be behind the head before it is reported ill. */
  readonly maximumLag?: number | undefined;
};

/** What is watched of the node while it runs. */
type Progress = { head: bigint; block: bigint };

/** The embedded node of the subgraph as a service: it indexes one deployment and answers GraphQL until it is stopped. */
export class SubgraphRole {
  readonly healthChecks: Readonly<Record<string, HealthCheck>>;
  readonly #node: SubgraphNode;
  readonly #server: GraphqlServer;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  private constructor(
    options: SubgraphRoleOptions,
    node: SubgraphNode,
    server: GraphqlServer,
    progress: Progress,
  ) {
    this.#node = node;
    this.#server = server;
    const maximumLag = BigInt(options.maximumLag ?? 100);
    this.healthChecks = {
      chain: checkChain(options.client),
      subgraph: () => {
        const behind = progress.head - progress.block;
        const failed = node.indexer.hasFailed;
        return {
          ok: !failed && behind <= maximumLag,
          block: Number(progress.block),
          behind: Number(behind),
          failed,
        };
      },
    };
    this.#running = node.indexer.run(this.#stop.signal).catch((error: unknown) => {
      options.log.error({ err: error }, "indexing ended; what was indexed is still served");
      // The health check says so too: nothing indexes any more.
      progress.head = progress.block + maximumLag + 1n;
    });
  }

  /** Opens the database, or moves it aside and begins anew when it cannot be used; serves at once, indexes from now on. */
  static async start(options: SubgraphRoleOptions): Promise<SubgraphRole> {
    const { client, deployment, manifest, path, host, port, log } = options;
    const progress: Progress = { head: 0n, block: 0n };
    const node = openSubgraph({
      manifest,
      client,
      deployment,
      path,
      observer: observe(options, progress),
      ...(options.history !== undefined && { history: options.history }),
      ...(options.maximumRange !== undefined && { maximumRange: options.maximumRange }),
      ...(options.pollInterval !== undefined && { pollInterval: options.pollInterval }),
    });
    if (node.movedTo !== undefined)
      log.warn({ movedTo: node.movedTo }, "the database could not be used; it is filled anew from the chain");
    const last = node.store.head();
    if (last !== undefined) progress.block = progress.head = last.number;
    try {
      const server = await node.serve({ port, ...(host !== undefined && { host }) });
      return new SubgraphRole(options, node, server, progress);
    } catch (error) {
      node.close();
      throw error;
    }
  }

  /** Address of the GraphQL endpoint. */
  get url(): string {
    return this.#server.url;
  }

  /** Digest of the subgraph and of what it indexes. */
  get deployment(): string {
    return this.#node.deployment;
  }

  /** Ends after the blocks that are being stored. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#server.close();
    this.#node.close();
  }
}

function observe({ log, metrics }: Observed, progress: Progress): IndexerObserver {
  const registers = [metrics];
  const block = new Gauge({ name: "assay_subgraph_block", help: "Last block indexed", registers });
  const head = new Gauge({ name: "assay_chain_head", help: "Newest block of the chain", registers });
  const events = new Counter({ name: "assay_subgraph_events_total", help: "Events handled", registers });
  const reorgs = new Counter({ name: "assay_subgraph_reorgs_total", help: "Reorganisations", registers });
  const retries = new Counter({ name: "assay_subgraph_retries_total", help: "Steps to repeat", registers });
  return {
    seen(newest) {
      progress.head = newest;
      head.set(Number(newest));
    },
    indexed(_, { number, proof }, handled) {
      progress.block = number;
      block.set(Number(number));
      events.inc(handled);
      log.debug({ block: Number(number), events: handled, proof }, "indexed blocks");
    },
    reorganised(depth) {
      reorgs.inc();
      log.warn({ depth: Number(depth) }, "the chain was reorganised");
    },
    logged: (source, level, message) => log.info({ source, level }, message),
    retried(error) {
      retries.inc();
      log.warn({ err: error }, "could not follow the chain; trying again");
    },
    failed: (error) => log.error({ err: error }, "a mapping stopped; nothing more is indexed"),
  };
}
