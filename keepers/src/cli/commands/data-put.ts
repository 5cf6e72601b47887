import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Command } from "commander";
import { formatUnits, type Hex, hexToBytes, isHex } from "viem";
import { exitCode } from "../../core/errors.ts";
import { parseDatasetId } from "../../storage/client/dataset.ts";
import { readingKey } from "../../storage/client/dataset-key.ts";
import { fingerprint } from "../../storage/client/fingerprint.ts";
import { type PutResult, put } from "../../storage/client/put.ts";
import { CommitPool } from "../../storage/commit-pool.ts";
import { openSource, type SourceKind, sourceKinds } from "../../storage/readers/open-source.ts";
import type { CommandContext } from "../context.ts";
import { UsageError } from "../errors.ts";
import type { Register } from "../register.ts";
import { natural, oneOf, tokens } from "./options.ts";

type PutOptions = {
  name?: string;
  licence?: string;
  description?: string;
  as?: SourceKind;
  labels?: string;
  labelColumn?: string;
  objectSize?: number;
  dataShards: number;
  shards: number;
  segmentObjects?: number;
  encrypt?: boolean;
  recipient?: string[];
  fee: bigint;
  epochs: number;
  previous?: string;
  parallel: number;
};

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
    .option("--fee <tokens>", "fee per bundle and answered audit", tokens, 10n ** 15n)
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
    .action(register.action((context, source: string, options: PutOptions) => run(context, source, options)));
}

async function run(context: CommandContext, specifier: string, options: PutOptions): Promise<number> {
  const { output, signal } = context;
  const { source, identity } = await open(context, specifier, options);
  const client = await context.storageWriter();
  const pool = new CommitPool();
  context.onClose(() => pool.close());
  const own = await readingKey(client.account);
  const others = (options.recipient ?? []).map(recipientKey);
  const result = await put(client, {
    source,
    identity,
    directory: join(await context.stateFolder(), "uploads"),
    commit: (bundle) => pool.commit(bundle),
    name: options.name,
    licence: options.licence,
    description: options.description,
    k: options.dataShards,
    n: options.shards,
    segmentObjects: options.segmentObjects,
    recipients: options.encrypt === true || others.length > 0 ? [own, ...others] : undefined,
    feePerAudit: options.fee,
    epochs: options.epochs,
    previous: options.previous === undefined ? undefined : parseDatasetId(options.previous),
    parallel: options.parallel,
    signal,
    onProgress: (progress) => output.progress(progress),
  });
  output.result(result, describe(result));
  return result.complete ? exitCode.ok : exitCode.partial;
}

/** Opens the source and says what makes it this one, so that another put of it is recognised. */
async function open(context: CommandContext, specifier: string, options: PutOptions) {
  const builtIn = options.as === undefined && /^(digits|mnist(:(train|test))?)$/.test(specifier);
  const path = builtIn ? specifier : context.path(specifier);
  const { labels, labelColumn, objectSize } = options;
  const labelsPath = labels === undefined ? undefined : context.path(labels);
  const source = await openSource(path, {
    kind: options.as,
    labels: labelsPath,
    objectSize,
    csv: labelColumn === undefined ? undefined : { label: columnOf(labelColumn) },
  });
  const parts = [path, options.as ?? "", labelColumn ?? "", String(objectSize ?? "")];
  for (const file of builtIn ? [] : [path, labelsPath]) {
    if (file !== undefined && existsSync(file)) parts.push(resolve(file), await fingerprint(file));
  }
  return { source, identity: parts.join("\n") };
}

/** A CSV column by its number when it is one, else by its name. */
function columnOf(text: string): string | number {
  return /^\d+$/.test(text) ? Number(text) : text;
}

function recipientKey(text: string): Uint8Array {
  if (isHex(text) && text.length === 66) return hexToBytes(text as Hex);
  throw new UsageError(`${JSON.stringify(text.slice(0, 80))} is not a reading key`, {
    next: "A reading key is 0x and 64 hexadecimal digits; `assay account show` prints one's own.",
  });
}

function describe(result: PutResult): string[] {
  const { datasetId, name, objectCount, objectSize, k, n, segments, placed, notPlaced, failures } = result;
  const lines = [
    `dataset   ${datasetId}`,
    `name      ${name}${result.encrypted ? " (encrypted)" : ""}`,
    `objects   ${objectCount} of ${objectSize} bytes, in ${segments} × ${n} bundles, any ${k} of ${n} are enough`,
    `holders   ${placed.length} of ${segments * n} bundles; operators drawn by stake from ${result.seedSource}`,
    `manifest  ${result.manifestCid}`,
    `paid      ${formatUnits(result.bond, 18)} bond and ${formatUnits(result.fees, 18)} fees, tokens`,
  ];
  if (failures.length > 0) {
    lines.push(`replaced  ${failures.length} operators that refused or failed:`);
    lines.push(
      ...failures.map(
        ({ operator, bundleIndex, reason }) => `  ${operator}, bundle ${bundleIndex}: ${reason}`,
      ),
    );
  }
  if (notPlaced.length > 0) {
    lines.push(`missing   ${notPlaced.length} bundles have no holder; run the same command again to go on:`);
    lines.push(...notPlaced.map(({ bundleIndex, reason }) => `  bundle ${bundleIndex}: ${reason}`));
  }
  return lines;
}
