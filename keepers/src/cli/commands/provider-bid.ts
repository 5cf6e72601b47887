import type { Command } from "commander";
import type { BidOptions } from "../actions/provider-bid.ts";
import type { Register } from "../register.ts";
import { bits, natural, tier, tokens } from "./options.ts";

/** `assay provider bid` */
export function bidCommand(provider: Command, register: Register): void {
  provider
    .command("bid")
    .argument("<order>", "file of a signed order, as `assay order sign` writes it")
    .requiredOption("--price <tokens>", "price, in tokens or in what the order's feed counts in", tokens)
    .requiredOption("--to <file>", "file for the signed bid")
    .option("--compute <score>", "compute score that the bid declares", natural(0, 2 ** 32 - 1), 1)
    .option("--region <number>", "region that the bid declares", natural(0, 63))
    .option("--regulations <numbers>", "regulations that the bid declares, with commas between", bits)
    .option("--privacy <tier>", "privacy tier that the bid declares", tier, 0)
    .option(
      "--expiry <seconds>",
      "how long it can be taken from now on; as long as the order by default",
      natural(60, 2 ** 31),
    )
    .description("sign a bid for a signed order and write it to a file; nothing is sent")
    .addHelpText(
      "after",
      `
A provider that runs under the same account locks and trains what its bids win.

Example:
  $ assay provider bid order.json --price 40 --regulations 3,7 --privacy 1 --to bid.json`,
    )
    .action(
      register.action(async (context, order: string, options: BidOptions) =>
        (await import("../actions/provider-bid.ts")).signBid(context, order, options),
      ),
    );
}
