import type { Address, Hex } from "viem";
import { datasetStatus } from "./anchor.ts";
import type { StorageClient } from "./client.ts";
import { readLogs } from "./read-logs.ts";

export type ListedDataset = {
  datasetId: Hex;
  owner: Address;
  status: keyof typeof datasetStatus;
  objectCount: number;
  objectSize: number;
  k: number;
  n: number;
  encrypted: boolean;
  bundles: number;
  held: number;
  /** First epoch that is not paid any more. */
  endEpoch: number;
  /** Version that follows; undefined when this one is the latest. */
  successor: Hex | undefined;
};

/** The datasets of an owner, or of everybody, in the order in which they were anchored. */
export async function listDatasets(
  client: StorageClient,
  { owner }: { owner?: Address } = {},
): Promise<ListedDataset[]> {
  const registry = client.contracts.DatasetRegistry.read;
  const events = await readLogs(
    client,
    "DatasetRegistry",
    "DatasetAnchored",
    owner === undefined ? {} : { owner },
  );
  return Promise.all(
    events.map(async ({ args }) => {
      const id = args.datasetId;
      const [anchor, successor] = await Promise.all([registry.datasetOf([id]), registry.successorOf([id])]);
      const { shape } = anchor;
      return {
        datasetId: id,
        owner: anchor.owner,
        status: statusName(anchor.status),
        objectCount: Number(shape.objectCount),
        objectSize: shape.objectSize,
        k: shape.k,
        n: shape.n,
        encrypted: shape.encrypted,
        bundles: anchor.bundles,
        held: anchor.held,
        endEpoch: anchor.endEpoch,
        successor: BigInt(successor) === 0n ? undefined : successor,
      };
    }),
  );
}

/** The word for a status of `IDatasetRegistry.Status`. */
export function statusName(status: number): keyof typeof datasetStatus {
  const found = Object.entries(datasetStatus).find(([, value]) => value === status);
  return (found?.[0] ?? "none") as keyof typeof datasetStatus;
}
