import type { Address, Hex } from "viem";
import type { Contracts, ReadClient } from "../../../keepers/src/chain/contracts.ts";
import { type Manifest, manifestLayout } from "../../../keepers/src/core/dataset/manifest.ts";
import { datasetStatus } from "../../../keepers/src/storage/client/anchor.ts";
import { allBundles, readHolders } from "../../../keepers/src/storage/client/dataset.ts";
import { shapeOf } from "../../../keepers/src/storage/client/terms.ts";
import type { Terms } from "./terms.ts";

/** How a dataset stands on chain. `over`: its paid audits end before a node could hold anything. */
export type Standing = "new" | "anchored" | "over" | "closed" | "fraudulent";

/** What an account has to do with a dataset it wants stored. */
export type StoreState = {
  readonly datasetId: Hex;
  readonly standing: Standing;
  readonly bond: bigint;
  readonly fees: bigint;
  readonly balance: bigint;
  /** Bundles that have a holder on chain. */
  readonly held: ReadonlySet<number>;
  /** The chain's time, in seconds since 1970. */
  readonly now: bigint;
};

/** What the chain knows of a dataset that is being stored, and what it would cost. */
export async function readStore(
  { contracts, client }: { readonly contracts: Contracts; readonly client: Pick<ReadClient, "getBlock"> },
  account: Address,
  { datasetId, manifest }: { readonly datasetId: Hex; readonly manifest: Manifest },
  { feePerAudit, epochs }: Terms,
): Promise<StoreState> {
  const registry = contracts.DatasetRegistry.read;
  const [[status, endEpoch], epoch, [bond, fees], balance, { timestamp: now }] = await Promise.all([
    registry.termsOf([datasetId]),
    registry.currentEpoch(),
    registry.quote([shapeOf(manifest), feePerAudit, epochs]),
    contracts.AssayToken.read.balanceOf([account]),
    client.getBlock(),
  ]);
  const standing = standingOf(status, endEpoch, epoch);
  // Of what is not anchored nobody holds anything, and a large dataset has hundreds of bundles.
  const holders =
    standing === "new"
      ? []
      : await readHolders({ contracts }, datasetId, allBundles(manifestLayout(manifest)));
  const held = new Set(
    holders.filter(({ operator }) => operator !== undefined).map(({ bundleIndex }) => bundleIndex),
  );
  return { datasetId, standing, bond, fees, balance, held, now };
}

export function standingOf(status: number, endEpoch: number, epoch: number): Standing {
  if (status === datasetStatus.none) return "new";
  if (status === datasetStatus.fraudulent) return "fraudulent";
  if (status === datasetStatus.closed) return "closed";
  // Who is placed now is audited from the next epoch on.
  return epoch + 1 < endEpoch ? "anchored" : "over";
}

/** The least number of bundles of a segment that are promised or held: below k nothing may be paid for. */
export function leastOfSegment({ n }: Manifest, segments: number, known: ReadonlySet<number>): number {
  const counts = new Array<number>(segments).fill(0);
  for (const bundleIndex of known) counts[Math.floor(bundleIndex / n)]!++;
  return Math.min(...counts);
}
