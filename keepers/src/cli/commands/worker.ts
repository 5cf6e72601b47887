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
    .option(
      "--most-unpaid <chunks>",
      "chunks to compute for the provider beyond those that are paid for: what it can cheat you of",
      natural(1, 1_000_000_000),
      1_000,
    )
    .description("join a provider, compute chunks, keep what it countersigns, collect; Ctrl-C ends it")
    .addHelpText(
      "after",
      `
A worker may be killed at any time and started again. Providers pay at the end of a job: the more --most-unpaid chunks you
trust one with, the longer you work for it without a break.

Example:
  $ assay worker run /ip4/203.0.113.7/tcp/4710/p2p/12D3KooW… --least-pay 0.01 --most-unpaid 5000`,
    )
    .action(
      register.action(async (context, provider: string, options: WorkerCommandOptions) =>
        (await actions()).runWorker(context, provider, options),
      ),
    );
}
