import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { readHistory } from "../../keepers/src/roles/audit/history.ts";
import { openSubgraph, type SubgraphNode } from "../../subgraph/node/node.ts";
import type { GraphqlServer } from "../../subgraph/node/query/server.ts";
import { tokens, windows } from "../keepers/roles/jobs/network.ts";
import { cheat, maximumPrice } from "../keepers/roles/jobs/scene.ts";
import { CommitteeScene, turnSeconds } from "../keepers/roles/validator/committee-scene.ts";

const manifest = resolve(import.meta.dirname, "../../subgraph/build/subgraph.yaml");
const [size, threshold] = [3, 2];

/** Jobs that were attested, convicted and auctioned, on a chain with the real embedded node beside it. */
export class AuditScene {
  readonly stage: CommitteeScene;
  readonly node: SubgraphNode;
  readonly server: GraphqlServer;
  /** A job that was done, attested and paid; one whose provider was convicted; one whose auction's winner is at work. */
  readonly jobs: { readonly honest: bigint; readonly cheated: bigint; readonly auctioned: bigint };

  private constructor(parts: Pick<AuditScene, "stage" | "node" | "server" | "jobs">) {
    this.stage = parts.stage;
    this.node = parts.node;
    this.server = parts.server;
    this.jobs = parts.jobs;
  }

  static async start(): Promise<AuditScene> {
    const stage = await CommitteeScene.start(size);
    const { scene } = stage;
    const jobs = {
      honest: await attested(stage),
      cheated: await convicted(stage),
      auctioned: await auctioned(stage),
    };
    const { client, deployment } = scene.network;
    // From here on a block comes with a transaction alone: the index stands where the chain does.
    await client.public.request({ method: "evm_setIntervalMining", params: [0] } as never);
    const path = join(scene.network.folder, "subgraph.sqlite");
    const node = openSubgraph({ manifest, client, deployment, path });
    await node.indexer.catchUp();
    return new AuditScene({ stage, node, server: await node.serve(), jobs });
  }

  /** Blocks in which events of a name happened. */
  async eventBlocks(name: string): Promise<bigint[]> {
    const { client, deployment } = this.stage.scene.network;
    const { events } = await readHistory(client, deployment);
    return events.filter(({ eventName }) => eventName === name).map(({ blockNumber }) => blockNumber);
  }

  async close(): Promise<void> {
    await this.server.close();
    this.node.close();
    await this.stage.close();
  }
}

async function attested(stage: CommitteeScene): Promise<bigint> {
  const { scene, keepers } = stage;
  const described = await stage.order(size, threshold);
  const provider = await scene.provider();
  await scene.consumer.post(described);
  const { jobId } = await scene.until(described, "Committed", [provider]);
  await stage.seed(jobId);
  await scene.until(described, "Attested", [...keepers, provider]);
  await scene.network.outlast(windows.challenge + size * turnSeconds);
  await scene.until(described, "Finalised", [...keepers, provider]);
  await scene.settle([...keepers, provider]);
  await provider.stop();
  return jobId;
}

async function convicted({ scene }: CommitteeScene): Promise<bigint> {
  const described = await scene.order();
  const provider = await scene.provider({ worker: cheat });
  await scene.consumer.post(described);
  await scene.until(described, "Committed", [provider]);
  const watcher = await scene.challenger();
  const { jobId } = await scene.until(described, "Failed", [provider, watcher]);
  await scene.network.outlast(windows.challenge);
  await scene.settle([watcher, provider]);
  await provider.stop();
  return jobId;
}

async function auctioned({ scene }: CommitteeScene): Promise<bigint> {
  const described = await scene.order();
  const providers = [];
  for (const each of [14n, 11n])
    providers.push(
      await scene.provider({ costs: { perHour: tokens, floor: each * tokens, perOpening: 0n } }),
    );
  const [window, bond] = [600, maximumPrice / 10n];
  const terms = { commitWindow: window, revealWindow: window, bond };
  const jobId = await scene.consumer.openAuction(described, terms);
  await scene.settle(providers);
  await scene.network.chain.advance(window + 1);
  await scene.settle(providers);
  await scene.network.chain.advance(window + 1);
  await scene.until(described, "Training", providers);
  for (const provider of providers) await provider.stop();
  return jobId;
}

/** An answer as it came from the endpoint, with the name of the list that was asked for ("" for none). */
export type Answer = { readonly list: string; readonly body: { data: Record<string, unknown> } };

/** What a lying endpoint does with a request: changes the answer, or answers itself. */
export type Lie = {
  change?(answer: Answer): void;
  instead?(list: string, request: IncomingMessage, response: ServerResponse): boolean;
};

/** Stands in front of an honest endpoint, and lies. */
export async function lyingProxy(url: string, lie: Lie): Promise<{ url: string; close(): Promise<void> }> {
  const server: Server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const { query } = JSON.parse(text) as { query: string };
    const list = /rows: (\w+)\(/.exec(query)?.[1] ?? "";
    if (lie.instead?.(list, request, response) === true) return;
    const honest = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: text,
    });
    const body = (await honest.json()) as Answer["body"];
    lie.change?.({ list, body });
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(body));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}
