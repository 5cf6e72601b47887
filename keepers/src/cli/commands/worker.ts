import { type Command, Option } from "commander";
import type { WorkerCommandOptions } from "../actions/worker.ts";
import type { Register } from "../register.ts";
import { natural, oneOf, tokens } from "./options.ts";
import { running } from "./run-options.ts";

const actions = () => import("../actions/worker.ts");

/** `assay worker` */
export function workerCommand(program: Command, register: Register): void {
  const worker = program.command("worker").description("compute for a provider");
  running(worker.command("run").argument("<provider>", "the provider's multiaddr, with its peer id"))
    .option("--engine <name>", "native or wasm", oneOf("native", "wasm"), "native")
    .option("--threads <n>", "threads of the engine; all cores but one by default", natural(1, 1024))
    .addOption(new Option("--least-pay <tokens>", "least pay for a chunk").argParser(tokens).default(0n, "0"))
    .description("join a provider, compute chunks, keep what it countersigns, collect; Ctrl-C ends it")
    .addHelpText(
      "after",
      `
A worker may be killed at any time and started again. It risks the work on a few chunks.

Example:
  $ assay worker run /ip4/203.0.113.7/tcp/4710/p2p/12D3KooW… --least-pay 0.01`,
    )
    .action(
      register.action(async (context, provider: string, options: WorkerCommandOptions) =>
        (await actions()).runWorker(context, provider, options),
      ),
    );
}
