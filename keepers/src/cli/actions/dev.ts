import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { createTelemetry } from "../../roles/telemetry.ts";
import type { CommandContext } from "../context.ts";
import { ConfigurationError } from "../errors.ts";
import { enterRepository } from "../repository.ts";
import { devNetworkPath } from "../settings.ts";
import { untilInterrupted } from "../until.ts";

export type DevOptions = { nodes: number; port: number };

/** `assay dev` */
export async function dev(context: CommandContext, { nodes, port }: DevOptions): Promise<void> {
  const { output, signal, home } = context;
  const folder = join(home, "dev");
  await empty(folder);
  // The compiler and the chain take seconds to load: only this command needs them.
  enterRepository();
  const { EmbeddedNetwork } = await import("../../roles/embedded/network.ts");
  const { log } = createTelemetry({ level: output.verbose ? "info" : "error", processMetrics: false });
  const network = await EmbeddedNetwork.start({
    folder,
    nodes,
    port,
    log,
    onProgress: (line) => output.note(line),
  });
  try {
    const { rpcUrl, chainId } = network.chain;
    const operators = [...network.nodes.values()].map((node) => ({
      operator: node.operator,
      endpoint: node.endpoint,
    }));
    output.event(
      {
        event: "ready",
        rpcUrl,
        chainId,
        deployment: network.deploymentPath,
        owner: network.owner.address,
        operators,
      },
      [
        `The network is ready: chain ${chainId} at ${rpcUrl}, ${operators.length} storage nodes.`,
        `Try \`assay data put digits\` in another terminal. Ctrl-C ends it.`,
      ].join("\n"),
    );
    await untilInterrupted(signal);
  } finally {
    // First, so that no command finds a network that is going away.
    await rm(devNetworkPath(home), { force: true });
    output.note("stopping the network");
    await network.close();
  }
  output.event({ event: "stopped" }, "The network has stopped.");
}

/** Removes what an earlier development network left, and nothing else. */
async function empty(folder: string): Promise<void> {
  if (!existsSync(folder)) return;
  const known = new Set(["network.json", "deployments", "nodes"]);
  const strange = (await readdir(folder)).find((name) => !known.has(name));
  if (strange !== undefined) {
    throw new ConfigurationError(`${folder} holds ${strange}, which no development network has made`, {
      kept: "Nothing was removed.",
      next: "Move it elsewhere, or name another folder with --home.",
    });
  }
  await rm(folder, { recursive: true, force: true });
}
