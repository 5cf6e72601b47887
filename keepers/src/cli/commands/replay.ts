import type { Command } from "commander";
import type { ReplayOptions } from "../actions/replay.ts";
import type { Register } from "../register.ts";
import { natural, oneOf } from "./options.ts";

/** `assay replay` */
export function replayCommand(program: Command, register: Register): void {
  program
    .command("replay")
    .argument("<run>", "folder that `assay train` made")
    .option("--interval <i>", "only this interval, from 0", natural(0, 2 ** 32))
    .option("--all", "every interval, from the first state; the default")
    .option("--engine <name>", "native, wasm or reference", oneOf("native", "wasm", "reference"))
    .option("--threads <n>", "threads of the engine; the bits do not depend on it", natural(1, 1024))
    .description("execute a run's steps again and compare them with its trace; code 1 when something differs")
    .addHelpText("after", "\nExample:\n  $ assay replay digits-run --interval 3")
    .action(
      register.action(async (context, run: string, options: ReplayOptions) =>
        (await import("../actions/replay.ts")).replay(context, run, options),
      ),
    );
}
