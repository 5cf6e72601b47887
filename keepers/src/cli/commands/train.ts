import type { Command } from "commander";
import type { TrainOptions } from "../actions/train.ts";
import type { Register } from "../register.ts";
import { natural, oneOf } from "./options.ts";

/** `assay train` */
export function trainCommand(program: Command, register: Register): void {
  program
    .command("train")
    .argument("[config]", "YAML or JSON file that says what is trained, and how")
    .option("--out <folder>", "folder of the run; the configuration's name and -run by default")
    .option("--dataset <source>", "instead of the configuration's dataset.source; a stored dataset's id, say")
    .option("--resume", "go on with a run from its newest good checkpoint")
    .option("--engine <name>", "native, wasm or reference", oneOf("native", "wasm", "reference"))
    .option("--threads <n>", "threads of the engine; the bits do not depend on it", natural(1, 1024))
    .option("--sign", "sign the Proof-of-Learning record of every interval with the account's key")
    .option("--schema", "print the JSON schema of the configuration and do nothing else")
    .description(
      "train a model in exact integers: the same bits everywhere, with a trace that anyone can check",
    )
    .addHelpText("after", "\nExample:\n  $ assay train digits.yaml --out digits-run")
    .action(
      register.action(async (context, config: string | undefined, options: TrainOptions) =>
        (await import("../actions/train.ts")).train(context, config, options),
      ),
    );
}
