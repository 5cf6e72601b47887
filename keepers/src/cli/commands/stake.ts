import type { Command } from "commander";
import type { Address } from "viem";
import type { ApproveOptions, RegisterOptions } from "../actions/stake.ts";
import type { Register } from "../register.ts";
import { address, tokens } from "./options.ts";

const actions = () => import("../actions/stake.ts");

/** `assay stake`: the account as an operator. */
export function stakeCommands(program: Command, register: Register): void {
  const stake = program
    .command("stake")
    .description("operators: register, stake, approve, unbond, retire, withdraw");

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
    .option("--no-approve", "approve no contract: it can lock nothing more than was approved before")
    .description(
      "add tokens to the stake, and let the contracts of the registered roles lock as much as is staked then",
    )
    .addHelpText("after", "\nExample:\n  $ assay stake add 1000")
    .action(
      register.action(async (context, amount: bigint, options: { approve: boolean }) =>
        (await actions()).add(context, amount, options),
      ),
    );

  stake
    .command("approve")
    .option("--roles <list>", "whose contracts; the registered roles by default")
    .option(
      "--cap <amount>",
      "tokens that each contract may lock at most; the whole stake by default",
      tokens,
    )
    .option("--none", "let them lock nothing more than what they have locked now", false)
    .description(
      "say how much of the stake the contracts of a role may lock; each can slash what it has locked, no more",
    )
    .addHelpText(
      "after",
      "\nExamples:\n  $ assay stake approve --roles storage --cap 500\n  $ assay stake approve --none",
    )
    .action(
      register.action(async (context, options: ApproveOptions) =>
        (await actions()).approve(context, options),
      ),
    );

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
