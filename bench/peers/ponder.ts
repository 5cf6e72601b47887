import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { stakingAbi } from "../../keepers/src/chain/abi/staking.ts";
import { freePort } from "../../test/keepers/cli/terminal.ts";
import { chainId, stakingAddress } from "../../test/subgraph/event-chain.ts";

export const ponderVersion = "0.16.10";
/** What npm puts beside it; the newest viem asks for a package that not every registry has. */
const packages = [`ponder@${ponderVersion}`, "viem@2.57.0", "hono@4", "typescript@5"];

const config = (rpcUrl: string) => `
import { createConfig } from "ponder";
import { abi } from "./abi";
export default createConfig({
  database: { kind: "pglite" },
  chains: { bench: { id: ${chainId}, rpc: ${JSON.stringify(rpcUrl)}, pollingInterval: 250 } },
  contracts: { Staking: { chain: "bench", abi, address: "${stakingAddress}", startBlock: 0 } },
});
`;

/** The entities that the subgraph's mapping of the same events writes, with the same references to look up by. */
const schema = `
import { boolean, hex, bigint, integer, text, onchainTable, index } from "ponder";
export const event = onchainTable("event", (t) => ({
  id: t.text().primaryKey(), contract: t.text().notNull(), name: t.text().notNull(), parameters: t.text().notNull(),
  block: t.bigint().notNull(), timestamp: t.bigint().notNull(), transaction: t.hex().notNull(),
  sender: t.hex().notNull(), logIndex: t.integer().notNull(), operator: t.hex(),
}), (table) => ({ operator: index().on(table.operator), block: index().on(table.block) }));
export const operator = onchainTable("operator", (t) => ({
  id: t.hex().primaryKey(), roles: t.integer().notNull(), peerId: t.hex(), endpoint: t.text(),
  isActive: t.boolean().notNull(), registeredAt: t.bigint(), staked: t.bigint().notNull(), locked: t.bigint().notNull(),
  slashed: t.bigint().notNull(),
}));
export const lock = onchainTable("lock", (t) => ({
  id: t.text().primaryKey(), operator: t.hex().notNull(), module: t.hex().notNull(), amount: t.bigint().notNull(),
}));
export const slash = onchainTable("slash", (t) => ({
  id: t.text().primaryKey(), operator: t.hex().notNull(), amount: t.bigint().notNull(), reason: t.text().notNull(),
  timestamp: t.bigint().notNull(),
}));
export const network = onchainTable("network", (t) => ({
  id: t.text().primaryKey(), operators: t.integer().notNull(), staked: t.bigint().notNull(), slashed: t.bigint().notNull(),
}));
`;

const handlers = `
import { ponder } from "ponder:registry";
import { event, operator, lock, slash, network } from "ponder:schema";
const json = (args) => JSON.stringify(args, (_, value) => (typeof value === "bigint" ? String(value) : value));
async function record(name, { event: e, context }) {
  await context.db.insert(event).values({
    id: e.id, contract: "Staking", name, parameters: json(e.args), block: e.block.number, timestamp: e.block.timestamp,
    transaction: e.transaction.hash, sender: e.transaction.from, logIndex: e.log.logIndex, operator: e.args.operator,
  });
}
const totals = (context, change) =>
  context.db.insert(network)
    .values({ id: "assay", operators: change.operators ?? 0, staked: change.staked ?? 0n, slashed: change.slashed ?? 0n })
    .onConflictDoUpdate((row) => ({
      operators: row.operators + (change.operators ?? 0),
      staked: row.staked + (change.staked ?? 0n),
      slashed: row.slashed + (change.slashed ?? 0n),
    }));
const held = (context, args, amount) =>
  context.db.insert(lock)
    .values({ id: args.operator + args.module, operator: args.operator, module: args.module, amount })
    .onConflictDoUpdate((row) => ({ amount: row.amount + amount }));
const change = (context, id, set) => context.db.update(operator, { id }).set(set);

ponder.on("Staking:OperatorRegistered", async (given) => {
  await record("OperatorRegistered", given);
  const { args, block } = given.event;
  await given.context.db.insert(operator).values({
    id: args.operator, roles: args.roles, peerId: args.peerId, endpoint: args.endpoint, isActive: true,
    registeredAt: block.timestamp, staked: 0n, locked: 0n, slashed: 0n,
  });
  await totals(given.context, { operators: 1 });
});
ponder.on("Staking:Staked", async (given) => {
  await record("Staked", given);
  const { operator: id, amount } = given.event.args;
  await change(given.context, id, (row) => ({ staked: row.staked + amount }));
  await totals(given.context, { staked: amount });
});
for (const [name, sign] of [["Locked", 1n], ["Unlocked", -1n]])
  ponder.on("Staking:" + name, async (given) => {
    await record(name, given);
    const { operator: id, amount } = given.event.args;
    await held(given.context, given.event.args, sign * amount);
    await change(given.context, id, (row) => ({ locked: row.locked + sign * amount }));
  });
ponder.on("Staking:Slashed", async (given) => {
  await record("Slashed", given);
  const { args, block, id } = given.event;
  await given.context.db.insert(slash).values({
    id, operator: args.operator, amount: args.amount, reason: args.reason, timestamp: block.timestamp,
  });
  await held(given.context, args, -args.amount);
  await change(given.context, args.operator, (row) => ({
    staked: row.staked - args.amount, locked: row.locked - args.amount, slashed: row.slashed + args.amount,
  }));
  await totals(given.context, { staked: -args.amount, slashed: args.amount });
});
`;

