import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { openSubgraph } from "../subgraph/node/node.ts";
import { Scene } from "../test/keepers/roles/jobs/scene.ts";
import type { BenchOptions, Report } from "./measure.ts";
import { ponderRate, ponderVersion } from "./peers/ponder.ts";
import { eventsPerBlock, load, manifest, openNode, percentile, ServedChain } from "./peers/served-chain.ts";

const operators = 1_009;

/** How long after a block was mined its events can be queried, on the embedded chain with the deployed contracts. */
async function lag(report: Report, blocks: number): Promise<void> {
  const scene = await Scene.start();
  const stop = new AbortController();
  try {
    const { client, deployment, chain } = scene.network;
    const node = openSubgraph({
      manifest,
      client,
      deployment,
      path: join(scene.network.folder, "lag.sqlite"),
      pollInterval: 250,
    });
    const running = node.indexer.run(stop.signal);
    const lags: number[] = [];
    for (let i = 0; i < blocks; i++) {
      await scene.network.give(scene.owner.address, 1n);
      const head = await client.public.getBlockNumber();
      const mined = performance.now();
      while ((node.store.head()?.number ?? -1n) < head) await delay(5);
      lags.push(performance.now() - mined);
      await chain.advance(1);
      await delay(i * 7);
    }
    stop.abort();
    await running;
    node.close();
    const worst = Math.max(...lags) / 1000;
    report({
      name: `lag behind the embedded chain, worst of ${blocks} blocks`,
      value: worst,
      unit: "s",
      peer: "bar",
      peerValue: 1,
      ratio: worst,
      note: `median ${(percentile(lags, 0.5) / 1000).toFixed(2)} s, head asked for every 0.25 s; ${load()}`,
    });
  } finally {
    stop.abort();
    await scene.close();
  }
}

/** Ponder and the embedded node one after the other on the same chain: stored events a second of each. */
async function besidePonder(report: Report, blocks: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "assay-ponder-"));
  const chain = await ServedChain.start({ blocks, eventsPerBlock, operators });
  try {
    let events = 0;
    const node = await openNode(chain, join(folder, "own.sqlite"), {
      indexed: (_head, _block, done) => {
        events += done;
      },
    });
    const start = performance.now();
    await node.indexer.catchUp();
    const own = events / ((performance.now() - start) / 1000);
    node.database.close();
    const peer = await ponderRate({ folder, rpcUrl: chain.url, minutes: 4 });
    report({
      name: `index ${events.toLocaleString("en")} events over JSON-RPC, beside Ponder`,
      value: own,
      unit: "events/s",
      peer: `Ponder ${ponderVersion}, PGlite`,
      peerValue: peer,
      ratio: own / peer,
      note: `higher is better; same chain, same rows, one after the other; ${load()}`,
    });
  } finally {
    chain.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** The embedded node's lag behind the chain, and its speed beside Ponder's. */
export async function run(report: Report, { quick }: BenchOptions): Promise<void> {
  await lag(report, quick ? 5 : 30);
  await besidePonder(report, quick ? 100 : 2_000);
}
