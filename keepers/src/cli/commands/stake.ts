import type { Command } from "commander";
import type { Address } from "viem";
import type { RegisterOptions } from "../actions/stake.ts";
import type { Register } from "../register.ts";
import { address, tokens } from "./options.ts";

const actions = () => import("../actions/stake.ts");

/** `assay stake`: the account as an operator. */
export function stakeCommands(program: Command, register: Register): void {
  const stake = program.command("stake").description("operators: register, stake, unbond, retire, withdraw");

  stake
    .command("status")
    .option("--operator <address>", "another operator than the account that acts", address)
    .description("show registration, stake and what can be withdrawn")
    .addHelpText("after", "\nExample:\n  $ assay stake status --operator 0x7099…79C8")
    .action(
      register.action(async (context, options: { operator?: Address }) =>
        (await actions()).status(context, options),
      ),
    );

  stake
    .command("register")
    .requiredOption("--endpoint <multiaddr>", "where other keepers reach this one")
    .option(
      "--data <folder>",
      "the keeper's data folder, which holds its network identity; by default the one in --home",
    )
    .option("--roles <list>", `what it does, of storage, provider, validator, challenger`, "storage")
    .description("register the account as an operator, or change what it registered")
    .addHelpText("after", "\nExample:\n  $ assay stake register --endpoint /dns4/keeper.example.org/tcp/4701")
    .action(
      register.action(async (context, options: RegisterOptions) =>
        (await actions()).registerOperator(context, options),
      ),
    );

  stake
    .command("add")
    .argument("<amount>", "tokens", tokens)
    .description("add tokens to the stake")
    .addHelpText("after", "\nExample:\n  $ assay stake add 1000")
    .action(register.action(async (context, amount: bigint) => (await actions()).add(context, amount)));

  stake
    .command("unbond")
    .argument("<amount>", "tokens", tokens)
    .description("start to take unlocked stake out; it can be withdrawn after the unbonding delay")
    .addHelpText("after", "\nExample:\n  $ assay stake unbond 250.5")
    .action(register.action(async (context, amount: bigint) => (await actions()).unbond(context, amount)));

  stake
    .command("retire")
    .description(
      "take no new duties any more; those that are there go on, and the stake can be unbonded as before",
    )
    .addHelpText("after", "\nExample:\n  $ assay stake retire")
    .action(register.action(async (context) => (await actions()).retire(context)));

  stake
    .command("withdraw")
    .option("--to <address>", "who gets the tokens; the account by default", address)
    .description("withdraw unbonded stake whose delay is over, and credits")
    .addHelpText("after", "\nExample:\n  $ assay stake withdraw")
    .action(
      register.action(async (context, options: { to?: Address }) =>
        (await actions()).withdraw(context, options),
      ),
    );
}
