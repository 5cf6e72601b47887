import type { Command } from "commander";
import type { Register } from "../register.ts";
import { defaultKeyName } from "../settings.ts";

const actions = () => import("../actions/account.ts");

/** `assay account`: encrypted keys in the folder of local state. */
export function accountCommands(program: Command, register: Register): void {
  const account = program.command("account").description("keys: make, import and list encrypted keystores");

  account
    .command("new")
    .argument("[name]", "what to call it", defaultKeyName)
    .description("make a new key and write its keystore (Web3 Secret Storage, as geth and Foundry use)")
    .addHelpText("after", "\nExample:\n  $ ASSAY_PASSWORD_FILE=password.txt assay account new operator")
    .action(register.action(async (context, name: string) => (await actions()).create(context, name)));

  account
    .command("import")
    .argument("[name]", "what to call it", defaultKeyName)
    .option("--from <keystore>", "keystore file of another program; without it, the key in ASSAY_PRIVATE_KEY")
    .description("encrypt an existing key into a keystore of this folder")
    .addHelpText(
      "after",
      "\nExample:\n  $ assay account import operator --from ~/.foundry/keystores/operator",
    )
    .action(
      register.action(async (context, name: string, options: { from?: string }) =>
        (await actions()).importKey(context, name, options),
      ),
    );

  account
    .command("list")
    .description("list the keystores of this folder; no password is needed")
    .addHelpText("after", "\nExample:\n  $ assay account list --json")
    .action(register.action(async (context) => (await actions()).list(context)));

  account
    .command("show")
    .description(
      "show the account that commands act for, and the key with which others can encrypt datasets for it",
    )
    .addHelpText("after", "\nExample:\n  $ assay account show --keystore .assay/keys/operator.json")
    .action(register.action(async (context) => (await actions()).show(context)));
}
