import { existsSync } from "node:fs";
import { join } from "node:path";
import { formatUnits, type Hex, hexToBytes, isHex } from "viem";
import { exitCode } from "../../core/errors.ts";
import { parseDatasetId } from "../../storage/client/dataset.ts";
import { readingKey } from "../../storage/client/dataset-key.ts";
import { fingerprint } from "../../storage/client/fingerprint.ts";
import { type PutResult, put } from "../../storage/client/put.ts";
import { CommitPool } from "../../storage/commit-pool.ts";
import type { SourceKind } from "../../storage/readers/kinds.ts";
import { openSource } from "../../storage/readers/open-source.ts";
import type { CommandContext } from "../context.ts";
import { UsageError } from "../errors.ts";

export type PutOptions = {
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
export async function putDataset(
  context: CommandContext,
  specifier: string,
  options: PutOptions,
): Promise<number> {
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
    if (file !== undefined && existsSync(file)) parts.push(file, await fingerprint(file));
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
  const { datasetId, name, objectCount, objectSize, k, n, segments, placed, notPlaced, failures, unread } =
    result;
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
  if (unread.length > 0) {
    lines.push(
      `unread    ${unread.length} holders did not give their bundles back; the copy here is kept, run it again:`,
    );
    lines.push(
      ...unread.map(({ bundleIndex, operator, reason }) => `  bundle ${bundleIndex}, ${operator}: ${reason}`),
    );
  }
  if (notPlaced.length > 0) {
    lines.push(`missing   ${notPlaced.length} bundles have no holder; run the same command again to go on:`);
    lines.push(...notPlaced.map(({ bundleIndex, reason }) => `  bundle ${bundleIndex}: ${reason}`));
  }
  return lines;
}
