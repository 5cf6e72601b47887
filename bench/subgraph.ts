import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { serveGraphql } from "../subgraph/node/query/server.ts";
import type { BenchOptions, Report } from "./measure.ts";
import { eventsPerBlock, load, openNode, percentile, ServedChain } from "./peers/served-chain.ts";

const operators = 10_007;
const clients = 32;

type Node = Awaited<ReturnType<typeof openNode>>;

/** Follows the memory of this process while it indexes. */
class MemoryLog {
  readonly #samples: { events: number; heap: number; resident: number }[] = [];
  #events = 0;

  add(events: number): void {
    const before = this.#events;
    this.#events += events;
    const every = 1_000;
    if (Math.floor(before / every) === Math.floor(this.#events / every)) return;
    const { heapUsed, rss } = process.memoryUsage();
    this.#samples.push({ events: this.#events, heap: heapUsed / 2 ** 20, resident: rss / 2 ** 20 });
  }

  get events(): number {
    return this.#events;
  }

  /** Highest heap and resident size in a part of the run, in MB. */
  peak(from: number, to: number): { heap: number; resident: number } {
    const part = this.#samples.filter(
      ({ events }) => events >= this.#events * from && events <= this.#events * to,
    );
    return {
      heap: Math.max(...part.map(({ heap }) => heap)),
      resident: Math.max(...part.map(({ resident }) => resident)),
    };
  }
}

async function index(report: Report, node: Node, memory: MemoryLog) {
  const start = performance.now();
  const before = process.threadCpuUsage();
  await node.indexer.catchUp();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.threadCpuUsage(before);
  const rate = memory.events / seconds;
  report({
    name: `index ${memory.events.toLocaleString("en")} events over JSON-RPC, every block kept`,
    value: rate,
    unit: "events/s",
    peer: "bar",
    peerValue: 2_000,
    ratio: rate / 2_000,
    note: `${((user + system) / memory.events).toFixed(0)} µs of one core an event; ${load()}`,
  });
  const [early, late] = [memory.peak(0.1, 0.5), memory.peak(0.5, 1)];
  report({
    name: "resident memory, peak over the second half",
    value: late.resident,
    unit: "MB",
    peer: "the same over the first half",
    peerValue: early.resident,
    ratio: late.resident / early.resident,
    note: `JavaScript heap ${late.heap.toFixed(0)} MB after ${early.heap.toFixed(0)} MB; flat is 1`,
  });
}

/** Milliseconds that each of the calls took, of clients in a process of their own. */
async function ask(url: string, calls: number, text: string): Promise<readonly number[]> {
  const script = fileURLToPath(new URL("./peers/query-clients.ts", import.meta.url));
  const given = [script, url, String(clients), String(calls), text];
  const child = spawn(process.execPath, given, { stdio: ["ignore", "pipe", "inherit"] });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error("the clients failed");
  return JSON.parse(Buffer.concat(chunks).toString("utf8")) as number[];
}

async function query(report: Report, node: Node, calls: number): Promise<void> {
  const server = await serveGraphql({
    path: node.path,
    schema: node.subgraph.schema,
    deployment: node.subgraph.deployment,
    name: "bench",
  });
  const kinds = {
    "one operator by id": "query ($id: ID!) { operator(id: $id) { id staked locked slashed isActive } }",
    "first page of events, newest first":
      "{ events(orderBy: block, orderDirection: desc) { id name block parameters } }",
    "first page of one operator's events":
      "query ($id: String!) { events(where: { operator: $id }, first: 100) { id name block } }",
    "first page of operators by stake":
      "{ operators(orderBy: staked, orderDirection: desc) { id staked slashed } }",
    "an operator with its slashes and locks":
      "query ($id: ID!) { operator(id: $id) { id slashes(first: 10) { amount } locks { amount } } }",
  };
  const count = node.database.get('SELECT max("vid$") AS n FROM "Event"')!.n as bigint;
  try {
    for (const [name, text] of Object.entries(kinds)) {
      const times = await ask(server.url, calls, text);
      report({
        name: `query: ${name}, p95 of ${clients} clients`,
        value: percentile(times, 0.95),
        unit: "ms",
        peer: "bar",
        peerValue: 50,
        ratio: percentile(times, 0.95) / 50,
        note: `median ${percentile(times, 0.5).toFixed(1)} ms, ${Number(count).toLocaleString("en")} events stored; ${load()}`,
      });
    }
  } finally {
    await server.close();
  }
}

async function reorganise(report: Report, chain: ServedChain, node: Node): Promise<void> {
  const depth = 64;
  const before = node.store.head()!;
  await chain.call("test_reorganise", depth);
  const start = performance.now();
  await node.indexer.catchUp();
  const seconds = (performance.now() - start) / 1000;
  const after = node.store.head()!;
  if (after.number !== before.number || after.hash === before.hash || after.proof === before.proof)
    throw new Error("the other branch was not taken over");
  report({
    name: `reorganisation of ${depth} blocks (${depth * eventsPerBlock} events), rolled back and replayed`,
    value: seconds,
    unit: "s",
    peer: "bar",
    peerValue: 1,
    ratio: seconds,
    note: `read over JSON-RPC; ${load()}`,
  });
}

/** The embedded node of the subgraph: a million events indexed, queries over them, a reorganisation. */
export async function run(report: Report, { quick }: BenchOptions): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "assay-bench-"));
  const events = quick ? 15_000 : 1_000_000;
  const chain = await ServedChain.start({ blocks: events / eventsPerBlock, eventsPerBlock, operators });
  try {
    const memory = new MemoryLog();
    const node = await openNode(chain, join(folder, "subgraph.sqlite"), {
      indexed: (_head, _block, done) => memory.add(done),
    });
    await index(report, node, memory);
    await query(report, node, quick ? 128 : 3_200);
    await reorganise(report, chain, node);
    node.database.close();
  } finally {
    chain.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
