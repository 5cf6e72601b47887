import { readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Hex } from "viem";
import type { StorageClient, StorageWriter } from "../../storage/client/client.ts";
import { readAnchor } from "../../storage/client/dataset.ts";
import { get } from "../../storage/client/get.ts";
import { readKeptBundle } from "../../storage/client/kept-bundle.ts";
import type { KeptResults } from "../../storage/client/kept-results.ts";
import { orUsual } from "../../storage/client/or-usual.ts";
import { put } from "../../storage/client/put.ts";
import type { CommitBundle } from "../../storage/client/stage.ts";
import { readStream, type StoredStream, type StreamParameters } from "../../storage/client/stored-stream.ts";
import { readFolder } from "../../storage/readers/folder.ts";
import type { ObjectSequence } from "../../training/data/types.ts";
import { openStoredObjects } from "../stored-objects.ts";
import { OrderRefusedError, ResultNotPlacedError } from "./errors.ts";

/** What roles around jobs read from storage. */
export interface JobStorage {
  /** Objects of an anchored dataset, each checked against its anchored hash, to be trained on. */
  objects(datasetId: Hex, directory: string, signal?: AbortSignal): Promise<ObjectSequence>;
  /**
   * Writes the files of a stored folder into a new folder.
   *
   * @param mostBytes refused before anything is downloaded when the dataset is larger: anybody may have anchored it
   */
  folder(parameters: FolderParameters): Promise<void>;
  /** The first bytes of a stored dataset, with what contracts check them by. */
  stream(parameters: StreamParameters): Promise<StoredStream>;
}

/** What a provider stores results with. */
export interface ResultStorage extends JobStorage {
  /**
   * Stores the files of a folder as a dataset that can be read, with as many of its bundles held as there are operators for. The
   * same name and directory again goes on where it stopped, also without the folder: it has held anew what was given up
   * since, pays nothing twice, and gives the same id.
   *
   * @throws ResultNotPlacedError when no k bundles of a segment have had holders
   */
  store(parameters: StoreParameters): Promise<Hex>;
  /**
   * A bundle from the copy that is kept in a directory of uploads.
   *
   * @param transportRoot what it was anchored with
   * @returns undefined when it is not there
   */
  kept(directory: string, bundleIndex: number, transportRoot: Hex): Promise<Uint8Array | undefined>;
}

export type FolderParameters = {
  readonly datasetId: Hex;
  /** Folder to make; it appears whole, at the end. What is there stays until then: who served it once may refuse it now. */
  readonly target: string;
  /** Folder for what is on its way. */
  readonly directory: string;
  readonly mostBytes: number;
  readonly signal?: AbortSignal;
};

export type StoreParameters = {
  readonly folder: string;
  readonly name: string;
  /** Folder for what is on its way, and for the copy that is kept as long as it is there. */
  readonly directory: string;
  readonly signal?: AbortSignal;
};

/** How results are stored. */
export type ResultTerms = {
  /** Data and all bundles of a segment. */
  readonly k: number;
  readonly n: number;
  /** Token base units for each bundle and answered audit. */
  readonly feePerAudit: bigint;
  /** Epochs paid in advance. */
  readonly epochs: number;
};

/** What a dataset's objects may have more than its files: names, index, and the rest of the last object. */
const packingBytes = 1 << 16;

/**
 * Reads from the storage nodes of the network.
 *
 * @param kept results that were fetched before: they are read there, whoever serves them now
 */
export function createJobStorage(client: StorageClient, kept?: KeptResults): JobStorage {
  return {
    objects: (datasetId, directory, signal) => openStoredObjects(client, { datasetId, directory, signal }),
    stream: async (parameters) =>
      await readStream(client, {
        ...parameters,
        kept: parameters.kept ?? (await kept?.opened(parameters.datasetId)),
      }),
    async folder({ datasetId, target, directory, mostBytes, signal }) {
      const { anchor } = await readAnchor(client, datasetId);
      const { objectCount, objectSize } = anchor.shape;
      if (objectCount * BigInt(objectSize) > BigInt(mostBytes + packingBytes)) {
        throw new OrderRefusedError("dataset", `${datasetId} is larger than ${mostBytes} bytes`);
      }
      const arriving = `${target}.arriving`;
      await rm(arriving, { recursive: true, force: true });
      const known = await kept?.directoryOf(datasetId);
      const bundles = { directory: known ?? directory, keepsBundles: known !== undefined };
      await get(client, { datasetId, target: arriving, ...bundles, signal });
      await rm(target, { recursive: true, force: true });
      await rename(arriving, target);
    },
  };
}

/** Reads from the storage nodes, and stores results on them in the name of the client's account. */
export function createResultStorage(
  client: StorageWriter,
  terms: ResultTerms,
  commit: CommitBundle,
): ResultStorage {
  return {
    ...createJobStorage(client),
    async store({ folder, name, directory, signal }) {
      const { datasetId, notPlaced } = await put(client, {
        source: readFolder(folder),
        identity: name,
        name,
        directory,
        commit,
        keep: true,
        signal,
        ...terms,
      });
      // Holders that have left since, or give nothing back, must not keep it from being committed to.
      const { contracts, confirmed = contracts } = client;
      const wasHeld = ({ DatasetRegistry }: typeof contracts) => DatasetRegistry.read.wasHeld([datasetId]);
      // One endpoint alone that says no would keep it from being committed to until it is too late.
      if (!(await wasHeld(contracts)) && !(await orUsual(confirmed, contracts, wasHeld)))
        throw new ResultNotPlacedError(datasetId, notPlaced.length);
      return datasetId;
    },
    kept: readKeptBundle,
  };
}

/** The only file of a stored folder, by its path. */
export async function onlyFile(folder: string): Promise<string> {
  const names = await readdir(folder);
  if (names.length === 1) return join(folder, names[0]!);
  throw new OrderRefusedError("model", `its dataset holds ${names.length} files, not one`);
}
