import { join } from "node:path";
import type { Command } from "commander";
import { circuitArtifacts } from "../../../../circuits/setup/circuits.ts";
import { type Circuit, circuits, writeDeployment } from "../../chain/deployment.ts";
import { circuitsFolder, readKey } from "../circuits.ts";
import type { CommandContext } from "../context.ts";
import { ConfigurationError } from "../errors.ts";
import type { Register } from "../register.ts";
import { enterRepository } from "../repository.ts";
import { oneOf } from "./options.ts";

/** Networks of hardhat.config.ts with their chain ids. */
const networks = {
  localhost: 31337,
  lineaSepolia: 59141,
  scrollSepolia: 534351,
  zksyncSepolia: 300,
} as const;
const beacons = { "commit-reveal": "CommitRevealBeacon", drand: "DrandBeacon", vrf: "VrfBeacon" } as const;

type DeployOptions = {
  network: keyof typeof networks;
  url?: string;
  beacon?: keyof typeof beacons;
  circuits?: string;
};

/** `assay deploy` */
export function deployCommand(program: Command, register: Register): void {
  program
    .command("deploy")
    .option(
      "--network <name>",
      `one of ${Object.keys(networks).join(", ")}`,
      oneOf(...keys(networks)),
      "localhost",
    )
    .option("--url <url>", "RPC endpoint, when not the configured one")
    .option(
      "--beacon <kind>",
      `one of ${Object.keys(beacons).join(", ")}; commit-reveal on localhost, else drand`,
      oneOf(...keys(beacons)),
    )
    .option("--circuits <folder>", "verifying keys (`npm run ceremony`); development keys on localhost")
    .description("deploy the contracts with Hardhat Ignition and write their addresses")
    .addHelpText(
      "after",
      `
Keys of public networks come from Hardhat's keystore (DEPLOYER_KEY, LINEA_SEPOLIA_RPC_URL, …). A deployment that broke off
goes on when the command is run again.

Example:
  $ assay deploy --network lineaSepolia --circuits ceremony/keys`,
    )
    .action(register.action((context, options: DeployOptions) => deploy(context, options)));
}

async function deploy(context: CommandContext, options: DeployOptions): Promise<void> {
  const { output, home } = context;
  const { network } = options;
  const local = network === "localhost";
  const chainId = networks[network];
  if (local && options.circuits !== undefined) {
    throw new ConfigurationError("localhost takes the development keys", { next: "Leave --circuits out." });
  }
  const base = await circuitsFolder(context, chainId, options.circuits);
  const verifyingKeys = await Promise.all(
    circuits.map(
      async (circuit) => [circuit, await readKey(circuitArtifacts(circuit, base).verifyingKeyBytes)] as const,
    ),
  );
  const beacon = beacons[options.beacon ?? (local ? "commit-reveal" : "drand")];
  output.note(`deploying to ${network}; this takes a minute, on public networks several`);
  enterRepository();
  const { deployContracts } = await import("../../chain/deploy.ts");
  const deployment = await deployContracts({
    network,
    url: options.url,
    beacon,
    keys: Object.fromEntries(verifyingKeys) as Record<Circuit, Uint8Array>,
    development: local,
    // A local chain may begin anew under the same id: a journal of the old one would only confuse.
    deploymentId: local ? undefined : `assay-${chainId}`,
  });
  const path = writeDeployment(deployment, join(home, "deployments"));
  output.result({ path, ...deployment }, [
    ...Object.entries(deployment.addresses).map(([name, address]) => `${name.padEnd(20)}  ${address}`),
    `The addresses are in ${path}.`,
  ]);
}

function keys<K extends string>(record: Readonly<Record<K, unknown>>): K[] {
  return Object.keys(record) as K[];
}
