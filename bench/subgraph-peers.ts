import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { openSubgraph } from "../subgraph/node/node.ts";
import { Scene } from "../test/keepers/roles/jobs/scene.ts";
import type { BenchOptions, Report } from "./measure.ts";
import { envioRate, envioVersion, installEnvio } from "./peers/envio.ts";
import type { Indexed } from "./peers/indexers.ts";
import { installPonder, ponderRate, ponderVersion } from "./peers/ponder.ts";
import { Postgres } from "./peers/postgres.ts";
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

/** The embedded node: stored events a second, how many there are, and the totals that it keeps of them. */
async function ownRate(chain: ServedChain, path: string): Promise<Indexed & { events: number }> {
  let events = 0;
  const node = await openNode(chain, path, {
    indexed: (_head, _block, done) => {
      events += done;
    },
  });
  try {
    const start = performance.now();
    await node.indexer.catchUp();
    const rate = events / ((performance.now() - start) / 1000);
    const network = node.store.get(node.store.type("Network"), "assay")!;
    const total = (field: string) => String(network.get(field));
    const totals = { operators: total("operators"), staked: total("staked"), slashed: total("slashed") };
    return { rate, events, totals: { ...totals, events: String(events) } };
  } finally {
    node.database.close();
  }
}

async function onPostgres(work: (postgres: Postgres) => Promise<Indexed>): Promise<Indexed> {
  const postgres = await Postgres.start();
  try {
    return await work(postgres);
  } finally {
    await postgres.stop();
  }
}

/** The embedded node and other indexers, one after the other, on the same chain. */
async function besideOthers(report: Report, blocks: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "assay-indexers-"));
  const chain = await ServedChain.start({ blocks, eventsPerBlock, operators });
  try {
    const own = await ownRate(chain, join(folder, "own.sqlite"));
    const given = { head: blocks - 1, events: own.events, minutes: 6 };
    const ponder = await installPonder(folder, chain.url);
    const envio = await installEnvio(folder, chain.url);
    const postgres = `PostgreSQL ${Postgres.version()}`;
    const peers: { peer: string; note: string; index: () => Promise<Indexed> }[] = [
      {
        peer: `Ponder ${ponderVersion}, PGlite`,
        note: "told of 100 endpoints, since it asks each only 20 times a second",
        index: () => ponderRate(ponder, given),
      },
      {
        peer: `Ponder ${ponderVersion}, ${postgres}`,
        note: "the same, and a commit waits for no disk, as in the embedded node",
        index: () => onPostgres(({ url }) => ponderRate(ponder, given, url)),
      },
      {
        peer: `Envio HyperIndex ${envioVersion}, ${postgres}`,
        note: "it asks for each transaction by itself; nor does a commit wait for the disk",
        index: () => onPostgres((server) => envioRate(envio, given, server)),
      },
    ];
    for (const { peer, note, index } of peers) {
      const { rate, totals } = await index();
      assert.deepEqual(totals, own.totals, `${peer} stored something else`);
      report({
        name: `index ${own.events.toLocaleString("en")} events over JSON-RPC, beside ${peer.split(" ")[0]}`,
        value: own.rate,
        unit: "events/s",
        peer,
        peerValue: rate,
        ratio: own.rate / rate,
        note: `higher is better; same chain, same rows and sums, one after the other; ${note}; ${load()}`,
      });
    }
  } finally {
    chain.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** The embedded node's lag behind the chain, and its speed beside that of other indexers. */
export async function run(report: Report, { quick }: BenchOptions): Promise<void> {
  await lag(report, quick ? 5 : 30);
  await besideOthers(report, quick ? 100 : 2_000);
}
