import type { Refusal } from "./asking.ts";
import { chargeOf } from "./unplaced.ts";

/** Bounds of a node for the bundles of one dataset from one peer, in bytes where nothing else is said. */
export type Bounds = {
  /** What no bundle takes, here or arriving. */
  readonly free: number;
  /** What this node may still keep of bundles that it does not hold on chain. */
  readonly unplaced: number;
  /** How many of those it may still keep. */
  readonly places: number;
  /** What the dataset's manifest takes beside its first bundle; 0 where another one is here or arriving. */
  readonly manifest: number;
  /** Further bundles of the peer that may be arriving. */
  readonly arrivals: number;
};

/** A bundle that is asked for: its bytes, the segment it stands in, and who holds it on chain, if anybody does. */
export type Wanted = {
  readonly bundleIndex: number;
  readonly bytes: number;
  readonly segment: number;
  readonly holder: Holder;
};
/** Who holds a bundle on chain, as far as this node knows. */
export type Holder = "nobody" | "this operator" | "another";

/** What still fits, as bundles are taken one after the other: what is accepted together must fit together. */
export class Room {
  #bounds: Bounds;
  readonly #segments: Set<number>;
  readonly #seats: ReadonlyMap<number, number>;

  /**
   * @param segments those of the dataset of which the sender has sent a bundle that is here or arriving. What others have sent
   * keeps nobody out: it costs them nothing
   * @param seats the bundle of the dataset that this operator holds on chain, by segment
   */
  constructor(bounds: Bounds, segments: Iterable<number>, seats: ReadonlyMap<number, number>) {
    this.#bounds = bounds;
    this.#segments = new Set(segments);
    this.#seats = seats;
  }

  /** Why a bundle could not be placed here, whatever room there is; undefined when it could. */
  seatRefusal({ bundleIndex, segment }: Pick<Wanted, "bundleIndex" | "segment">): Refusal | undefined {
    const seated = this.#seats.get(segment);
    if (seated === undefined || seated === bundleIndex) return undefined;
    return { reason: "policy", detail: "this operator holds another bundle of the segment" };
  }

  /** Why a bundle cannot be taken; undefined when it can. */
  refusal(wanted: Wanted): Refusal | undefined {
    const { segment, holder } = wanted;
    const { free, unplaced, places, arrivals } = this.#bounds;
    if (holder === "another") return { reason: "policy", detail: "another operator holds this bundle" };
    const unseated = this.seatRefusal(wanted);
    if (unseated !== undefined) return unseated;
    // Of what one peer sends only one bundle of a segment could be placed here.
    if (holder === "nobody" && this.#segments.has(segment)) {
      return { reason: "policy", detail: "another bundle of the segment is kept here" };
    }
    const bytes = this.#chargeOf(wanted);
    if (bytes > free)
      return { reason: "no-space", detail: `${bytes} bytes do not fit into ${Math.max(0, free)}` };
    if (arrivals <= 0) {
      return { reason: "no-space", detail: "as many bundles of this peer are arriving as may" };
    }
    // What costs its sender nothing must leave room for what is paid for.
    if (holder === "nobody" && bytes > unplaced) {
      return { reason: "no-space", detail: "bundles that are not placed take all the room they may" };
    }
    if (holder === "nobody" && places <= 0) {
      return { reason: "no-space", detail: "as many bundles that are not placed are here as may be" };
    }
    return undefined;
  }

  /** A bundle that is here or arriving is accepted again: no other one of its segment is, of the same peer. */
  keep(segment: number): void {
    this.#segments.add(segment);
  }

  take(wanted: Wanted): void {
    const { free, unplaced, places, manifest, arrivals } = this.#bounds;
    const bytes = this.#chargeOf(wanted);
    const isUnplaced = wanted.holder === "nobody";
    this.#segments.add(wanted.segment);
    this.#bounds = {
      free: free - bytes,
      unplaced: isUnplaced ? unplaced - bytes : unplaced,
      places: isUnplaced ? places - 1 : places,
      manifest: isUnplaced ? 0 : manifest,
      arrivals: arrivals - 1,
    };
  }

  /** What is held on chain is paid for by its bytes. */
  #chargeOf({ bytes, holder }: Wanted): number {
    return holder === "nobody" ? chargeOf(bytes) + this.#bounds.manifest : bytes;
  }
}
