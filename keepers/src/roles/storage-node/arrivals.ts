import type { Hex } from "viem";
import { bundlePlace, type DatasetLayout, segmentLayout } from "../../core/dataset/layout.ts";

/** A bundle that is arriving: space that is spoken for. */
export type Arrival = {
  readonly datasetId: Hex;
  readonly bundleIndex: number;
  readonly bytes: number;
  readonly segment: number;
  /** Peer that sends it; empty where an earlier process was sent its beginning. */
  readonly peer: string;
  /** When it was gone on with last: milliseconds of a clock that never goes back. */
  touched: number;
};

type ArrivingDataset = { bundles: Map<number, Arrival>; segments: Set<number> };

/** Uploads under way. Strangers make it long, so that every question about it is answered without a look at each of them. */
export class Arrivals {
  readonly #datasets = new Map<Hex, ArrivingDataset>();
  readonly #perPeer = new Map<string, number>();
  #bytes = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Bytes of all of them. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many a peer sends. */
  of(peer: string): number {
    return this.#perPeer.get(peer) ?? 0;
  }

  has(datasetId: Hex, bundleIndex: number): boolean {
    return this.#datasets.get(datasetId)?.bundles.has(bundleIndex) ?? false;
  }

  hasDataset(datasetId: Hex): boolean {
    return this.#datasets.has(datasetId);
  }

  /** Segments of a dataset of which a bundle is arriving. */
  segments(datasetId: Hex): ReadonlySet<number> {
    return this.#datasets.get(datasetId)?.segments ?? new Set();
  }

  all(): Arrival[] {
    return [...this.#datasets.values()].flatMap(({ bundles }) => [...bundles.values()]);
  }

  /** Sets space aside for a bundle, or notes that its upload goes on. */
  expect(
    { datasetId, bundleIndex, peer }: Pick<Arrival, "datasetId" | "bundleIndex" | "peer">,
    layout: DatasetLayout,
  ): void {
    const touched = performance.now();
    const dataset = this.#datasets.get(datasetId) ?? { bundles: new Map(), segments: new Set() };
    const known = dataset.bundles.get(bundleIndex);
    if (known !== undefined) {
      known.touched = touched;
      return;
    }
    const { segment } = bundlePlace(layout, bundleIndex);
    const { bundleBytes: bytes } = segmentLayout(layout, segment);
    dataset.bundles.set(bundleIndex, { datasetId, bundleIndex, bytes, segment, peer, touched });
    // One of a segment at most: another one would have been refused.
    dataset.segments.add(segment);
    this.#datasets.set(datasetId, dataset);
    this.#perPeer.set(peer, this.of(peer) + 1);
    this.#bytes += bytes;
    this.#size++;
  }

  delete(datasetId: Hex, bundleIndex: number): void {
    const dataset = this.#datasets.get(datasetId);
    const arrival = dataset?.bundles.get(bundleIndex);
    if (dataset === undefined || arrival === undefined) return;
    dataset.bundles.delete(bundleIndex);
    dataset.segments.delete(arrival.segment);
    if (dataset.bundles.size === 0) this.#datasets.delete(datasetId);
    const left = this.of(arrival.peer) - 1;
    if (left > 0) this.#perPeer.set(arrival.peer, left);
    else this.#perPeer.delete(arrival.peer);
    this.#bytes -= arrival.bytes;
    this.#size--;
  }
}
