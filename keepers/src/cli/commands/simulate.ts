import type { Command } from "commander";
import type { SimulateOptions } from "../actions/simulate.ts";
import type { Register } from "../register.ts";
import { natural, oneOf } from "./options.ts";

/** Families of strategies, as `roles/simulation/strategy.ts` has them: named here so that help needs no chain. */
const scenarios = [
  "lie",
  "withheld",
  "accused",
  "sybils",
  "race",
  "copycat",
  "crowd",
  "vanish",
  "offline",
] as const;

/** `assay simulate` */
export function simulateCommand(program: Command, register: Register): void {
  program
    .command("simulate")
    .option("--strategies <n>", "how many strategies are tried", natural(1, 1_000_000), 100)
    .option("--seed <text>", "what everything is drawn from", "1")
    .option("--scenario <name>", `only this family: ${scenarios.join(", ")}`, oneOf(...scenarios))
    .option("--only <seed>", "plays one strategy again, move by move: the seed that a failure names")
    .description(
      "try seeded dishonest strategies against honest keepers, on a chain of its own; code 1 when an honest party loses",
    )
    .addHelpText(
      "after",
      `
Example:
  $ assay simulate --strategies 90 --seed 7
  $ assay simulate --scenario withheld --only 7:19`,
    )
    .action(
      register.action(async (context, options: SimulateOptions) =>
        (await import("../actions/simulate.ts")).simulateStrategies(context, options),
      ),
    );
}
