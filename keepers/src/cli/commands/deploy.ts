import type { Command } from "commander";
import type { DeployOptions } from "../actions/deploy.ts";
import { beacons, networks } from "../networks.ts";
import type { Register } from "../register.ts";
import { oneOf } from "./options.ts";

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
    .action(
      register.action(async (context, options: DeployOptions) =>
        (await import("../actions/deploy.ts")).deploy(context, options),
      ),
    );
}

function keys<K extends string>(record: Readonly<Record<K, unknown>>): K[] {
  return Object.keys(record) as K[];
}
