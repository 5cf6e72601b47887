import type { Command } from "commander";
import type { DeployOptions } from "../actions/deploy.ts";
import { beacons, networks } from "../networks.ts";
import type { Register } from "../register.ts";
import { address, oneOf } from "./options.ts";

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
    .option(
      "--proposer <address>",
      "party that proposes changes and pauses; needed on public networks",
      address,
    )
    .option("--executor <address>", "party that executes them; needed on public networks", address)
    .option(
      "--parameters <file>",
      "parameters of the modules (JSON5), before those of ignition/parameters/<network>.json5",
    )
    .option("--token <address>", "an ERC-20 to stake and pay in; without it a token is minted", address)
    .option("--circuits <folder>", "verifying keys (`npm run ceremony`); development keys on localhost")
    .description("deploy the contracts with Hardhat Ignition and write their addresses")
    .addHelpText(
      "after",
      `
Keys of public networks come from Hardhat's keystore (DEPLOYER_KEY, LINEA_SEPOLIA_RPC_URL, …). A deployment that broke off
goes on when the command is run again.

Whoever deploys keeps no power. What the contracts leave to be decided, two parties decide together: the proposer announces it,
the executor does it a week later, either may cancel.

Example:
  $ assay deploy --network lineaSepolia --circuits ceremony/keys --proposer 0x… --executor 0x…`,
    )
    .action(
      register.action(async (context, options: DeployOptions) =>
        (await import("../actions/deploy.ts")).deploy(context, options),
      ),
    );
}

function keys<K extends string>(record: Readonly<Record<K, unknown>>): K[] {
  return Object.keys(record) as K[];
}
