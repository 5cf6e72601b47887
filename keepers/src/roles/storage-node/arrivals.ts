import type { Hex } from "viem";
import { bundlePlace, type DatasetLayout, segmentLayout } from "../../core/dataset/layout.ts";

/** A bundle that is arriving from one sender: space that is spoken for. */
export type Arrival = {
  readonly datasetId: Hex;
  readonly bundleIndex: number;
  readonly bytes: number;
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
  #bytes = 0;
  #bytesOfStrangers = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Bytes of all of them. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Bytes of those that strangers send. */
  get bytesOfStrangers(): number {
    return this.#bytesOfStrangers;
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
    { datasetId, bundleIndex, sender, isStranger }: Omit<Arrival, "bytes" | "segment" | "touched">,
    layout: DatasetLayout,
  ): void {
    if (this.has({ datasetId, bundleIndex, sender })) return;
    const senders = this.#datasets.get(datasetId) ?? new Map<string, Map<number, Arrival>>();
    const bundles = senders.get(sender) ?? new Map<number, Arrival>();
    const touched = performance.now();
    const { segment } = bundlePlace(layout, bundleIndex);
    const { bundleBytes: bytes } = segmentLayout(layout, segment);
    bundles.set(bundleIndex, { datasetId, bundleIndex, bytes, segment, sender, isStranger, touched });
    senders.set(sender, bundles);
    this.#datasets.set(datasetId, senders);
    this.#perSender.set(sender, this.of(sender) + 1);
    this.#bytes += bytes;
    if (isStranger) this.#bytesOfStrangers += bytes;
    this.#size++;
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
    if (senders.size === 0) this.#datasets.delete(datasetId);
    const left = this.of(sender) - 1;
    if (left > 0) this.#perSender.set(sender, left);
    else this.#perSender.delete(sender);
    this.#bytes -= arrival.bytes;
    if (arrival.isStranger) this.#bytesOfStrangers -= arrival.bytes;
    this.#size--;
  }

  #find({ datasetId, sender, bundleIndex }: Named): Arrival | undefined {
    return this.#datasets.get(datasetId)?.get(sender)?.get(bundleIndex);
  }
}
