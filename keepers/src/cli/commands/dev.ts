import type { Command } from "commander";
import type { DevOptions } from "../actions/dev.ts";
import type { Register } from "../register.ts";
import { natural } from "./options.ts";

/** `assay dev` */
export function devCommand(program: Command, register: Register): void {
  program
    .command("dev")
    .option("--nodes <count>", "storage nodes", natural(1, 18), 12)
    .option("--port <number>", "port of the JSON-RPC endpoint; 0 takes a free one", natural(0, 65_535), 8545)
    .description("run a whole network in this process: chain, contracts, storage nodes; Ctrl-C ends it")
    .addHelpText(
      "after",
      `
Every start begins with an empty chain. Other \`assay\` commands in the same folder find the network by themselves.

Example:
  $ assay dev --nodes 12`,
    )
    .action(
      register.action(async (context, options: DevOptions) =>
        (await import("../actions/dev.ts")).dev(context, options),
      ),
    );
}
