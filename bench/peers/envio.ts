import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import { stakingAbi } from "../../keepers/src/chain/abi/staking.ts";
import { freePort } from "../../test/keepers/cli/terminal.ts";
import { chainId, stakingAddress } from "../../test/subgraph/event-chain.ts";
import { type ChainToIndex, command, type Indexed, Running, writeFiles } from "./indexers.ts";
import type { Postgres } from "./postgres.ts";

/** The newest that every registry has whole: of version 3 some have the Linux program without the package beside it. */
export const envioVersion = "2.32.12";
/** Its code generator calls pnpm. */
const packages = [`envio@${envioVersion}`, "pnpm@10.34.9"];

/** With the field that its reader of ABIs insists on. */
const abi = stakingAbi.filter(({ type }) => type === "event").map((item) => ({ ...item, anonymous: false }));

/**
 * As its own templates set it, but for pages of 50 blocks: it fetches a page while it handles the one before, and by
 * itself would take the whole chain for one page. What it may know of a transaction it has to ask for by name.
 */
const config = (rpcUrl: string) => `
name: bench
networks:
  - id: ${chainId}
    start_block: 0
    rpc: { url: ${JSON.stringify(rpcUrl)}, for: sync, initial_block_interval: 50, interval_ceiling: 50 }
    contracts:
      - name: Staking
        address: "${stakingAddress}"
        handler: src/handlers.js
        abi_file_path: abi.json
        events:
          - event: OperatorRegistered
          - event: Staked
          - event: Locked
          - event: Unlocked
          - event: Slashed
field_selection: { transaction_fields: [hash, from] }
address_format: lowercase
preload_handlers: true
unordered_multichain_mode: true
`;

/** The entities that the subgraph's mapping of the same events writes, with the same references to look up by. */
const schema = `
type Event {
  id: ID!
  contract: String!
  name: String!
  parameters: String!
  block: BigInt! @index
  timestamp: BigInt!
  transaction: String!
  sender: String!
  logIndex: Int!
  operator: String @index
}
type Operator {
  id: ID!
  roles: Int!
  peerId: String
  endpoint: String
  isActive: Boolean!
  registeredAt: BigInt
  staked: BigInt!
  locked: BigInt!
  slashed: BigInt!
}
type Lock { id: ID!, operator: String!, holder: String!, amount: BigInt! }
type Slash { id: ID!, operator: String!, amount: BigInt!, reason: String!, timestamp: BigInt! }
type Network { id: ID!, operators: Int!, staked: BigInt!, slashed: BigInt! }
`;

/** They run twice: in the first pass all of a batch at once, so that what they read is read together. */
const handlers = `
const { Staking } = require("generated");
const json = (args) => JSON.stringify(args, (_, value) => (typeof value === "bigint" ? String(value) : value));
const idOf = (event) => event.block.number + "-" + event.logIndex;
const record = (name, { event, context }) => context.Event.set({
  id: idOf(event), contract: "Staking", name, parameters: json(event.params), block: BigInt(event.block.number),
  timestamp: BigInt(event.block.timestamp), transaction: event.transaction.hash, sender: event.transaction.from,
  logIndex: event.logIndex, operator: event.params.operator,
});
const totals = async (context, change) => {
  const row = await context.Network.get("assay");
  context.Network.set({
    id: "assay",
    operators: (row?.operators ?? 0) + (change.operators ?? 0),
    staked: (row?.staked ?? 0n) + (change.staked ?? 0n),
    slashed: (row?.slashed ?? 0n) + (change.slashed ?? 0n),
  });
};
const held = async (context, { operator, module: holder }, amount) => {
  const id = operator + holder;
  const row = await context.Lock.get(id);
  context.Lock.set({ id, operator, holder, amount: (row?.amount ?? 0n) + amount });
};
const change = async (context, id, set) => {
  const row = await context.Operator.get(id);
  if (row !== undefined) context.Operator.set({ ...row, ...set(row) });
};
const lockedBy = (sign) => (context, { params }) => Promise.all([
  held(context, params, sign * params.amount),
  change(context, params.operator, (row) => ({ locked: row.locked + sign * params.amount })),
]);
const handlers = {
  OperatorRegistered: (context, { params, block }) => {
    context.Operator.set({
      id: params.operator, roles: Number(params.roles), peerId: params.peerId, endpoint: params.endpoint, isActive: true,
      registeredAt: BigInt(block.timestamp), staked: 0n, locked: 0n, slashed: 0n,
    });
    return totals(context, { operators: 1 });
  },
  Staked: (context, { params: { operator, amount } }) => Promise.all([
    change(context, operator, (row) => ({ staked: row.staked + amount })),
    totals(context, { staked: amount }),
  ]),
  Locked: lockedBy(1n),
  Unlocked: lockedBy(-1n),
  Slashed: (context, event) => {
    const { operator, amount, reason } = event.params;
    context.Slash.set({ id: idOf(event), operator, amount, reason, timestamp: BigInt(event.block.timestamp) });
    return Promise.all([
      held(context, event.params, -amount),
      change(context, operator, (row) => ({
        staked: row.staked - amount, locked: row.locked - amount, slashed: row.slashed + amount,
      })),
      totals(context, { staked: -amount, slashed: amount }),
    ]);
  },
};
for (const [name, handle] of Object.entries(handlers))
  Staking[name].handler(async (given) => {
    record(name, given);
    await handle(given.context, given.event);
  });
`;

