import { type Command, InvalidArgumentError, Option } from "commander";
import type { CreateOptions, SignOptions } from "../actions/order.ts";
import type { Register } from "../register.ts";
import { address, bits, natural, tier, tokens } from "./options.ts";

const actions = () => import("../actions/order.ts");
const matching = () => import("../actions/order-match.ts");
const day = 86_400;

/** `assay order`: trainings that others do. */
export function orderCommands(program: Command, register: Register): void {
  const order = program.command("order").description("have a model trained by strangers");

  described(order.command("create"))
    .option("--auction", "sealed bids instead of the first provider that takes it")
    .option("--commit-window <seconds>", "in which bids are sealed", natural(10, 7 * day), 3_600)
    .option("--reveal-window <seconds>", "in which bids are opened", natural(10, 7 * day), 3_600)
    .description("order a training on a stored dataset; the deposit is paid when somebody takes it")
    .addHelpText(
      "after",
      `
Examples:
  $ assay order create digits.yaml --dataset 0x5c3f… --price 50
  $ assay order create digits.yaml --dataset 0x5c3f… --price 50 --auction --json
  $ assay order create digits.yaml --dataset 0x5c3f… --price 20 --feed 0x8fFf…  (20 of what the feed counts in)`,
    )
    .action(
      register.action(async (context, config: string, options: CreateOptions) =>
        (await actions()).createOrder(context, config, options),
      ),
    );

  described(order.command("sign"))
    .requiredOption("--to <file>", "file for the signed order")
    .option("--fund", "let the escrow pull what it costs, so that others can bring it together with a bid")
    .description("sign an order and write it to a file; nothing is posted")
    .addHelpText(
      "after",
      "\nExample:\n  $ assay order sign digits.yaml --dataset 0x5c3f… --price 50 --to order.json",
    )
    .action(
      register.action(async (context, config: string, options: SignOptions) =>
        (await actions()).signOrder(context, config, options),
      ),
    );

  order
    .command("accept")
    .argument("<order>", "file of a signed order")
    .argument("<bid>", "file of a signed bid, as `assay provider bid` writes it")
    .description("bring a signed order and a signed bid together; one's own order is paid for by a permit")
    .addHelpText("after", "\nExample:\n  $ assay order accept order.json bid.json")
    .action(
      register.action(async (context, orderPath: string, bidPath: string) =>
        (await matching()).acceptBid(context, orderPath, bidPath),
      ),
    );

  order
    .command("bids")
    .argument("<job>", "number of the job")
    .description("show the sealed bids of an auction, and what those offer that were opened")
    .addHelpText("after", "\nExample:\n  $ assay order bids 7")
    .action(register.action(async (context, id: string) => (await matching()).showBids(context, id)));

  order
    .command("cancel")
    .argument("<nonce>", "of the order, as `assay order create` printed it", nonce)
    .description("make an order that nobody has taken unusable")
    .addHelpText("after", "\nExample:\n  $ assay order cancel 4711")
    .action(register.action(async (context, value: bigint) => (await actions()).cancelOrder(context, value)));
}

/** What `create` and `sign` have in common: what is ordered, and on which terms. */
function described(command: Command): Command {
  return command
    .argument("<config>", "YAML or JSON file that says what is trained, and how, as for `assay train`")
    .option("--dataset <id>", "the stored dataset, instead of the configuration's dataset.source")
    .option("--model <id>", "the stored dataset that holds the ONNX file, where the configuration names one")
    .requiredOption("--price <tokens>", "most that is paid, in tokens or in what the feed counts in", tokens)
    .option("--feed <address>", "listed Chainlink feed that says what a whole token is worth", address)
    .option(
      "--deposit <tokens>",
      "most tokens that leave the account; the price, with a feed its worth and a tenth more",
      tokens,
    )
    .option(
      "--training-time <seconds>",
      "from the provider's lock to its commitment; providers take twice their own time and five minutes",
      natural(1, 2 ** 31),
      day,
    )
    .option("--expiry <seconds>", "how long it can be matched from now on", natural(60, 2 ** 31), day)
    .option("--least-compute <score>", "compute score that a bid must declare", natural(0, 2 ** 32 - 1), 0)
    .option(
      "--regions <numbers>",
      "regions from which bids are taken, with commas between; any by default",
      bits,
    )
    .option(
      "--regulations <numbers>",
      "regulations that the provider is to fulfil, all of them, with commas between",
      bits,
    )
    .option("--privacy <tier>", "least privacy tier of a bid", tier, 0)
    .option("--committee <members>", "validators that check samples of the work", natural(1, 64))
    .option("--threshold <members>", "how many of them must agree; more than half by default", natural(1, 64))
    .addOption(
      new Option("--check-fee <tokens>", "for each interval that a member checks")
        .argParser(tokens)
        .default(10n ** 17n, "0.1"),
    )
    .option(
      "--instalments <parts>",
      "equal parts in which the price is paid, all but the last for checkpoints that nobody has shown wrong",
      natural(1, 16),
      1,
    );
}

function nonce(text: string): bigint {
  if (/^\d{1,78}$/.test(text)) return BigInt(text);
  throw new InvalidArgumentError("It must be a whole number.");
}
