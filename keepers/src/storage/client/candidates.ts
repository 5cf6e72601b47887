import { type Address, type Hex, zeroHash } from "viem";
import type { Contracts, ReadClient } from "../../chain/contracts.ts";
import type { Candidate } from "../../core/placement/choose.ts";

/** A storage operator that may be offered bundles. */
export type StorageOperator = Candidate & {
  /** How many bundles can be backed by what it lets the registry lock of its unlocked stake. */
  places: number;
};

const pageSize = 200n;
/** `IStaking.Role.Storage` */
const storageRole = 1 << 0;
/** Looking further back would cost more calls than a slightly older seed is worth. */
const epochsLookedBack = 4;

/**
 * All active operators with the storage role, an endpoint, and unlocked stake for at least one bundle that the registry may
 * lock.
 * @param bundles address of the registry of bundles
 * @param bundleStake what an operator locks for each bundle, token base units
 */
export async function storageOperators(
  contracts: Contracts,
  bundles: Address,
  bundleStake: bigint,
): Promise<StorageOperator[]> {
  const { read } = contracts.Staking;
  const count = await read.operatorCount();
  const found: StorageOperator[] = [];
  for (let offset = 0n; offset < count; offset += pageSize) {
    const page = await read.operators([offset, pageSize]);
    const [states, lockables] = await Promise.all([
      Promise.all(page.map((operator) => read.operatorOf([operator]))),
      Promise.all(page.map((operator) => read.lockable([operator, bundles]))),
    ]);
    for (const [i, { roles, stake, locked }] of states.entries()) {
      const lockable = lockables[i] as bigint;
      if ((roles & storageRole) === 0 || lockable <= 0n || lockable < bundleStake) continue;
      const places = bundleStake === 0n ? Number.POSITIVE_INFINITY : Number(lockable / bundleStake);
      found.push({ operator: page[i] as Address, stake: stake - locked, places });
    }
  }
  return found;
}

/** 32 bytes that fix the draw of operators, and in words where they come from. */
export type PlacementSeed = { seed: Hex; source: string };

/**
 * The seed of the latest epoch whose randomness is known. A network whose first epoch has no seed yet falls back to the
 * hash of the latest block, which whoever builds blocks can influence; the source says so.
 */
export async function placementSeed(
  contracts: Contracts,
  client: Pick<ReadClient, "getBlock">,
): Promise<PlacementSeed> {
  const current = await contracts.StorageAudit.read.currentEpoch();
  for (let epoch = current; epoch >= 0 && epoch > current - epochsLookedBack; epoch--) {
    const [seed] = await contracts.StorageAudit.read.windowOf([epoch]);
    if (seed !== zeroHash) return { seed, source: `beacon, epoch ${epoch}` };
  }
  const { hash, number } = await client.getBlock({ blockTag: "latest" });
  return { seed: hash, source: `hash of block ${number} (no epoch has a seed yet)` };
}
