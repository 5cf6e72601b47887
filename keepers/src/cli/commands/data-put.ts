import { type Command, Option } from "commander";
import type { PutOptions } from "../actions/put.ts";
import type { Register } from "../register.ts";
import { natural, oneOf, tokens } from "./options.ts";

const sourceKinds = ["idx", "csv", "jsonl", "lines", "folder", "file"] as const;

/** `assay data put` */
export function putCommand(data: Command, register: Register): void {
  data
    .command("put")
    .argument(
      "<source>",
      "digits (built in), mnist, mnist:test, or a path: IDX, CSV, JSON Lines, any file, a folder",
    )
    .option("--name <text>", "name of the dataset; the source's own by default")
    .option("--licence <text>", "licence of the data, an SPDX identifier say")
    .option("--description <text>", "what it is")
    .option("--as <kind>", `how to read the source: ${sourceKinds.join(", ")}`, oneOf(...sourceKinds))
    .option("--labels <file>", "IDX file of labels")
    .option("--label-column <name or number>", "CSV column of labels")
    .option("--object-size <bytes>", "bytes of an object, for files and folders", natural(1, 2 ** 31))
    .option("-k, --data-shards <count>", "bundles that are enough to restore a segment", natural(1, 36), 8)
    .option(
      "-n, --shards <count>",
      "bundles of a segment, each on an operator of its own",
      natural(2, 255),
      11,
    )
    .option(
      "--segment-objects <count>",
      "most objects of a segment; as many as fit by default",
      natural(1, 2 ** 40),
    )
    .option("--encrypt", "encrypt it for the account that acts")
    .option(
      "--recipient <key...>",
      "encrypt it for these reading keys, too (`assay account show` prints one)",
    )
    .addOption(
      new Option("--fee <tokens>", "fee per bundle and answered audit")
        .argParser(tokens)
        .default(10n ** 15n, "0.001"),
    )
    .option("--epochs <count>", "epochs paid in advance", natural(1, 16_384), 30)
    .option("--previous <datasetId>", "dataset of this account of which this is the next version")
    .option("--parallel <count>", "uploads at the same time", natural(1, 64), 6)
    .description("encode a dataset, store it with operators drawn by stake, and anchor it")
    .addHelpText(
      "after",
      `
A put that was interrupted goes on where it stopped when the same command is run again; nothing is paid twice.
It ends with code 75 when some bundles found no operator; the dataset can be restored all the same.

Examples:
  $ assay data put digits
  $ assay data put photos/ --encrypt --name holiday --epochs 365
  $ assay data put train.csv --label-column species --licence CC0-1.0`,
    )
    .action(
      register.action(async (context, source: string, options: PutOptions) =>
        (await import("../actions/put.ts")).putDataset(context, source, options),
      ),
    );
}
