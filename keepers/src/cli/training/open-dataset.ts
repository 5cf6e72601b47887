import { join } from "node:path";
import type { Hex } from "viem";
import { openStoredObjects } from "../../roles/stored-objects.ts";
import { readingSecret } from "../../storage/client/dataset-key.ts";
import { openSource } from "../../storage/readers/open-source.ts";
import type { DatasetConfig } from "../../training/config/schema.ts";
import { DatasetError } from "../../training/data/errors.ts";
import { fixedSizeObjects } from "../../training/data/fixed-size.ts";
import type { ObjectSequence } from "../../training/data/types.ts";
import type { CommandContext } from "../context.ts";

/**
 * Opens what a configuration names as its dataset: built-in, downloaded, a file or folder (an absolute path), or a stored
 * dataset, whose objects are checked against their anchored hashes.
 *
 * @throws DatasetError, UnreadableFileError, DownloadError; what fetching a stored dataset throws
 */
export async function openObjects(
  context: CommandContext,
  { source, kind, objectBytes, labels, csv }: Omit<DatasetConfig, "split">,
): Promise<ObjectSequence> {
  if (/^0x[0-9a-fA-F]{64}$/.test(source)) return await openStored(context, source.toLowerCase() as Hex);
  if (kind === "objects" || (kind === undefined && objectBytes !== undefined)) {
    return await fixedSizeObjects(source, objectBytes);
  }
  const data = await openSource(source, { kind, labels, csv: { label: "last", ...csv } });
  if (data.objectCount === undefined) {
    throw new DatasetError(`${source} holds no records of one size.`, {
      next: "Name an IDX or CSV file, or set dataset.kind to objects and dataset.objectBytes to their size.",
    });
  }
  const format = data.format();
  return { ...data, records: format.kind === "records" ? format : undefined };
}

async function openStored(context: CommandContext, datasetId: Hex): Promise<ObjectSequence> {
  const { output, signal } = context;
  return await openStoredObjects(await context.storageClient(), {
    datasetId,
    directory: join(await context.stateFolder(), "downloads"),
    secret: context.hasAccount() ? await readingSecret(await context.account()) : undefined,
    signal,
    onProgress: (progress) => output.progress(progress),
  });
}
