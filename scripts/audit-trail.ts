import { mkdir, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { openAudit } from "../keepers/src/roles/audit/audit.ts";
import { reportHtml } from "../keepers/src/roles/audit/html.ts";
import type { AuditReport } from "../keepers/src/roles/audit/report.ts";
import type { EmbeddedNetwork } from "../keepers/src/roles/embedded/network.ts";
import { createJobStorage } from "../keepers/src/roles/jobs/job-storage.ts";
import { createStorageClient } from "../keepers/src/storage/client/client.ts";
import { createHost } from "../keepers/src/storage/transport/host.ts";
import { nativeExecutor } from "../keepers/src/training/executors/native.ts";
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

/** What an audit of a job came to, and the file that shows it. */
export type Audited = { readonly job: string; readonly path: string; readonly report: AuditReport };

/** Intervals that audits of the demonstration compute again, and what of this machine they may take. */
const sample = 2;
const limits = { threads: 1, memoryBytes: 2 ** 30 };

/** Indexes the embedded network from its first block on, while it runs, and serves what was found. */
export class AuditTrail {
  readonly #network: EmbeddedNetwork;
  readonly #node: SubgraphNode;
  readonly #server: GraphqlServer;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  /** Reports by their path. */
  readonly #reports = new Map<string, string>();
  #site: Server | undefined;

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

  /** Waits until what is the last block now is indexed, or indexing has failed. */
  async #indexed(): Promise<void> {
    const head = await this.#network.client.public.getBlockNumber();
    while ((this.#node.store.head()?.number ?? -1n) < head && !this.#node.indexer.hasFailed)
      await setTimeout(20);
  }

  /** Waits until the last block is indexed and asks over HTTP what happened. */
  async ask(): Promise<{ trail: Trail; lagSeconds: number }> {
    const asked = performance.now();
    await this.#indexed();
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

  /**
   * Audits jobs as a stranger would, from chain, index and storage alone, and writes their reports into a folder.
   *
   * @throws Error when something is wrong: then this program is
   */
  async audit(jobs: readonly string[], folder: string, scratch: string): Promise<Audited[]> {
    const { client, deployment } = this.#network;
    const host = await createHost({ localNetwork: true });
    const storage = createStorageClient({ chain: client, deployment, host });
    const audited: Audited[] = [];
    try {
      await mkdir(folder, { recursive: true });
      // An audit calls an index wrong that leaves out what has happened; on a busy machine this one lags.
      await this.#indexed();
      const auditor = await openAudit({ client, deployment, index: { url: this.url } });
      for (const job of jobs) {
        const report = await auditor.job(BigInt(job), {
          storage: createJobStorage(storage),
          executor: nativeExecutor,
          limits,
          folder: join(scratch, `audit-${job}`),
          intervals: sample,
        });
        const wrong = report.claims.find(({ verdict }) => verdict === "wrong");
        if (wrong !== undefined) {
          const differences = JSON.stringify(wrong.differences);
          throw new Error(`the audit of job ${job} finds: ${wrong.statement} ${wrong.how} ${differences}`);
        }
        const name = `job-${job}.html`;
        const html = reportHtml(report);
        await writeFile(join(folder, name), html);
        this.#reports.set(`/${name}`, html);
        audited.push({ job, path: join(folder, name), report });
      }
    } finally {
      await storage.peers.close();
      await host.stop();
    }
    return audited;
  }

  /** Serves the reports that were written; their addresses. */
  async serveReports(): Promise<string[]> {
    this.#site = createServer(({ url = "" }, response) => {
      const html = this.#reports.get(url);
      response.writeHead(html === undefined ? 404 : 200, { "content-type": "text/html; charset=utf-8" });
      response.end(html ?? "not found");
    });
    await new Promise<void>((listening) => this.#site!.listen(0, "127.0.0.1", listening));
    const { port } = this.#site.address() as AddressInfo;
    return [...this.#reports.keys()].map((path) => `http://127.0.0.1:${port}${path}`);
  }

  async close(): Promise<void> {
    this.#site?.close();
    this.#site?.closeAllConnections();
    this.#stop.abort();
    await this.#running;
    await this.#server.close();
    this.#node.close();
  }
}
