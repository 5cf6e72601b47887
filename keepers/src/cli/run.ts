import { Command, CommanderError } from "commander";
import { exitCode } from "../core/errors.ts";
import { accountCommands } from "./commands/account.ts";
import { auditCommands } from "./commands/audit.ts";
import { certificateCommands } from "./commands/certificate.ts";
import { challengeCommand } from "./commands/challenge.ts";
import { dataCommands } from "./commands/data.ts";
import { deployCommand } from "./commands/deploy.ts";
import { devCommand } from "./commands/dev.ts";
import { jobCommands } from "./commands/job.ts";
import { jobKeeperCommands } from "./commands/job-keepers.ts";
import { keeperCommand } from "./commands/keeper.ts";
import { natural } from "./commands/options.ts";
import { orderCommands } from "./commands/order.ts";
import { replayCommand } from "./commands/replay.ts";
import { simulateCommand } from "./commands/simulate.ts";
import { stakeCommands } from "./commands/stake.ts";
import { subgraphCommands } from "./commands/subgraph.ts";
import { trainCommand } from "./commands/train.ts";
import { validatorCommands } from "./commands/validator.ts";
import { workerCommand } from "./commands/worker.ts";
import { applyConfigFile } from "./config-file.ts";
import { CommandContext, type Environment } from "./context.ts";
import { UsageError } from "./errors.ts";
import { describe, Output } from "./output.ts";
import type { Register } from "./register.ts";
import { deepest, withEnvironment } from "./settings.ts";

/** Runs the `assay` command with its arguments (without node and script) and returns the exit code. */
export async function run(argv: readonly string[], environment: Environment): Promise<number> {
  let code: number = exitCode.ok;
  const program = createProgram(environment, (result) => {
    code = result;
  });
  try {
    await program.parseAsync([...argv], { from: "user" });
    return code;
  } catch (error) {
    const options = { json: argv.includes("--json"), verbose: false };
    return usageFailure(error, new Output(environment.streams, options));
  }
}

function createProgram(environment: Environment, finish: (code: number) => void): Command {
  const program = new Command("assay");
  program
    .description("Store datasets with strangers, and know that every byte is there.")
    .version("0.1.0")
    .option("--rpc <url>", "JSON-RPC endpoint of the chain; several with commas between (env: ASSAY_RPC_URL)")
    .option(
      "--rpc-quorum <count>",
      "endpoints that must agree on what is believed of the chain; more than half of three or more (env: ASSAY_RPC_QUORUM)",
      natural(1, 16),
    )
    .option(
      "--confirmations <blocks>",
      "blocks after which a transaction counts as done; 1 by default (env: ASSAY_CONFIRMATIONS)",
      natural(1, deepest),
    )
    .option(
      "--finality <blocks>",
      "blocks that no reorganisation reaches; 64 by default, 1 on a development chain (env: ASSAY_FINALITY)",
      natural(1, deepest),
    )
    .option("--deployment <file>", "addresses of the contracts (env: ASSAY_DEPLOYMENT)")
    .option("--keystore <file>", "encrypted key of the account that acts (env: ASSAY_KEYSTORE)")
    .option(
      "--local-network",
      "reach keepers at addresses of this machine and of private networks, too; always so on local chains (env: ASSAY_LOCAL_NETWORK=1)",
    )
    .option("--home <folder>", "where local state lives; .assay by default (env: ASSAY_HOME)")
    .option(
      "--json",
      "print one JSON document on standard output (JSON lines for commands that keep running)",
    )
    .option("--verbose", "say more, and print stack traces")
    .addHelpText("after", environmentHelp)
    .showHelpAfterError(false)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => environment.streams.out.write(text),
      writeErr: (text) => environment.streams.err.write(text),
      outputError: () => {},
    });
  const register: Register = {
    action:
      (work) =>
      async (...args) => {
        const context = new CommandContext(environment, withEnvironment(program.opts(), environment.env));
        try {
          // commander adds the command itself as the last argument; the options before it are the ones that it holds.
          applyConfigFile(args.at(-1) as Command, (text) => context.path(text));
          context.trust = withEnvironment(program.opts(), environment.env);
          const code = await work(context, ...(args.slice(0, -1) as never));
          // Commands that run until they are told to stop have done all they should when a supervisor stops them.
          const byHand = describe(environment.signal.reason).exitCode === exitCode.interrupted;
          finish(byHand ? exitCode.interrupted : (code ?? exitCode.ok));
        } catch (error) {
          // Whatever an interrupted step threw, the interruption is what happened.
          finish(context.output.failure(environment.signal.aborted ? environment.signal.reason : error));
        } finally {
          await context.close();
        }
      },
  };
  devCommand(program, register);
  deployCommand(program, register);
  keeperCommand(program, register);
  stakeCommands(program, register);
  accountCommands(program, register);
  dataCommands(program, register);
  trainCommand(program, register);
  replayCommand(program, register);
  simulateCommand(program, register);
  orderCommands(program, register);
  jobCommands(program, register);
  jobKeeperCommands(program, register);
  workerCommand(program, register);
  challengeCommand(program, register);
  certificateCommands(program, register);
  auditCommands(program, register);
  validatorCommands(program, register);
  subgraphCommands(program, register);
  return program;
}

function usageFailure(error: unknown, output: Output): number {
  if (!(error instanceof CommanderError)) return output.failure(error);
  // Help and version, asked for or shown because no command was named, have been printed by commander.
  if (error.exitCode === 0) return exitCode.ok;
  if (error.code === "commander.help") return exitCode.usage;
  return output.failure(new UsageError(error.message.replace(/^error: /, "")));
}

const environmentHelp = `
The account that acts comes from ASSAY_PRIVATE_KEY, or from --keystore with the password in the file that
ASSAY_PASSWORD_FILE names. When \`assay dev\` runs in the same folder and nothing else is set, its chain and its first
account are used.

Exit codes: 0 done · 1 failed · 64 wrong usage · 65 bad input · 69 something cannot be reached · 70 internal error ·
73 cannot write · 75 partly done, run the same command again · 77 refused · 78 wrong configuration · 130 or 143 ended by Ctrl-C or SIGTERM

Examples:
  $ assay dev
  $ assay data put digits.csv --name digits
  $ assay data get 0x5c3f… --to digits-copy
  $ assay train digits.yaml`;
