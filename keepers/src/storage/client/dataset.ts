import { type Address, type Hex, hexToBytes, isHex, keccak256, zeroAddress, zeroHash } from "viem";
import { type DatasetLayout, datasetLayout } from "../../core/dataset/layout.ts";
import { type Manifest, manifestCid, parseManifest } from "../../core/dataset/manifest.ts";
import { BadInputError } from "../../core/errors.ts";
import { bundleId } from "../../core/ids.ts";
import { datasetStatus } from "./anchor.ts";
import type { ChainView } from "./client.ts";
import { MalformedManifestError, ManifestMismatchError, UnknownDatasetError } from "./errors.ts";
import { orUsual } from "./or-usual.ts";
import { readLogs } from "./read-logs.ts";
import { type BundlesTree, manifestTree } from "./roots.ts";

/** What the chain says about a dataset. */
export type AnchoredDataset = {
  datasetId: Hex;
  anchor: Awaited<ReturnType<ChainView["contracts"]["DatasetRegistry"]["read"]["datasetOf"]>>;
  layout: DatasetLayout;
};

/** A dataset whose manifest was found and agrees with the anchor. */
export type KnownDataset = AnchoredDataset & { manifest: Manifest; tree: BundlesTree };

/** Who holds a bundle at present. */
export type Holder = {
  bundleIndex: number;
  operator: Address | undefined;
  /** Whether anybody holds it or ever held it. */
  wasHeld: boolean;
  /** First epoch the operator answers for. */
  since: number;
  /** Cover through which it answers for the bundle; undefined when it answers for the bundle itself. */
  coverId: Hex | undefined;
};

/** Checks the form of a dataset id from outside. @throws BadInputError */
export function parseDatasetId(text: string): Hex {
  const lower = text.toLowerCase();
  if (isHex(lower) && lower.length === 66) return lower;
  throw new BadInputError(`${JSON.stringify(text.slice(0, 80))} is not a dataset id`, {
    next: "A dataset id is 0x and 64 hexadecimal digits; `assay data list` shows yours.",
  });
}

/**
 * Reads a dataset's anchor, as the endpoints agree on it: what is fetched later is held against it, so that one that is wrong
 * makes a whole dataset look wrong. Where too few of them answer, one is believed.
 *
 * @throws UnknownDatasetError; InconsistentAnswerError when they contradict each other
 */
export async function readAnchor(
  { contracts, confirmed = contracts }: ChainView,
  datasetId: Hex,
): Promise<AnchoredDataset> {
  const read = (chain: typeof contracts) => chain.DatasetRegistry.read.datasetOf([datasetId]);
  const anchor = await orUsual(confirmed, contracts, read);
  if (anchor.status === datasetStatus.none) throw new UnknownDatasetError(datasetId);
  const { shape } = anchor;
  const layout = datasetLayout({ ...shape, objectCount: Number(shape.objectCount) });
  return { datasetId, anchor, layout };
}

/**
 * Reads a manifest and compares every field that the chain knows.
 * @throws MalformedManifestError, ManifestMismatchError when it contradicts the anchor
 */
export function checkManifest(dataset: AnchoredDataset, bytes: Uint8Array): KnownDataset {
  const { anchor } = dataset;
  if (keccak256(bytes) !== anchor.manifestHash) throw new ManifestMismatchError("manifestHash");
  const manifest = anchoredManifest(bytes);
  const { shape } = anchor;
  const facts: [string, boolean][] = [
    ["k", manifest.k === shape.k],
    ["n", manifest.n === shape.n],
    ["objectCount", BigInt(manifest.objectCount) === shape.objectCount],
    ["objectSize", manifest.objectSize === shape.objectSize],
    ["segmentObjects", manifest.segmentObjects === shape.segmentObjects],
    ["encryption", (manifest.encryption !== null) === shape.encrypted],
    ["objectRoot", manifest.objectRoot === anchor.objectRoot],
  ];
  const wrong = facts.find(([, holds]) => !holds);
  if (wrong !== undefined) throw new ManifestMismatchError(wrong[0]);
  const tree = manifestTree(manifest);
  if (tree.root !== anchor.bundlesRoot) throw new ManifestMismatchError("bundles");
  return { ...dataset, manifest, tree };
}

function anchoredManifest(bytes: Uint8Array): Manifest {
  try {
    return parseManifest(bytes);
  } catch (error) {
    throw error instanceof BadInputError ? new MalformedManifestError(error) : error;
  }
}

/** The holders of bundles, in the order asked for. */
export async function readHolders(
  { contracts }: Pick<ChainView, "contracts">,
  datasetId: Hex,
  bundleIndices: readonly number[],
): Promise<Holder[]> {
  return Promise.all(
    bundleIndices.map(async (bundleIndex) => {
      const id = bundleId(datasetId, bundleIndex);
      const holding = await contracts.BundleRegistry.read.holdingOf([id]);
      const { operator, since, coverId } = holding;
      return {
        bundleIndex,
        operator: operator === zeroAddress ? undefined : operator,
        wasHeld: holding.tenure !== 0,
        since,
        coverId: coverId === zeroHash ? undefined : coverId,
      };
    }),
  );
}

/** All bundle indices of a dataset. */
export function allBundles({ bundles }: DatasetLayout): number[] {
  return Array.from({ length: bundles }, (_, bundleIndex) => bundleIndex);
}

/** The manifest's CID, from the event that anchored the dataset. */
export async function anchoredManifestCid(client: ChainView, datasetId: Hex): Promise<string> {
  const [event] = await readLogs(client, "DatasetRegistry", "DatasetAnchored", { datasetId });
  if (event === undefined) throw new UnknownDatasetError(datasetId);
  return manifestCid(hexToBytes(event.args.manifestDigest));
}
