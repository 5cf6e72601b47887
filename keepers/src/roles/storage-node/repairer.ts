import { type Address, zeroAddress } from "viem";
import { addressOf } from "../../chain/contracts.ts";
import { signReceipt } from "../../chain/receipt.ts";
import { bundlePlace, segmentLayout } from "../../core/dataset/layout.ts";
import { encodeManifest } from "../../core/dataset/manifest.ts";
import { ErasureCode } from "../../core/erasure/code.ts";
import type { StorageWriter } from "../../storage/client/client.ts";
import { allBundles, type KnownDataset, readAnchor, readHolders } from "../../storage/client/dataset.ts";
import { fetchBundles } from "../../storage/client/fetch-bundles.ts";
import { fetchManifest } from "../../storage/client/fetch-manifest.ts";
import { placeReceipts } from "../../storage/client/place.ts";
import { chainTime, type DutyContext } from "./context.ts";
import type { Ledger, LedgerVacancy } from "./ledger.ts";
import type { Shelf } from "./shelf.ts";
import { turnOf } from "./turn.ts";
import { type Vault, WrongRootsError } from "./vault.ts";

export type RepairerParts = DutyContext & {
  ledger: Ledger;
  shelf: Shelf;
  vault: Vault;
  /** Reaches the other holders. */
  storage: StorageWriter;
  /** Bytes of bundles this node is willing to keep. */
  capacity: number;
  /** Chain seconds between the turns of two operators. */
  stagger: bigint;
};

/** How long the receipt for an own repair is good, in seconds: it is placed at once. */
const receiptLifetime = 3600n;

/** Restores bundles that lost their holder, from any k of the segment's other bundles, and takes them over. */
export class Repairer {
  readonly #parts: RepairerParts;
  /** When a vacancy was first seen, in chain seconds: turns are counted from there. */
  readonly #seen = new Map<string, bigint>();
  /** Vacancies that cannot be restored as anchored: trying again would give the same. */
  readonly #hopeless = new Set<string>();

  constructor(parts: RepairerParts) {
    this.#parts = parts;
  }

  /** Tries the vacancies whose turn it is; gives the number of bundles that this operator holds now because of it. */
  async tick(signal: AbortSignal): Promise<number> {
    const { ledger, client, log, stagger } = this.#parts;
    let repaired = 0;
    const now = await chainTime(client);
    for (const vacancy of ledger.vacancies()) {
      if (signal.aborted) break;
      if (this.#hopeless.has(vacancy.bundleId)) continue;
      const since = this.#seen.get(vacancy.bundleId) ?? now;
      this.#seen.set(vacancy.bundleId, since);
      const turn = await turnOf(this.#parts, `repair:${vacancy.bundleId}`);
      if (now < since + turn * stagger) continue;
      try {
        if (await this.#repair(vacancy, signal)) repaired++;
      } catch (error) {
        if (signal.aborted) break;
        if (error instanceof WrongRootsError) this.#hopeless.add(vacancy.bundleId);
        log.warn({ bundleId: vacancy.bundleId, reason: (error as Error).message }, "repair failed");
      }
    }
    return repaired;
  }

  async #repair({ bundleId, datasetId, bundleIndex }: LedgerVacancy, signal: AbortSignal): Promise<boolean> {
    const { contracts, operator, storage, shelf, vault, log } = this.#parts;
    const { operator: holder } = await contracts.BundleRegistry.read.holdingOf([bundleId]);
    if (holder !== zeroAddress) return false;
    if (await contracts.DatasetRegistry.read.isOver([datasetId])) return false;
    const dataset = await fetchManifest(storage, await readAnchor(storage, datasetId), signal);
    const { segment, shard } = bundlePlace(dataset.layout, bundleIndex);
    const holders = (await readHolders(storage, datasetId, allBundles(dataset.layout))).filter(
      (other) => bundlePlace(dataset.layout, other.bundleIndex).segment === segment,
    );
    if (holders.some((other) => isSame(other.operator, operator))) return false;
    const { bundleBytes } = segmentLayout(dataset.layout, segment);
    if (shelf.get(datasetId, bundleIndex) === undefined && bundleBytes > this.#parts.capacity - shelf.bytes)
      return false;
    const terms = await contracts.DatasetRegistry.read.datasetOf([datasetId]);
    if (!(await contracts.Staking.read.isEligible([operator, 0, terms.bundleStake]))) return false;

    const kept = shelf.get(datasetId, bundleIndex);
    // Whoever lost it for want of its bytes must not take it over without them.
    if (kept !== undefined && !(await vault.isWhole(kept))) await vault.drop(kept);
    if (shelf.get(datasetId, bundleIndex) === undefined) {
      const live = holders.filter((other) => other.operator !== undefined);
      const { shards } = await fetchBundles(storage, { dataset, segment, holders: live, signal });
      const { k, n } = dataset.layout;
      const [bytes] = new ErasureCode(k, n).reconstruct(shards, [shard]);
      shelf.addManifest(datasetId, encodeManifest(dataset.manifest));
      await vault.admit(datasetId, dataset.manifest, bundleIndex, bytes!);
    }
    await this.#place(dataset, bundleIndex, segment, signal);
    log.info({ bundleId, bundleIndex }, "bundle repaired");
    return true;
  }

  async #place(
    dataset: KnownDataset,
    bundleIndex: number,
    segment: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { operator, storage, deployment, client, contracts } = this.#parts;
    const { datasetId, manifest, tree } = dataset;
    // An operator that left the segment can come back: its receipt must outlive all that it signed before.
    const floor = await contracts.BundleRegistry.read.receiptFloorOf([datasetId, BigInt(segment), operator]);
    const soon = (await chainTime(client)) + receiptLifetime;
    const validUntil = soon > floor ? soon : floor + 1n;
    const roots = manifest.bundles[bundleIndex]!;
    const signature = await signReceipt(
      storage.account,
      {
        datasetId,
        bundleIndex,
        poseidonRoot: roots.poseidonRoot as `0x${string}`,
        transportRoot: roots.transportRoot as `0x${string}`,
        operator,
        validUntil,
      },
      { chainId: deployment.chainId, bundleRegistry: addressOf(deployment, "BundleRegistry") },
    );
    const receipts = [{ bundleIndex, operator, validUntil, signature }];
    const { rejected } = await placeReceipts(storage, { datasetId, manifest, tree, receipts, signal });
    if (rejected.length > 0) throw new Error(`the chain refused the receipt: ${rejected[0]!.reason}`);
  }
}

function isSame(a: Address | undefined, b: Address): boolean {
  return a?.toLowerCase() === b.toLowerCase();
}
