import type { Address, Hex } from "viem";
import type { Contracts } from "../../../keepers/src/chain/contracts.ts";
import { type Manifest, manifestLayout } from "../../../keepers/src/core/dataset/manifest.ts";
import { datasetStatus, shapeOf } from "../../../keepers/src/storage/client/anchor.ts";
import { allBundles, readHolders } from "../../../keepers/src/storage/client/dataset.ts";

/** What an account has to do with a dataset it wants stored. */
export type StoreState = {
  readonly datasetId: Hex;
  readonly isAnchored: boolean;
  readonly bond: bigint;
  readonly fees: bigint;
  readonly balance: bigint;
  /** Bundles that have a holder on chain. */
  readonly held: ReadonlySet<number>;
};

/** What the chain knows of a dataset that is being stored, and what it would cost. */
export async function readStore(
  contracts: Contracts,
  account: Address,
  { datasetId, manifest }: { readonly datasetId: Hex; readonly manifest: Manifest },
  { feePerAudit, epochs }: { readonly feePerAudit: bigint; readonly epochs: number },
): Promise<StoreState> {
  const registry = contracts.DatasetRegistry.read;
  const [{ status }, [bond, fees], balance, holders] = await Promise.all([
    registry.datasetOf([datasetId]),
    registry.quote([shapeOf(manifest), feePerAudit, epochs]),
    contracts.AssayToken.read.balanceOf([account]),
    readHolders({ contracts }, datasetId, allBundles(manifestLayout(manifest))),
  ]);
  const held = new Set(
    holders.filter(({ operator }) => operator !== undefined).map(({ bundleIndex }) => bundleIndex),
  );
  return { datasetId, isAnchored: status !== datasetStatus.none, bond, fees, balance, held };
}

/** The least number of bundles of a segment that are promised or held: below k nothing may be paid for. */
export function leastOfSegment({ n }: Manifest, segments: number, known: ReadonlySet<number>): number {
  const counts = new Array<number>(segments).fill(0);
  for (const bundleIndex of known) counts[Math.floor(bundleIndex / n)]!++;
  return Math.min(...counts);
}
