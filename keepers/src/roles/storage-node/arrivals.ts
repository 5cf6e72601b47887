import type { Hex } from "viem";
import { bundlePlace, type DatasetLayout, segmentLayout } from "../../core/dataset/layout.ts";
import { chargeOf } from "./unplaced.ts";

/** A bundle that is arriving from one sender: space that is spoken for. */
export type Arrival = {
  readonly datasetId: Hex;
  readonly bundleIndex: number;
  /** Bytes that it counts as. */
  readonly charge: number;
  readonly segment: number;
  /** Who sends it, as `senderOf` has it. */
  readonly sender: string;
  /** Whether that is a peer of no operator with stake. */
  readonly isStranger: boolean;
  /** When bytes of it came last: milliseconds of a clock that never goes back. */
  touched: number;
};

type Named = Pick<Arrival, "datasetId" | "bundleIndex" | "sender">;

/**
 * Uploads under way. What several send of one bundle counts for each of them: nobody's waits for another's, and each takes room.
 * Strangers make the list long, so that every question about it is answered without a look at each of them.
 */
export class Arrivals {
  /** By dataset, sender and index. */
  readonly #datasets = new Map<Hex, Map<string, Map<number, Arrival>>>();
  readonly #perSender = new Map<string, number>();
  readonly #manifests = new Map<Hex, { readonly bytes: number; readonly isStranger: boolean }>();
  readonly #manifestBytes: (datasetId: Hex) => number;
  #charge = 0;
  #chargeOfStrangers = 0;
  #size = 0;
  #sizeOfStrangers = 0;

  /** @param manifestBytes how long the manifest of a dataset is: it takes room as long as anything of it arrives */
  constructor(manifestBytes: (datasetId: Hex) => number) {
    this.#manifestBytes = manifestBytes;
  }

  get size(): number {
    return this.#size;
  }

  /** How many of them strangers send. */
  get sizeOfStrangers(): number {
    return this.#sizeOfStrangers;
  }

  /** Bytes that all of them count as, with their manifests. */
  get charge(): number {
    return this.#charge;
  }

  /** The same of those that strangers send. */
  get chargeOfStrangers(): number {
    return this.#chargeOfStrangers;
  }

  /** How many somebody sends. */
  of(sender: string): number {
    return this.#perSender.get(sender) ?? 0;
  }

  has(named: Named): boolean {
    return this.#find(named) !== undefined;
  }

  hasDataset(datasetId: Hex): boolean {
    return this.#datasets.has(datasetId);
  }

  /** Segments of a dataset of which somebody sends a bundle. What others have begun to send keeps nobody out. */
  segments(datasetId: Hex, sender: string): number[] {
    const own = this.#datasets.get(datasetId)?.get(sender)?.values() ?? [];
    return [...own].map(({ segment }) => segment);
  }

  /** What anybody sends of a bundle. */
  ofBundle({ datasetId, bundleIndex }: Omit<Named, "sender">): Arrival[] {
    const senders = [...(this.#datasets.get(datasetId)?.values() ?? [])];
    return senders.flatMap((bundles) => bundles.get(bundleIndex) ?? []);
  }

  all(): Arrival[] {
    const senders = [...this.#datasets.values()].flatMap((each) => [...each.values()]);
    return senders.flatMap((bundles) => [...bundles.values()]);
  }

  /** Sets space aside for a bundle, unless it is arriving from the same sender already. */
  expect(
    { datasetId, bundleIndex, sender, isStranger }: Omit<Arrival, "charge" | "segment" | "touched">,
    layout: DatasetLayout,
  ): void {
    if (this.has({ datasetId, bundleIndex, sender })) return;
    const senders = this.#datasets.get(datasetId) ?? new Map<string, Map<number, Arrival>>();
    const bundles = senders.get(sender) ?? new Map<number, Arrival>();
    const touched = performance.now();
    const { segment } = bundlePlace(layout, bundleIndex);
    const charge = chargeOf(segmentLayout(layout, segment).bundleBytes);
    bundles.set(bundleIndex, { datasetId, bundleIndex, charge, segment, sender, isStranger, touched });
    senders.set(sender, bundles);
    if (!this.#datasets.has(datasetId)) {
      const manifest = { bytes: this.#manifestBytes(datasetId), isStranger };
      this.#manifests.set(datasetId, manifest);
      this.#count(manifest.bytes, isStranger);
    }
    this.#datasets.set(datasetId, senders);
    this.#perSender.set(sender, this.of(sender) + 1);
    this.#count(charge, isStranger);
    this.#size++;
    if (isStranger) this.#sizeOfStrangers++;
  }

  /** Notes that bytes of a bundle have come. */
  touch(named: Named): void {
    const arrival = this.#find(named);
    if (arrival !== undefined) arrival.touched = performance.now();
  }

  delete(named: Named): void {
    const { datasetId, sender, bundleIndex } = named;
    const arrival = this.#find(named);
    if (arrival === undefined) return;
    const senders = this.#datasets.get(datasetId)!;
    const bundles = senders.get(sender)!;
    bundles.delete(bundleIndex);
    if (bundles.size === 0) senders.delete(sender);
    if (senders.size === 0) {
      this.#datasets.delete(datasetId);
      const manifest = this.#manifests.get(datasetId)!;
      this.#manifests.delete(datasetId);
      this.#count(-manifest.bytes, manifest.isStranger);
    }
    const left = this.of(sender) - 1;
    if (left > 0) this.#perSender.set(sender, left);
    else this.#perSender.delete(sender);
    this.#count(-arrival.charge, arrival.isStranger);
    this.#size--;
    if (arrival.isStranger) this.#sizeOfStrangers--;
  }

  #count(bytes: number, isStranger: boolean): void {
    this.#charge += bytes;
    if (isStranger) this.#chargeOfStrangers += bytes;
  }

  #find({ datasetId, sender, bundleIndex }: Named): Arrival | undefined {
    return this.#datasets.get(datasetId)?.get(sender)?.get(bundleIndex);
  }
}
