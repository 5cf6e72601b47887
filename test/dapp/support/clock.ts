import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { bundleId } from "../../../keepers/src/core/ids.ts";
import type { World } from "./world.ts";

/** Milliseconds for a job to be trained and settled on a busy machine. */
const patience = 5 * 60_000;

/** Waits for something that keepers do in their own time. */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + patience;
  while (!(await isSo())) {
    assert.ok(performance.now() < deadline, `waited in vain for ${what}`);
    await delay(500);
  }
}

/** Passes the chain's time up to the second after this one: nothing more is to come before. */
export async function advancePast({ network }: World, second: number | bigint): Promise<void> {
  const missing = Number(second) + 1 - (await network.chain.now());
  if (missing > 0) await network.chain.advance(missing);
}

/** Begins the next epoch, and waits until the holders of the dataset have answered its audit. */
export async function passEpoch(world: World): Promise<void> {
  const { DatasetRegistry, StorageAudit } = world.owner.contracts;
  const [epoch, genesis, length] = await Promise.all([
    StorageAudit.read.currentEpoch(),
    DatasetRegistry.read.genesis(),
    DatasetRegistry.read.epochLength(),
  ]);
  await advancePast(world, genesis + BigInt(length) * BigInt(epoch + 1));
  const answered = (index: number) =>
    StorageAudit.read.isAnswered([bundleId(world.datasetId, index), epoch + 1]);
  await until("the audits to be answered", async () =>
    (await Promise.all([0, 1, 2].map(answered))).every((isAnswered) => isAnswered),
  );
}
