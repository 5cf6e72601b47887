import type { Hex } from "viem";
import { bundlePlace, type DatasetLayout, segmentLayout } from "../../core/dataset/layout.ts";
import { Amount, chargeOf, type Part, partOf } from "./unplaced.ts";

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
  /** Whether it takes room of what is for anchored datasets; false by default. */
  readonly isAnchored?: boolean;
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
  readonly #perSender = new Map<string, { readonly count: number; readonly charge: number }>();
  readonly #manifests = new Map<Hex, { readonly bytes: number; readonly part: Part }>();
  readonly #manifestBytes: (datasetId: Hex) => number;
  /** How many of a dataset take room of what is for anchored ones. */
  readonly #anchored = new Map<Hex, number>();
  readonly #charge = new Amount();
  readonly #count = new Amount();

  /** @param manifestBytes how long the manifest of a dataset is: it takes room as long as anything of it arrives */
  constructor(manifestBytes: (datasetId: Hex) => number) {
    this.#manifestBytes = manifestBytes;
  }

  get size(): number {
    return this.#count.all;
  }

  /** How many there are, by part. */
  get count(): Amount {
    return this.#count;
  }

  /** Bytes that they count as, with their manifests. */
  get charge(): Amount {
    return this.#charge;
  }

  /** How many somebody sends, and the bytes that they count as. */
  of(sender: string): { readonly count: number; readonly charge: number } {
    return this.#perSender.get(sender) ?? { count: 0, charge: 0 };
  }

  /** How many of a dataset take room of what is for anchored ones. */
  anchoredOf(datasetId: Hex): number {
    return this.#anchored.get(datasetId) ?? 0;
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
  expect(named: Omit<Arrival, "charge" | "segment" | "touched">, layout: DatasetLayout): void {
    const { datasetId, bundleIndex, sender, isStranger, isAnchored } = named;
    if (this.has({ datasetId, bundleIndex, sender })) return;
    const senders = this.#datasets.get(datasetId) ?? new Map<string, Map<number, Arrival>>();
    const bundles = senders.get(sender) ?? new Map<number, Arrival>();
    const touched = performance.now();
    const { segment } = bundlePlace(layout, bundleIndex);
    const charge = chargeOf(segmentLayout(layout, segment).bundleBytes);
    const arrival = { datasetId, bundleIndex, charge, segment, sender, isStranger, isAnchored, touched };
    bundles.set(bundleIndex, arrival);
    senders.set(sender, bundles);
    if (!this.#datasets.has(datasetId)) {
      const manifest = { bytes: this.#manifestBytes(datasetId), part: partOf(named) };
      this.#manifests.set(datasetId, manifest);
      this.#charge.add(manifest.bytes, manifest.part);
    }
    this.#datasets.set(datasetId, senders);
    this.#countArrival(arrival, 1);
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
      this.#charge.add(-manifest.bytes, manifest.part);
    }
    this.#countArrival(arrival, -1);
  }

  #countArrival(arrival: Arrival, sign: 1 | -1): void {
    const { datasetId, sender, charge } = arrival;
    const part = partOf(arrival);
    this.#charge.add(sign * charge, part);
    this.#count.add(sign, part);
    const before = this.of(sender);
    const left = { count: before.count + sign, charge: before.charge + sign * charge };
    if (left.count > 0) this.#perSender.set(sender, left);
    else this.#perSender.delete(sender);
    if (part !== "anchored") return;
    const anchored = this.anchoredOf(datasetId) + sign;
    if (anchored > 0) this.#anchored.set(datasetId, anchored);
    else this.#anchored.delete(datasetId);
  }

  #find({ datasetId, sender, bundleIndex }: Named): Arrival | undefined {
    return this.#datasets.get(datasetId)?.get(sender)?.get(bundleIndex);
  }
}
