import type { Address, Hex } from "viem";
import type { ReadClient } from "../../../keepers/src/chain/contracts.ts";
import type { Deployment } from "../../../keepers/src/chain/deployment-format.ts";
import { readChainProofs } from "../../../keepers/src/storage/client/chain-proofs.ts";
import type { ChainView } from "../../../keepers/src/storage/client/client.ts";
import {
  allBundles,
  checkManifest,
  readAnchor,
  readHolders,
} from "../../../keepers/src/storage/client/dataset.ts";
import { readVerifyingKeys } from "../../../keepers/src/storage/client/verifying-keys.ts";
import { fetchManifest } from "../data/fetch-manifest.ts";
import type { CallOptions } from "../engine/client.ts";
import { theEngine } from "./engine.ts";

/** A proof that a holder gave, and whether it holds. */
export type CheckedProof = {
  readonly bundles: readonly number[];
  readonly operator: Address;
  readonly epoch: number;
  readonly transaction: Hex;
  /** Whether it is for the bundle alone, or for all bundles that its holder answers for at once. */
  readonly isCover: boolean;
  readonly holds: boolean;
};

export type CheckedProofs = {
  readonly proofs: readonly CheckedProof[];
  readonly unread: readonly { readonly bundleIndex: number; readonly reason: string }[];
  readonly unanswered: readonly { readonly bundleIndex: number; readonly overdue: boolean }[];
};

export type DatasetToCheck = { readonly id: string; readonly manifestDigest: string };

/**
 * Verifies the newest audit answer of every holder of a dataset. Proofs come from the calldata of their transactions; what
 * they are held against (roots, challenged cells, the epoch's seed, the verifying keys) is read from the chain, or computed
 * from a manifest that is held against its anchor.
 * @throws Error for a manifest that cannot be had or is another one; what the endpoint throws
 */
export async function checkProofs(
  parts: Omit<ChainView, "chain"> & { readonly client: ReadClient; readonly deployment: Deployment },
  gateway: string,
  { id, manifestDigest }: DatasetToCheck,
  options: CallOptions,
): Promise<CheckedProofs> {
  const { contracts, deployment, client } = parts;
  const view: ChainView = {
    contracts,
    deployment,
    chain: { public: client as ChainView["chain"]["public"] },
  };
  const [anchored, manifest] = await Promise.all([
    readAnchor(view, id as Hex),
    fetchManifest(gateway, manifestDigest as Hex, options.signal),
  ]);
  const dataset = checkManifest(anchored, manifest);
  const holders = await readHolders(view, dataset.datasetId, allBundles(dataset.layout));
  const { claims, ...rest } = await readChainProofs(view, dataset, holders, options.signal);
  const keys = await readVerifyingKeys(
    view,
    claims.map(({ kind }) => kind),
  );
  const wrong = new Set(await theEngine().call("verifyProofs", { keys, claims }, options));
  const proofs = claims.map(({ bundles, operator, epoch, transaction, kind }, position) => ({
    bundles: bundles.toSorted((a, b) => a - b),
    ...{ operator, epoch, transaction },
    isCover: kind === "covering",
    holds: !wrong.has(position),
  }));
  return { proofs: proofs.sort((a, b) => a.bundles[0]! - b.bundles[0]!), ...rest };
}
