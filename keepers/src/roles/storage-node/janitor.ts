import type { Hex } from "viem";
import { datasetStatus } from "../../storage/client/anchor.ts";
import { agreedOn } from "./agreement.ts";
import { type Asking, termsRefusal } from "./asking.ts";
import { chainTime, type DutyContext, type Reading, tryCall } from "./context.ts";
import type { Ledger } from "./ledger.ts";
import { Placements } from "./placements.ts";
import type { StorageService } from "./service.ts";
import type { Shelf } from "./shelf.ts";
import type { Vault } from "./vault.ts";

export type JanitorParts = DutyContext & {
  ledger: Ledger;
  shelf: Shelf;
  vault: Vault;
  service: Pick<StorageService, "forgetAbandoned">;
  asking: Asking;
};

/**
 * Chain seconds for which bytes stay although this operator does not hold the bundle: as long as a receipt is good, and
 * long enough for any reorganisation to have passed.
 */
const keptFor = 24n * 3600n;
/** Chain seconds for which bytes stay that this operator neither holds nor has signed for: longer than a put takes. */
const unplacedFor = 3600n;
/** Chain seconds between two notes that a bundle is held. */
const noteEvery = 3600n;
/** Bundles that are looked at in one tick, each by a read of the chain, before they are dropped. */
const mostDropped = 64;

/** Frees what is needed no longer, and serves on where more was paid for: stake and bytes of datasets that are over, bundles of others, abandoned uploads. */
export class Janitor {
  readonly #parts: JanitorParts;
  /** Epoch of the last look for datasets that are over. */
  #looked = -1;
  readonly #placements: Placements;
  /** Bundles that a cover of held ones names: it can be answered as long as the bytes of all are here. */
  #covered: ReadonlySet<Hex> = new Set();
  /** The last bundle that was looked at: those that cannot be dropped yet keep no other one here. */
  #last: Hex = "0x";

  constructor(parts: JanitorParts) {
    this.#parts = parts;
    this.#placements = new Placements(parts.shelf, parts.ledger, parts.operator);
  }

  async tick(): Promise<void> {
    const epoch = await this.#parts.contracts.StorageAudit.read.currentEpoch();
    if (epoch !== this.#looked) {
      await this.#release();
      if (await this.#extend()) this.#looked = epoch;
    }
    await this.#dropOthers();
    await this.#parts.service.forgetAbandoned();
  }

  /** Ends holdings of datasets that are over, or of which all that was agreed to is settled: their stake becomes free. */
  async #release(): Promise<void> {
    const { contracts, ledger, operator, log } = this.#parts;
    const over = new Map<Hex, boolean>();
    const now = await chainTime(this.#parts.client);
    for (const { bundleId, datasetId } of ledger.holdingsOf(operator)) {
      if (!over.has(datasetId)) {
        over.set(datasetId, await contracts.DatasetRegistry.read.isOver([datasetId]));
      }
      const { tenure, until } = await contracts.BundleRegistry.read.holdingOf([bundleId]);
      const isServed = async () => now >= (await contracts.DatasetRegistry.read.settledAt([until]));
      if (over.get(datasetId) !== true && !(await isServed())) continue;
      const key = `release:${bundleId}:${tenure}`;
      if (await tryCall(this.#parts, key, "BundleRegistry", "release", [bundleId])) {
        log.info({ bundleId }, "bundle released");
      }
    }
  }

  /**
   * Notes what is covered, and agrees to epochs that were added since, as long as the dataset pays enough and this node serves for so
   * long. That binds its stake: what one endpoint says of the terms is only a reason to ask the others.
   *
   * @returns whether all is decided on for now
   */
  async #extend(): Promise<boolean> {
    const { ledger, operator, log } = this.#parts;
    const covers = new Set<Hex>();
    let isDecided = true;
    for (const { bundleId, datasetId } of ledger.holdingsOf(operator)) {
      const look = (chain: Reading) => this.#offered(chain, bundleId, datasetId);
      const { coverId, end } = await look(this.#parts);
      covers.add(coverId);
      if (end === 0) continue;
      const agreed = await agreedOn(this.#parts, "the terms of a dataset", look);
      if (agreed === undefined) isDecided = false;
      if (agreed === undefined || agreed.end === 0) continue;
      const key = `extend:${bundleId}:${agreed.end}`;
      if (await tryCall(this.#parts, key, "BundleRegistry", "extend", [bundleId, agreed.end])) {
        log.info({ bundleId, until: agreed.end }, "duty extended");
      }
    }
    this.#covered = new Set([...covers].flatMap((coverId) => ledger.coverBundles(coverId) ?? []));
    return isDecided;
  }

  /** The cover of a bundle that is held, and the end of what is offered for it and good enough: 0 where nothing is. */
  async #offered(
    { contracts }: Reading,
    bundleId: Hex,
    datasetId: Hex,
  ): Promise<{ coverId: Hex; end: number }> {
    const [status, end, feePerAudit] = await contracts.DatasetRegistry.read.termsOf([datasetId]);
    const { until, coverId } = await contracts.BundleRegistry.read.holdingOf([bundleId]);
    if (status !== datasetStatus.active || until === 0 || end <= until) return { coverId, end: 0 };
    const epochs = end - (await contracts.StorageAudit.read.currentEpoch());
    const isGood = termsRefusal(this.#parts.asking, { feePerAudit, epochs }) === undefined;
    return { coverId, end: isGood ? end : 0 };
  }

  /** Forgets bundles that have not been this operator's for long enough. */
  async #dropOthers(): Promise<void> {
    const { shelf, vault, operator, log } = this.#parts;
    const now = await agreedOn(this.#parts, "the time", ({ client }) => chainTime(client));
    if (now === undefined) return;
    // No waiting between these: what the ledger says holds for all of them.
    this.#placements.note();
    shelf.keepPlaced(now + keptFor, now + keptFor - noteEvery);
    shelf.keepNew(now + unplacedFor);
    const due = shelf.due(now, this.#last, mostDropped);
    this.#last = due.length < mostDropped ? "0x" : due.at(-1)!.bundleId;
    for (const bundle of due) {
      const { bundleId, keepUntil } = bundle;
      if (this.#covered.has(bundleId)) {
        shelf.keepUntil(bundleId, now + noteEvery);
        continue;
      }
      // The ledger may be behind the chain; bytes that are dropped are gone.
      const holding = await agreedOn(this.#parts, "who holds a bundle", ({ contracts }) =>
        contracts.BundleRegistry.read.holdingOf([bundleId]),
      );
      if (holding === undefined || holding.operator.toLowerCase() === operator.toLowerCase()) continue;
      // While the chain was asked a receipt may have been signed, which keeps the bytes.
      const isAsSeen = () => shelf.byId(bundleId)?.keepUntil === keepUntil;
      if (!(await vault.drop(bundle, isAsSeen))) continue;
      log.info({ bundleId }, "bundle dropped: this operator does not hold it");
    }
  }
}