type Row = Readonly<Record<string, unknown>>;
/** The PostgreSQL client that HyperIndex itself uses. */
type Sql = { unsafe(query: string): Promise<readonly Row[]>; end(): Promise<void> };
type Connect = (url: string, options: { max: number }) => Sql;

/** Installs HyperIndex from npm into a folder of its own and lets it generate and compile its program. */
export async function installEnvio(folder: string, rpcUrl: string): Promise<string> {
  const [tools, project] = [join(folder, "envio-tools"), join(folder, "envio")];
  await writeFiles(tools, { "package.json": '{"private":true}' });
  await command("npm", ["install", "--no-audit", "--no-fund", "--no-save", ...packages], { cwd: tools });
  await writeFiles(project, {
    "package.json": JSON.stringify({
      private: true,
      dependencies: { envio: envioVersion },
      optionalDependencies: { generated: "./generated" },
    }),
    "config.yaml": config(rpcUrl),
    "abi.json": JSON.stringify(abi),
    "schema.graphql": schema,
    "src/handlers.js": handlers,
  });
  const path = [join(tools, "node_modules", ".bin"), process.env.PATH].join(delimiter);
  await command("envio", ["codegen"], { cwd: project, env: { ...process.env, PATH: path } });
  return join(project, "generated");
}

/**
 * Lets an installed HyperIndex index the chain from its first block on. Counted from the moment its tables are there,
 * which is when it starts to ask for events, to the moment the row of its progress, written with the entities in one
 * transaction, counts them all.
 */
export async function envioRate(
  generated: string,
  { events, minutes }: ChainToIndex,
  postgres: Postgres,
): Promise<Indexed> {
  const connect = createRequire(join(generated, "package.json"))("postgres") as Connect;
  const sql = connect(postgres.url, { max: 1 });
  const one = async (query: string): Promise<Row> => (await sql.unsafe(query))[0]!;
  const env = {
    ...process.env,
    // What pnpm's own launchers set: the generated program asks for packages of its dependencies, too.
    NODE_PATH: join(generated, "node_modules", ".pnpm", "node_modules"),
    ENVIO_PG_HOST: "127.0.0.1",
    ENVIO_PG_PORT: String(postgres.port),
    ENVIO_PG_USER: "postgres",
    ENVIO_PG_PASSWORD: "bench",
    ENVIO_PG_DATABASE: "postgres",
    ENVIO_HASURA: "false",
    ENVIO_INDEXER_PORT: String(await freePort()),
    TUI_OFF: "true",
    LOG_LEVEL: "warn",
  };
  const envio = new Running("HyperIndex", [join("src", "Index.res.js")], { cwd: generated, env, minutes });
  try {
    const up = await envio.until(
      async () => (await one("SELECT to_regclass('public.envio_chains') AS found")).found !== null,
    );
    const ready = await envio.until(
      async () => Number((await one("SELECT events_processed FROM envio_chains")).events_processed) >= events,
    );
    const stored = await one('SELECT count(*) AS n FROM "Event"');
    const network = await one('SELECT operators, staked, slashed FROM "Network"');
    return {
      rate: events / ((ready - up) / 1000),
      totals: {
        events: String(stored.n),
        operators: String(network.operators),
        staked: String(network.staked),
        slashed: String(network.slashed),
      },
    };
  } finally {
    await envio.stop();
    await sql.end();
  }
}
