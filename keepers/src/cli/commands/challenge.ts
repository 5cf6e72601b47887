import type { Command } from "commander";
import type { ChallengeOptions } from "../actions/challenge.ts";
import type { Register } from "../register.ts";
import { oneOf } from "./options.ts";

/** `assay challenge`: one job, once. */
export function challengeCommand(program: Command, register: Register): void {
  program
    .command("challenge")
    .argument("<job>", "number of the job")
    .option("--engine <name>", "native, wasm or reference", oneOf("native", "wasm", "reference"), "native")
    .description("compute a committed job again, and dispute the first interval that is wrong to the end")
    .addHelpText(
      "after",
      `
It takes a bond in the chain's coin when something is wrong, which comes back with a reward. The command may be
interrupted and run again. It ends with 1 when the dispute is lost, or when the job cannot be computed by anybody.

Example:
  $ assay challenge 7`,
    )
    .action(
      register.action(async (context, id: string, options: ChallengeOptions) =>
        (await import("../actions/challenge.ts")).challenge(context, id, options),
      ),
    );
}
