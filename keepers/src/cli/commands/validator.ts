import type { Command } from "commander";
import type { Address } from "viem";
import type { EnrolOptions, ValidatorCommandOptions } from "../actions/validator.ts";
import type { Register } from "../register.ts";
import { address, natural, tokens } from "./options.ts";
import { computing } from "./run-options.ts";

const actions = () => import("../actions/validator.ts");
/** Units of stake at most: `WeightTree.MAX_WEIGHT`. */
const mostWeight = 10_000;

/** `assay validator`: sit on committees. */
export function validatorCommands(program: Command, register: Register): void {
  const validator = program.command("validator").description("sit on committees that check samples of jobs");

  computing(weighing(validator.command("run")))
    .option(
      "--budget <micro-batches>",
      "executed for one seat: longer jobs begin at states that are handed over or stored, or are given up; any number by default",
      natural(1, 2 ** 53 - 1),
    )
    .option(
      "--link <Mbit/s>",
      "what the link to providers carries: steps are verified from what they hand over where that is cheaper; 0: never",
      natural(0, 1_000_000),
      100,
    )
    .option("--listen <multiaddr...>", "where to listen for other validators", ["/ip4/0.0.0.0/tcp/4702"])
    .option("--announce <multiaddr...>", "what to tell others, when that differs")
    .option(
      "--turn <seconds>",
      "seconds of chain time after which the next validator takes up what the one before it should have done",
      natural(1, 86_400),
      60,
    )
    .option("--top-up <tokens>", "stake up to this much, over all time, in place of what was slashed", tokens)
    .option("--lower", "lower a greater weight, of an earlier start, to --weight")
    .option("--pay-to <address>", "who gets the fees; the account by default", address)
    .description("enrol, check drawn intervals, attest, reveal, collect fees; Ctrl-C ends it")
    .addHelpText(
      "after",
      `
A validator may be killed at any time and started again. Its BLS key is bls.key in the data folder: without it, it cannot sign.
The account needs coins beside the gas: a provider that opens false witnesses is challenged, with a bond that comes back.

Example:
  $ assay validator run --weight 2 --listen /ip4/0.0.0.0/tcp/4702 --announce /dns4/validator.example.org/tcp/4702`,
    )
    .action(
      register.action(async (context, options: ValidatorCommandOptions) =>
        (await actions()).runValidator(context, options),
      ),
    );

  weighing(validator.command("enrol"))
    .requiredOption("--endpoint <multiaddr>", "where other validators will reach this one")
    .option("--data <folder>", "the keeper's data, with its keys; by default a folder in --home")
    .description("register, stake and enrol, or raise the weight; `validator run` does the same")
    .addHelpText(
      "after",
      "\nExample:\n  $ assay validator enrol --weight 2 --endpoint /dns4/validator.example.org/tcp/4702",
    )
    .action(
      register.action(async (context, options: EnrolOptions) => (await actions()).enrol(context, options)),
    );

  validator
    .command("status")
    .option("--operator <address>", "another operator than the account that acts", address)
    .description("show weight, chance to be drawn, duties and stake")
    .addHelpText("after", "\nExample:\n  $ assay validator status --operator 0x7099…79C8")
    .action(
      register.action(async (context, options: { operator?: Address }) =>
        (await actions()).validatorStatus(context, options),
      ),
    );

  validator
    .command("lower")
    .argument(
      "<units>",
      "units of stake that count in draws from the next rotation on",
      natural(1, mostWeight),
    )
    .description("lower the weight; the stake beyond it is free after the delay")
    .addHelpText(
      "after",
      `
A validator that runs with a greater --weight raises it again: start it with the lower one.

Example:
  $ assay validator lower 1`,
    )
    .action(register.action(async (context, units: number) => (await actions()).lowerWeight(context, units)));

  validator
    .command("leave")
    .description("leave the draws from the next rotation on; run again after the delay to unlock the stake")
    .addHelpText("after", "\nExample:\n  $ assay validator leave")
    .action(register.action(async (context) => (await actions()).leave(context)));
}

function weighing(command: Command): Command {
  return command
    .option("--weight <units>", "units of stake that count in draws", natural(1, mostWeight), 1)
    .option("--stake <tokens>", "bring the stake to this much; what the weight needs by default", tokens);
}
