import type { StorageClient } from "../storage/client/client.ts";
import { type FetchParameters, fetchDataset } from "../storage/client/get.ts";
import { DatasetError } from "../training/data/errors.ts";
import type { ObjectSequence } from "../training/data/types.ts";

/**
 * Opens a stored dataset to train on: its objects as they come from their holders, each checked against its anchored hash.
 *
 * @throws what `fetchDataset` throws; DatasetError for a dataset that holds no records of one size
 */
export async function openStoredObjects(
  client: StorageClient,
  parameters: FetchParameters,
): Promise<ObjectSequence> {
  const { dataset, objects } = await fetchDataset(client, parameters);
  const { name, objectCount, objectSize, format } = dataset.manifest;
  if (format.kind !== "records") {
    throw new DatasetError(`The dataset ${name} holds packed ${format.content}, not records of one size.`, {
      next: "Put it again as IDX or CSV.",
    });
  }
  const { datasetId } = parameters;
  return {
    name,
    objectSize,
    objectCount,
    datasetId,
    objects: () => objects(0, objectCount),
    records: format,
  };
}
