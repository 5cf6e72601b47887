import { join } from "node:path";
import type { Command } from "commander";
import { formatUnits } from "viem";
import { registerStorageOperator } from "../../roles/storage-node/register.ts";
import { StorageNode } from "../../roles/storage-node/storage-node.ts";
import { createTelemetry } from "../../roles/telemetry.ts";
import { CommitPool } from "../../storage/commit-pool.ts";
import { ProcessProver } from "../../storage/prover/process-prover.ts";
import { openCircuits } from "../circuits.ts";
import type { CommandContext } from "../context.ts";
import type { Register } from "../register.ts";
import { untilInterrupted } from "../until.ts";
import { gibibytes, natural, tokens } from "./options.ts";

type KeeperOptions = {
  data?: string;
  listen: string[];
  announce?: string[];
  capacity: number;
  stake?: bigint;
  circuits?: string;
  drandRelay?: string[];
  metricsPort?: number;
};

/** `assay keeper` */
export function keeperCommand(program: Command, register: Register): void {
  program
    .command("keeper")
    .option("--data <folder>", "the keeper's data; by default a folder in --home")
    .option("--listen <multiaddr...>", "where to listen for other keepers", ["/ip4/0.0.0.0/tcp/4701"])
    .option("--announce <multiaddr...>", "what to tell others, when that differs")
    .option("--capacity <GiB>", "space for bundles", gibibytes, 100 * 2 ** 30)
    .option(
      "--stake <tokens>",
      "register the account as an operator and bring its stake to this much",
      tokens,
    )
    .option(
      "--circuits <folder>",
      "proving keys (`npm run ceremony`); development keys on local chains by default",
    )
    .option("--drand-relay <url...>", "where drand rounds come from, on networks that use drand")
    .option(
      "--metrics-port <number>",
      "serve /metrics (Prometheus) and /health on the loopback interface",
      natural(0, 65_535),
    )
    .description("run a storage node: take bundles, answer audits, repair, earn; Ctrl-C ends it")
    .addHelpText(
      "after",
      `
A keeper may be killed at any time and started again.

Example:
  $ assay keeper --listen /ip4/0.0.0.0/tcp/4701 --announce /dns4/keeper.example.org/tcp/4701 --capacity 500 --stake 1000`,
    )
    .action(register.action((context, options: KeeperOptions) => keeper(context, options)));
}

async function keeper(context: CommandContext, options: KeeperOptions): Promise<void> {
  const { output, signal } = context;
  const account = await context.account();
  const { chain, deployment } = await context.network();
  const circuits = await openCircuits(context, deployment, options.circuits);
  const telemetry = createTelemetry({
    level: output.verbose ? "debug" : "info",
    base: { operator: account.address },
  });
  const prover = new ProcessProver({ circuits });
  context.onClose(() => prover.close());
  const pool = new CommitPool();
  context.onClose(() => pool.close());
  const node = await StorageNode.start({
    dataDirectory: options.data === undefined ? join(context.home, "keeper") : context.path(options.data),
    account,
    chain,
    deployment,
    listen: options.listen,
    announce: options.announce,
    capacity: options.capacity,
    prover,
    commit: (bytes) => pool.commit(bytes),
    log: telemetry.log,
    drandRelays: options.drandRelay,
  });
  context.onClose(() => node.stop());
  if (options.stake !== undefined) {
    await registerStorageOperator(node.storage, {
      peerId: node.peerId,
      endpoint: node.endpoint,
      stake: options.stake,
    });
  }
  if (options.metricsPort !== undefined) {
    telemetry.addHealthCheck("bundles", () => ({ ok: true, bundles: node.bundles().length }));
    const server = await telemetry.serve({ port: options.metricsPort });
    context.onClose(() => server.close());
    output.note(`metrics and health are served at ${server.url}`);
  }
  node.run();
  const { stake, credited } = await node.earnings();
  output.event(
    {
      event: "ready",
      operator: account.address,
      endpoint: node.endpoint,
      stake,
      bundles: node.bundles().length,
    },
    `${account.address} serves ${node.bundles().length} bundles at ${node.endpoint}; stake ${formatUnits(stake, 18)}, earned ${formatUnits(credited, 18)} tokens`,
  );
  await untilInterrupted(signal);
  output.event({ event: "stopped" }, "The keeper has stopped.");
}
