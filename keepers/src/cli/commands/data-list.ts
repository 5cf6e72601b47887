import { type Command, InvalidArgumentError } from "commander";
import type { Address } from "viem";
import type { Register } from "../register.ts";
import { address } from "./options.ts";

/** `assay data list` and `assay data health` */
export function listCommands(data: Command, register: Register): void {
  data
    .command("list")
    .option("--owner <address>", "whose datasets; the account's by default", address)
    .option("--all", "everybody's datasets")
    .description("list datasets")
    .addHelpText("after", "\nExample:\n  $ assay data list --all --json")
    .action(
      register.action(async (context, options: { owner?: Address; all?: boolean }) =>
        (await import("../actions/list.ts")).list(context, options),
      ),
    );

  data
    .command("health")
    .argument("<datasetId>", "what `assay data put` printed")
    .option(
      "--failure <probability>",
      "assumed that a holder fails before its bundle is repaired",
      probability,
      0.05,
    )
    .description("who holds what, who answered the last audits, what is paid, how likely a loss is")
    .addHelpText("after", "\nExample:\n  $ assay data health 0x5c3f…")
    .action(
      register.action(async (context, id: string, options: { failure: number }) =>
        (await import("../actions/list.ts")).health(context, id, options),
      ),
    );
}

function probability(text: string): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= 0 && value <= 1) return value;
  throw new InvalidArgumentError("It must be a number from 0 to 1.");
}
