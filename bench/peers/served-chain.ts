import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { availableParallelism, loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { connectChain } from "../../keepers/src/chain/client.ts";
import { httpEndpoint } from "../../keepers/src/chain/rpc/endpoint.ts";
import { RpcSource } from "../../subgraph/node/indexer/chain-source.ts";
import { Indexer, type IndexerObserver } from "../../subgraph/node/indexer/indexer.ts";
import { readSubgraph } from "../../subgraph/node/manifest.ts";
import { Database } from "../../subgraph/node/store/database.ts";
import { EntityStore } from "../../subgraph/node/store/entity-store.ts";
import { type ChainShape, chainId, stakingAddress } from "../../test/subgraph/event-chain.ts";

export const manifest = fileURLToPath(new URL("../../subgraph/build/subgraph.yaml", import.meta.url));
export const eventsPerBlock = 50;

/** What else the machine did, for the notes. */
export const load = () => `load ${loadavg()[0]!.toFixed(1)} on ${availableParallelism()} cores`;

export const percentile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))]!;

/** A chain of made-up events behind JSON-RPC, in a process of its own. */
export class ServedChain {
  readonly url: string;
  readonly #child: ChildProcess;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
  }

  static async start({
    blocks,
    eventsPerBlock: events,
    operators: accounts,
  }: ChainShape): Promise<ServedChain> {
    const script = fileURLToPath(new URL("../../test/subgraph/event-chain.ts", import.meta.url));
    const child = spawn(process.execPath, [script, String(blocks), String(events), String(accounts)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(child.stdout!, "data")) as [Buffer];
    return new ServedChain(line.toString("utf8").trim(), child);
  }

  async call(method: string, ...params: readonly unknown[]): Promise<void> {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
    const answer = await fetch(this.url, { method: "POST", body });
    const { error } = (await answer.json()) as { error?: { message: string } };
    if (error !== undefined) throw new Error(error.message);
  }

  stop(): void {
    this.#child.kill();
  }
}

export async function openNode(chain: ServedChain, path: string, observer: IndexerObserver) {
  const client = await connectChain({ chainId, endpoints: [httpEndpoint(chain.url)] });
  const subgraph = readSubgraph(manifest, {
    sources: new Map([["Staking", { address: stakingAddress, startBlock: 0n }]]),
    network: "bench",
  });
  const database = Database.open(path, subgraph.schema, subgraph.deployment);
  const store = new EntityStore(database, subgraph.schema);
  const contracts = subgraph.dataSources.map(({ address, handlers }) => ({
    address,
    topics: handlers.map(({ topic }) => topic),
  }));
  const indexer = new Indexer({ subgraph, store, source: new RpcSource(client, contracts), observer });
  return { path, subgraph, database, store, indexer };
}
