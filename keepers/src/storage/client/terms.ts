import { type Address, type Hex, keccak256, zeroHash } from "viem";
import { addressOf, type Contracts } from "../../chain/contracts.ts";
import type { Deployment } from "../../chain/deployment-format.ts";
import type { Manifest } from "../../core/dataset/manifest.ts";
import { type DatasetTerms, datasetId, type RegistryParameters } from "../../core/ids.ts";
import { manifestTree } from "./roots.ts";

/** What an owner decides of a dataset's terms. */
export type OwnTerms = {
  /** Token base units for each bundle and answered audit. */
  readonly feePerAudit: bigint;
  /** Epochs paid in advance. */
  readonly epochs: number;
  /** Dataset of the same owner that this one follows. */
  readonly previous?: Hex;
};

/** Terms as far as the manifest does not say them: what an offer to a storage node adds to it. */
export type OfferedTerms = Required<OwnTerms> & { readonly parameters: RegistryParameters };

/** What an owner's dataset is anchored under if it is anchored now. */
export async function offeredTerms(
  contracts: Pick<Contracts, "DatasetRegistry">,
  { feePerAudit, epochs, previous = zeroHash }: OwnTerms,
): Promise<OfferedTerms> {
  const parameters = await contracts.DatasetRegistry.read.parameters();
  return { feePerAudit, epochs, previous, parameters };
}

/** What of a manifest an id commits to, beside what the manifest says: hashes of it that take their time. */
export type ManifestHashes = {
  /** keccak256 of its bytes. */
  readonly hash: Hex;
  /** Root over the two roots of every bundle. */
  readonly bundlesRoot: Hex;
};

/** The hashes of a manifest. */
export function manifestHashes(manifest: Manifest, bytes: Uint8Array): ManifestHashes {
  return { hash: keccak256(bytes), bundlesRoot: manifestTree(manifest).root };
}

function termsOf(manifest: Manifest, bundlesRoot: Hex, offered: OfferedTerms): DatasetTerms {
  const { feePerAudit, epochs, previous, parameters } = offered;
  const objectRoot = manifest.objectRoot as Hex;
  return { shape: shapeOf(manifest), objectRoot, bundlesRoot, previous, feePerAudit, epochs, parameters };
}

/** The id of a dataset that is offered, which nobody else can anchor, nor under other terms. */
export function offeredId(
  deployment: Deployment,
  owner: Address,
  manifest: Manifest,
  { hash, bundlesRoot }: ManifestHashes,
  offered: OfferedTerms,
): Hex {
  return datasetId({
    chainId: deployment.chainId,
    registry: addressOf(deployment, "DatasetRegistry"),
    owner,
    manifestHash: hash,
    terms: termsOf(manifest, bundlesRoot, offered),
  });
}

/** The shape as the registry takes it. */
export function shapeOf(manifest: Manifest) {
  return {
    objectCount: BigInt(manifest.objectCount),
    objectSize: manifest.objectSize,
    segmentObjects: manifest.segmentObjects,
    k: manifest.k,
    n: manifest.n,
    encrypted: manifest.encryption !== null,
  };
}

/** Whether the registry would have a dataset take over the same as it did before. */
export function areSameParameters(a: RegistryParameters, b: RegistryParameters): boolean {
  return (
    a.bondPerBundle === b.bondPerBundle &&
    a.bundleStake === b.bundleStake &&
    a.missPenalty === b.missPenalty &&
    a.surrenderPenalty === b.surrenderPenalty &&
    a.policy.toLowerCase() === b.policy.toLowerCase()
  );
}

/**
 * The epoch before which a node's duty shall end at the latest, for a dataset that is anchored within the life of its
 * receipt and paid for `epochs` epochs.
 *
 * @param epoch the present one
 * @param epochLength seconds
 * @param receiptTerm seconds that the receipt is good for
 */
export function latestEndFor(
  epochs: number,
  epoch: number,
  epochLength: number,
  receiptTerm: bigint,
): number {
  // It is paid for from the epoch after the one in which it is anchored on.
  return epoch + Math.ceil(Number(receiptTerm) / epochLength) + 1 + epochs;
}

type Written = {
  feePerAudit: string;
  epochs: number;
  previous: Hex;
  parameters: {
    bondPerBundle: string;
    bundleStake: string;
    missPenalty: string;
    surrenderPenalty: string;
    policy: Hex;
  };
};

/** Terms as they travel and are written down: amounts as decimal strings, addresses in lower case. */
export function writeTerms({ feePerAudit, epochs, previous, parameters }: OfferedTerms): Written {
  const { bondPerBundle, bundleStake, missPenalty, surrenderPenalty, policy } = parameters;
  return {
    feePerAudit: feePerAudit.toString(),
    epochs,
    previous,
    parameters: {
      bondPerBundle: bondPerBundle.toString(),
      bundleStake: bundleStake.toString(),
      missPenalty: missPenalty.toString(),
      surrenderPenalty: surrenderPenalty.toString(),
      policy: policy.toLowerCase() as Hex,
    },
  };
}

/** The other way round; what is read has been checked for its form. */
export function readTerms({ feePerAudit, epochs, previous, parameters }: Written): OfferedTerms {
  const { bondPerBundle, bundleStake, missPenalty, surrenderPenalty, policy } = parameters;
  return {
    feePerAudit: BigInt(feePerAudit),
    epochs,
    previous,
    parameters: {
      bondPerBundle: BigInt(bondPerBundle),
      bundleStake: BigInt(bundleStake),
      missPenalty: BigInt(missPenalty),
      surrenderPenalty: BigInt(surrenderPenalty),
      policy,
    },
  };
}
