import type { Hex } from "viem";
import type { Arrivals } from "./arrivals.ts";
import type { Offer, Shelf } from "./shelf.ts";

/** Manifests without a bundle here: of one peer, and of all. Beyond, the oldest go. */
const offersPerPeer = 16;
const offersInAll = 256;
/** Chain seconds for which a manifest without a bundle is kept. */
const offerPatience = 3600n;

type KeptShelf = Pick<Shelf, "addManifest" | "freeSpace" | "offers" | "removeManifest">;

/** Offered manifests of which nothing has come yet. */
export class KeptOffers {
  readonly #shelf: KeptShelf;

  constructor(shelf: KeptShelf) {
    this.#shelf = shelf;
  }

  /** How many there are, with those of which a bundle is arriving. */
  get count(): number {
    return this.#shelf.offers().length;
  }

  /** Keeps an offered manifest, and only so many that nothing has come of. */
  keep(datasetId: Hex, bytes: Uint8Array, { peer, at }: Omit<Offer, "datasetId">, arrivals: Arrivals): void {
    const idle = this.idle(arrivals).filter((offer) => offer.datasetId !== datasetId);
    const own = idle.filter((offer) => offer.peer === peer);
    // The oldest first: whoever means to send something begins at once.
    const over = [...own.slice(0, Math.max(0, own.length + 1 - offersPerPeer))];
    const left = idle.filter((offer) => !over.includes(offer));
    over.push(...left.slice(0, Math.max(0, left.length + 1 - offersInAll)));
    for (const offer of over) this.#shelf.removeManifest(offer.datasetId);
    this.#shelf.addManifest(datasetId, bytes, { peer, at });
  }

  /** Those of which no bundle is arriving, the oldest first. */
  idle(arrivals: Arrivals): Offer[] {
    return this.#shelf.offers().filter(({ datasetId }) => !arrivals.hasDataset(datasetId));
  }

  /** Forgets those that nothing came of for too long, by the chain's time. */
  forget(offers: readonly Offer[], arrivals: Arrivals, now: bigint): void {
    for (const { datasetId, at } of offers) {
      // Nothing may have begun since the look at the chain.
      if (at + offerPatience < now && !arrivals.hasDataset(datasetId)) this.#shelf.removeManifest(datasetId);
    }
    this.#shelf.freeSpace();
  }
}