const api = `
import { db } from "ponder:api";
import schema from "ponder:schema";
import { Hono } from "hono";
import { graphql } from "ponder";
const app = new Hono();
app.use("/graphql", graphql({ db, schema }));
export default app;
`;

async function command(cwd: string, name: string, args: readonly string[]): Promise<void> {
  const child = spawn(name, args, { cwd, stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr!.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString("utf8")).slice(-2_000);
  });
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error(`${name} ${args[0]} failed: ${said}`);
}

export type PonderRun = { readonly folder: string; readonly rpcUrl: string; readonly minutes: number };

/**
 * Installs Ponder from npm into a folder of its own and lets it index the chain from its first block on. Events a second
 * from the moment its server is up (its build is done) to the moment it says that it caught up.
 */
export async function ponderRate({ folder, rpcUrl, minutes }: PonderRun): Promise<number> {
  const project = join(folder, "ponder");
  await mkdir(join(project, "src", "api"), { recursive: true });
  const files = {
    "package.json": '{"private":true,"type":"module"}',
    "ponder.config.ts": config(rpcUrl),
    "ponder.schema.ts": schema,
    "abi.ts": `export const abi = ${JSON.stringify(stakingAbi)} as const;`,
    "src/index.js": handlers,
    "src/api/index.ts": api,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(project, name), text);
  await command(project, "npm", ["install", "--no-audit", "--no-fund", "--no-save", ...packages]);
  const port = await freePort();
  const bin = join(project, "node_modules", "ponder", "dist", "esm", "bin", "ponder.js");
  const given = ["start", "--schema", "bench", "--port", String(port), "--log-level", "warn"];
  const child = spawn(process.execPath, [bin, ...given], {
    cwd: project,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, PONDER_TELEMETRY_DISABLED: "true" },
  });
  let said = "";
  for (const stream of [child.stdout!, child.stderr!])
    stream.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString("utf8")).slice(-2_000);
    });
  const base = `http://127.0.0.1:${port}`;
  const deadline = performance.now() + minutes * 60_000;
  const until = async (path: string): Promise<number> => {
    for (;;) {
      const answer = await fetch(base + path).catch(() => undefined);
      if (answer?.status === 200) return performance.now();
      if (child.exitCode !== null || performance.now() > deadline) throw new Error(`Ponder stopped: ${said}`);
      await delay(20);
    }
  };
  try {
    const up = await until("/health");
    const ready = await until("/ready");
    const answer = await fetch(`${base}/graphql`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ query: "{ events(limit: 1) { totalCount } }" }),
    });
    const { data } = (await answer.json()) as { data: { events: { totalCount: number } } };
    return data.events.totalCount / ((ready - up) / 1000);
  } finally {
    if (child.exitCode === null) {
      child.kill();
      await once(child, "exit");
    }
  }
}
