import { join } from "node:path";
import { stakingAbi } from "../../keepers/src/chain/abi/staking.ts";
import { freePort } from "../../test/keepers/cli/terminal.ts";
import { chainId, stakingAddress } from "../../test/subgraph/event-chain.ts";
import { type ChainToIndex, command, type Indexed, Running, type Totals, writeFiles } from "./indexers.ts";

/** npm names a 1.0.0 as the newest, which is by its own changelog what is called 0.10 elsewhere, and older than this. */
export const ponderVersion = "0.17.7";
const packages = [`ponder@${ponderVersion}`, "viem@2.57.20", "hono@4.13.19", "typescript@5.9.3"];
/** Not every registry has the 0.3.0 that Ponder asks for, which is this in another layout and with narrower peers. */
const overrides = { "@ponder/utils": "0.2.18" };

/**
 * Ponder asks one endpoint at most 20 times a second at first, whatever it could answer, and indexes no block that it
 * has not asked for. As many names of one endpoint let it ask as fast as it indexes.
 */
const namesOf = (rpcUrl: string) => Array.from({ length: 100 }, (_, i) => `${rpcUrl}/${i}`);

const config = (rpcUrl: string) => `
import { createConfig } from "ponder";
import { abi } from "./abi";
export default createConfig({
  database: process.env.DATABASE_URL
    ? { kind: "postgres", connectionString: process.env.DATABASE_URL }
    : { kind: "pglite" },
  chains: { bench: { id: ${chainId}, rpc: ${JSON.stringify(namesOf(rpcUrl))}, pollingInterval: 250 } },
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

/** Installs Ponder from npm into a folder of its own, with what is to be indexed. */
export async function installPonder(folder: string, rpcUrl: string): Promise<string> {
  const project = join(folder, "ponder");
  await writeFiles(project, {
    "package.json": JSON.stringify({ private: true, type: "module", overrides }),
    "ponder.config.ts": config(rpcUrl),
    "ponder.schema.ts": schema,
    "abi.ts": `export const abi = ${JSON.stringify(stakingAbi)} as const;`,
    "src/index.js": handlers,
    "src/api/index.ts": api,
  });
  await command("npm", ["install", "--no-audit", "--no-fund", "--no-save", ...packages], { cwd: project });
  return project;
}

const totalsQuery = `{
  events(limit: 1) { totalCount }
  network(id: "assay") { operators staked slashed }
}`;
type TotalsAnswer = {
  events: { totalCount: number };
  network: { operators: number; staked: string; slashed: string };
};

async function totalsAt(base: string): Promise<Totals> {
  const response = await fetch(`${base}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query: totalsQuery }),
  });
  const { events, network } = ((await response.json()) as { data: TotalsAnswer }).data;
  return { ...network, events: String(events.totalCount), operators: String(network.operators) };
}

/** The newest block whose rows are all there. */
async function headAt(base: string): Promise<number> {
  const status = (await (await fetch(`${base}/status`)).json()) as { bench: { block: { number: number } } };
  return status.bench.block.number;
}

/**
 * Lets an installed Ponder index the chain from its first block on, into PGlite or the PostgreSQL at `databaseUrl`.
 * Counted from the moment its server is up (its build is done) to the moment it says that it caught up, and what it has
 * stored then: all but the newest blocks, which it takes for not final and indexes one by one afterwards.
 */
export async function ponderRate(
  project: string,
  { head, minutes }: ChainToIndex,
  databaseUrl = "",
): Promise<Indexed> {
  const port = await freePort();
  const bin = join(project, "node_modules", "ponder", "dist", "esm", "bin", "ponder.js");
  const given = [bin, "start", "--schema", "bench", "--port", String(port), "--log-level", "warn"];
  const env = { ...process.env, DATABASE_URL: databaseUrl };
  const ponder = new Running("Ponder", given, { cwd: project, env, minutes });
  const base = `http://127.0.0.1:${port}`;
  const answers = (path: string) => async () =>
    (await fetch(base + path).catch(() => undefined))?.status === 200;
  try {
    const up = await ponder.until(answers("/health"));
    const ready = await ponder.until(answers("/ready"));
    const stored = Number((await totalsAt(base)).events);
    await ponder.until(async () => (await headAt(base)) >= head);
    return { rate: stored / ((ready - up) / 1000), totals: await totalsAt(base) };
  } finally {
    await ponder.stop();
  }
}
