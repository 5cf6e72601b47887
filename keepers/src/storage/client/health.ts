import type { Address, Hex } from "viem";
import { bundlePlace } from "../../core/dataset/layout.ts";
import { bundleId } from "../../core/ids.ts";
import { lossProbability } from "../../core/reliability/loss.ts";
import type { datasetStatus } from "./anchor.ts";
import type { StorageClient } from "./client.ts";
import { type AnchoredDataset, allBundles, readAnchor, readHolders } from "./dataset.ts";
import { statusName } from "./list.ts";
import { readLogs } from "./read-logs.ts";

export type BundleHealth = {
  bundleIndex: number;
  segment: number;
  /** undefined when nobody holds the bundle: it waits for its repair. */
  operator: Address | undefined;
  /** Latest epoch that its duty answered; undefined when none among those looked at. */
  answeredEpoch: number | undefined;
  /** What whoever restores the bundle is paid, token base units. */
  bounty: bigint;
};

export type DatasetHealth = {
  datasetId: Hex;
  status: keyof typeof datasetStatus;
  currentEpoch: number;
  /** First epoch that is not paid any more. */
  paidUntilEpoch: number;
  /** When that epoch begins, seconds since 1970. */
  paidUntil: number;
  feeBalance: bigint;
  bond: bigint;
  bundles: BundleHealth[];
  vacant: number;
  /** Bundles of the worst segment that can be lost before it cannot be restored any more; negative when it is lost. */
  spare: number;
  /** Assumed probability that a holder fails before its bundle is repaired. */
  failure: number;
  /** Probability that some segment is lost before a repair, given who holds bundles now. */
  lossProbability: number;
};

export type HealthParameters = {
  datasetId: Hex;
  /** Probability that one holder fails before its bundle is repaired; 0.05 by default, a pessimistic guess. */
  failure?: number;
};

/** Epochs looked back for answers. */
const epochsLookedBack = 4;

/** How a dataset stands: who holds what, who answered when, what is paid, and how likely a loss is. */
export async function datasetHealth(
  client: StorageClient,
  { datasetId, failure = 0.05 }: HealthParameters,
): Promise<DatasetHealth> {
  const dataset = await readAnchor(client, datasetId);
  const { anchor } = dataset;
  const registry = client.contracts.DatasetRegistry.read;
  const [currentEpoch, genesis, epochLength, bundles] = await Promise.all([
    registry.currentEpoch(),
    registry.genesis(),
    registry.epochLength(),
    bundleHealths(client, dataset),
  ]);
  const held = heldPerSegment(dataset, bundles);
  const { k } = dataset.layout;
  return {
    datasetId,
    status: statusName(anchor.status),
    currentEpoch,
    paidUntilEpoch: anchor.endEpoch,
    paidUntil: Number(genesis) + anchor.endEpoch * epochLength,
    feeBalance: anchor.feeBalance,
    bond: anchor.bond,
    bundles,
    vacant: bundles.filter(({ operator }) => operator === undefined).length,
    spare: Math.min(...held) - k,
    failure,
    lossProbability: anyLost(k, held, failure),
  };
}

async function bundleHealths(client: StorageClient, dataset: AnchoredDataset): Promise<BundleHealth[]> {
  const { datasetId, layout } = dataset;
  const holders = await readHolders(client, datasetId, allBundles(layout));
  const answered = await answeredEpochs(
    client,
    holders.map(({ coverId, bundleIndex }) => [bundleId(datasetId, bundleIndex), coverId]),
  );
  return Promise.all(
    holders.map(async ({ bundleIndex, operator, since }, i) => ({
      bundleIndex,
      segment: bundlePlace(layout, bundleIndex).segment,
      operator,
      answeredEpoch: answered[i]!.filter((epoch) => epoch >= since).at(-1),
      bounty: await client.contracts.BundleRegistry.read.bountyOf([bundleId(datasetId, bundleIndex)]),
    })),
  );
}

/** For each list of duties: the recent epochs that one of them answered, ascending. */
async function answeredEpochs(
  client: StorageClient,
  duties: readonly (readonly (Hex | undefined)[])[],
): Promise<number[][]> {
  const current = await client.contracts.StorageAudit.read.currentEpoch();
  const epochs = Array.from({ length: epochsLookedBack }, (_, i) => current - i).filter(
    (epoch) => epoch >= 0,
  );
  const all = [...new Set(duties.flat().filter((id) => id !== undefined))];
  const events = await readLogs(client, "StorageAudit", "AuditAnswered", { dutyId: all, epoch: epochs });
  const byDuty = new Map<Hex, number[]>();
  for (const { args } of events) byDuty.set(args.dutyId, [...(byDuty.get(args.dutyId) ?? []), args.epoch]);
  return duties.map((ids) =>
    ids.flatMap((id) => (id === undefined ? [] : (byDuty.get(id) ?? []))).sort((a, b) => a - b),
  );
}

function heldPerSegment({ layout }: AnchoredDataset, bundles: readonly BundleHealth[]): number[] {
  const held = new Array<number>(layout.segments).fill(0);
  for (const { segment, operator } of bundles) if (operator !== undefined) held[segment]!++;
  return held;
}

/** 1 − Π (1 − P(segment lost)), without losing small probabilities to rounding. */
function anyLost(k: number, held: readonly number[], failure: number): number {
  let kept = 0;
  for (const n of held) {
    if (n < k) return 1;
    kept += Math.log1p(-lossProbability({ k, n, failure }));
  }
  return -Math.expm1(kept);
}
