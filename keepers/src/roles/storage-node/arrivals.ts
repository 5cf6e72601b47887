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
  /** When bytes of it came last: milliseconds of a clock that never goes back. */
  touched: number;
};

/** Uploads under way. Strangers make it long, so that every question about it is answered without a look at each of them. */
export class Arrivals {
  readonly #datasets = new Map<Hex, Map<number, Arrival>>();
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
    return this.#datasets.get(datasetId)?.has(bundleIndex) ?? false;
  }

  hasDataset(datasetId: Hex): boolean {
    return this.#datasets.has(datasetId);
  }

  /** Segments of a dataset of which a peer sends a bundle. What others have begun to send keeps nobody out. */
  segments(datasetId: Hex, peer: string): number[] {
    const bundles = this.#datasets.get(datasetId)?.values() ?? [];
    return [...bundles].filter((arrival) => arrival.peer === peer).map(({ segment }) => segment);
  }

  all(): Arrival[] {
    return [...this.#datasets.values()].flatMap((bundles) => [...bundles.values()]);
  }

  /** Sets space aside for a bundle, unless it is arriving already. */
  expect(
    { datasetId, bundleIndex, peer }: Pick<Arrival, "datasetId" | "bundleIndex" | "peer">,
    layout: DatasetLayout,
  ): void {
    if (this.has(datasetId, bundleIndex)) return;
    const bundles = this.#datasets.get(datasetId) ?? new Map<number, Arrival>();
    const touched = performance.now();
    const { segment } = bundlePlace(layout, bundleIndex);
    const { bundleBytes: bytes } = segmentLayout(layout, segment);
    bundles.set(bundleIndex, { datasetId, bundleIndex, bytes, segment, peer, touched });
    this.#datasets.set(datasetId, bundles);
    this.#perPeer.set(peer, this.of(peer) + 1);
    this.#bytes += bytes;
    this.#size++;
  }

  /** Notes that bytes of a bundle have come. */
  touch(datasetId: Hex, bundleIndex: number): void {
    const arrival = this.#datasets.get(datasetId)?.get(bundleIndex);
    if (arrival !== undefined) arrival.touched = performance.now();
  }

  delete(datasetId: Hex, bundleIndex: number): void {
    const bundles = this.#datasets.get(datasetId);
    const arrival = bundles?.get(bundleIndex);
    if (bundles === undefined || arrival === undefined) return;
    bundles.delete(bundleIndex);
    if (bundles.size === 0) this.#datasets.delete(datasetId);
    const left = this.of(arrival.peer) - 1;
    if (left > 0) this.#perPeer.set(arrival.peer, left);
    else this.#perPeer.delete(arrival.peer);
    this.#bytes -= arrival.bytes;
    this.#size--;
  }
}
