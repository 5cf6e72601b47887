import { type Command, InvalidArgumentError, Option } from "commander";
import type { OrderOptions } from "../actions/order.ts";
import type { Register } from "../register.ts";
import { natural, tokens } from "./options.ts";

const actions = () => import("../actions/order.ts");
const day = 86_400;

/** `assay order`: trainings that others do. */
export function orderCommands(program: Command, register: Register): void {
  const order = program.command("order").description("have a model trained by strangers");

  order
    .command("create")
    .argument("<config>", "YAML or JSON file that says what is trained, and how, as for `assay train`")
    .option("--dataset <id>", "the stored dataset, instead of the configuration's dataset.source")
    .option("--model <id>", "the stored dataset that holds the ONNX file, where the configuration names one")
    .requiredOption("--price <tokens>", "most that is paid; it is the deposit", tokens)
    .option(
      "--training-time <seconds>",
      "from the provider's lock to its commitment",
      natural(1, 2 ** 31),
      day,
    )
    .option("--expiry <seconds>", "how long it can be matched from now on", natural(60, 2 ** 31), day)
    .option("--auction", "sealed bids instead of the first provider that takes it")
    .option("--commit-window <seconds>", "in which bids are sealed", natural(10, 7 * day), 3_600)
    .option("--reveal-window <seconds>", "in which bids are opened", natural(10, 7 * day), 3_600)
    .option("--committee <members>", "validators that check samples of the work", natural(1, 64))
    .option("--threshold <members>", "how many of them must agree; more than half by default", natural(1, 64))
    .addOption(
      new Option("--check-fee <tokens>", "for each interval that a member checks")
        .argParser(tokens)
        .default(10n ** 16n, "0.01"),
    )
    .option(
      "--instalments <parts>",
      "equal parts in which the price is paid, all but the last for checkpoints that nobody has shown wrong",
      natural(1, 16),
      1,
    )
    .description("order a training on a stored dataset; the deposit is paid when somebody takes it")
    .addHelpText(
      "after",
      `
Examples:
  $ assay order create digits.yaml --dataset 0x5c3f… --price 50
  $ assay order create digits.yaml --dataset 0x5c3f… --price 50 --auction --json`,
    )
    .action(
      register.action(async (context, config: string, options: OrderOptions) =>
        (await actions()).createOrder(context, config, options),
      ),
    );

  order
    .command("cancel")
    .argument("<nonce>", "of the order, as `assay order create` printed it", nonce)
    .description("make an order that nobody has taken unusable")
    .addHelpText("after", "\nExample:\n  $ assay order cancel 4711")
    .action(register.action(async (context, value: bigint) => (await actions()).cancelOrder(context, value)));
}

function nonce(text: string): bigint {
  if (/^\d{1,78}$/.test(text)) return BigInt(text);
  throw new InvalidArgumentError("It must be a whole number.");
}
