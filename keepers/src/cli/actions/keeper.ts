import { join } from "node:path";
import { formatUnits } from "viem";
import { checkChain } from "../../roles/chain-metrics.ts";
import { registerStorageOperator } from "../../roles/storage-node/register.ts";
import { StorageNode } from "../../roles/storage-node/storage-node.ts";
import { measureProver } from "../../roles/storage-node/strangers-metrics.ts";
import { createTelemetry } from "../../roles/telemetry.ts";
import { CommitPool } from "../../storage/commit-pool.ts";
import { serveGateway } from "../../storage/gateway.ts";
import { ProcessProver } from "../../storage/prover/process-prover.ts";
import { openCircuits } from "../circuits.ts";
import type { CommandContext } from "../context.ts";
import { checkFollowing } from "../following.ts";
import { readStorage } from "../storage.ts";
import { untilInterrupted } from "../until.ts";

export type KeeperOptions = {
  data?: string;
  listen: string[];
  announce?: string[];
  capacity: number;
  leastFee: bigint;
  longestTerm: number;
  stake?: bigint;
  circuits?: string;
  drandRelay?: string[];
  storage?: string;
  coverFrom?: number;
  gatewayPort?: number;
  metricsPort?: number;
};

/** `assay keeper` */
export async function keeper(context: CommandContext, options: KeeperOptions): Promise<void> {
  const { output, signal } = context;
  const account = await context.account();
  const { chain, deployment } = await context.network();
  const circuits = await openCircuits(context, deployment, options.circuits);
  const telemetry = createTelemetry({
    level: output.verbose ? "debug" : "info",
    base: { operator: account.address },
  });
  for (const secret of output.hidden) telemetry.protect(secret);
  const prover = new ProcessProver({ circuits });
  context.onClose(() => prover.close());
  measureProver(telemetry.metrics, prover);
  const pool = new CommitPool();
  context.onClose(() => pool.close());
  const node = await StorageNode.start({
    dataDirectory: options.data === undefined ? join(context.home, "keeper") : context.path(options.data),
    account,
    chain,
    deployment,
    listen: options.listen,
    announce: options.announce,
    localNetwork: context.usesLocalNetwork(deployment),
    capacity: options.capacity,
    asking: { leastFee: options.leastFee, longestTerm: options.longestTerm },
    prover,
    commit: (bytes) => pool.commit(bytes),
    log: telemetry.log,
    metrics: telemetry.metrics,
    drandRelays: options.drandRelay,
    coverFrom: options.coverFrom,
    ...(options.storage === undefined ? {} : readStorage(context.path(options.storage), process.env)),
  });
  context.onClose(() => node.stop());
  if (options.stake !== undefined) {
    await registerStorageOperator(
      { ...node.storage, log: telemetry.log },
      { peerId: node.peerId, endpoint: node.endpoint, stake: options.stake },
    );
  }
  if (options.metricsPort !== undefined) {
    telemetry.addHealthCheck("chain", checkChain(chain));
    telemetry.addHealthCheck("following", checkFollowing(chain, telemetry.metrics));
    telemetry.addHealthCheck("bundles", () => ({ ok: true, bundles: node.bundles().length }));
    const server = await telemetry.serve({ port: options.metricsPort });
    context.onClose(() => server.close());
    output.note(`metrics and health are served at ${server.url}`);
  }
  if (options.gatewayPort !== undefined) {
    const gateway = await serveGateway({ stores: () => [node.blobs], port: options.gatewayPort });
    context.onClose(() => gateway.close());
    output.note(`bundles and manifests are served at ${gateway.url}`);
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
