import { setTimeout as delay } from "node:timers/promises";
import type { Hex } from "viem";
import type { Contracts } from "../../../keepers/src/chain/contracts.ts";
import { bundleId } from "../../../keepers/src/core/ids.ts";
import type { EmbeddedChain } from "../../../keepers/src/roles/embedded/chain.ts";

/** Long enough for the slowest machine; a test that waits for so long has failed. */
const patience = 14 * 60_000;

/** Waits until something is so. */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + patience;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await delay(300);
  }
}

type Clock = { chain: Pick<EmbeddedChain, "advance" | "now">; contracts: Contracts };

/** Moves the chain's clock to a time, if it is not past it. */
export async function advanceTo({ chain }: Clock, timestamp: bigint): Promise<void> {
  const missing = Number(timestamp) - (await chain.now());
  if (missing > 0) await chain.advance(missing);
}

/** Moves the chain's clock to the start of the next epoch; gives its number. */
export async function nextEpoch(clock: Clock): Promise<number> {
  const { DatasetRegistry, StorageAudit } = clock.contracts;
  const [genesis, length, current] = await Promise.all([
    DatasetRegistry.read.genesis(),
    DatasetRegistry.read.epochLength(),
    StorageAudit.read.currentEpoch(),
  ]);
  const epoch = current + 1;
  await advanceTo(clock, genesis + BigInt(length) * BigInt(epoch));
  return epoch;
}

/** Waits until the seed of an epoch is known; gives when its window closes. */
export async function seedOf({ contracts }: Clock, epoch: number): Promise<bigint> {
  await until(`the seed of epoch ${epoch}`, async () => {
    const [, opensAt] = await contracts.StorageAudit.read.windowOf([epoch]);
    return opensAt !== 0n;
  });
  const [, , closesAt] = await contracts.StorageAudit.read.windowOf([epoch]);
  return closesAt;
}

/** Which of a dataset's first `n` bundles have been answered for by themselves in an epoch. */
export async function answeredBundles(
  contracts: Contracts,
  datasetId: Hex,
  n: number,
  epoch: number,
): Promise<number[]> {
  const all = Array.from({ length: n }, (_, index) => index);
  const answered = await Promise.all(
    all.map((index) => contracts.StorageAudit.read.isAnswered([bundleId(datasetId, index), epoch])),
  );
  return all.filter((index) => answered[index]);
}
