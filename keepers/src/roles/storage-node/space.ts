import type { Address, Hex } from "viem";
import { bundlePlace, type DatasetLayout, segmentLayout } from "../../core/dataset/layout.ts";
import { bundleId } from "../../core/ids.ts";
import { RefusalError } from "../../storage/transport/errors.ts";
import type { PutRequest } from "../../storage/transport/shard-service.ts";
import type { Arrivals } from "./arrivals.ts";
import type { Refusal } from "./asking.ts";
import type { Ledger } from "./ledger.ts";
import { type Holder, Room, type Wanted } from "./room.ts";
import type { Shelf } from "./shelf.ts";
import { UnplacedBytes } from "./unplaced.ts";

export type SpaceParts = {
  readonly shelf: Shelf;
  readonly ledger: Pick<Ledger, "holderOf" | "holdingsOf" | "version">;
  readonly operator: Address;
  /** Bytes of bundles this node is willing to keep. */
  readonly capacity: number;
  /** Part of the capacity that may be taken by bundles that this operator does not hold on chain; a half by default. */
  readonly unplacedShare?: number;
};

/** Bundles of one peer that may be arriving. */
const arrivalsPerPeer = 64;

/** What a node has room for, beside what is on its shelf and what is arriving. */
export class Space {
  readonly #parts: SpaceParts;
  readonly #unplaced: UnplacedBytes;

  constructor(parts: SpaceParts) {
    this.#parts = parts;
    this.#unplaced = new UnplacedBytes(parts.shelf, parts.ledger, parts.operator);
  }

  /** Why a bundle cannot be taken; undefined when it can. Must not wait: what it says holds until something arrives. */
  refusal(
    { datasetId, bundleIndex, peer }: { datasetId: Hex; bundleIndex: number; peer: string },
    layout: DatasetLayout,
    arrivals: Arrivals,
  ): Refusal | undefined {
    const { shelf, ledger } = this.#parts;
    if (arrivals.has(datasetId, bundleIndex) || shelf.get(datasetId, bundleIndex) !== undefined) {
      return undefined;
    }
    const holder = ledger.holderOf(bundleId(datasetId, bundleIndex));
    const room = this.room(datasetId, shelf.indices(datasetId), layout, arrivals, peer);
    return room.refusal(this.wanted(layout, bundleIndex, holder));
  }

  /** What fits here of a dataset, beside what is here and what is arriving. */
  room(
    datasetId: Hex,
    here: Iterable<number>,
    layout: DatasetLayout,
    arrivals: Arrivals,
    peer: string,
  ): Room {
    const { shelf, capacity, unplacedShare = 1 / 2 } = this.#parts;
    const bounds = {
      free: capacity - shelf.bytes - arrivals.bytes,
      unplaced: capacity * unplacedShare - this.#unplaced.value - arrivals.bytes,
      arrivals: arrivalsPerPeer - arrivals.of(peer),
    };
    const kept = [...here].map((index) => bundlePlace(layout, index).segment);
    return new Room(bounds, [...kept, ...arrivals.segments(datasetId, peer)]);
  }

  /**
   * Another peer's bundle of the segment may have been complete first.
   * @throws RefusalError "refused"
   */
  requireSegmentFree(
    { datasetId, bundleIndex }: Pick<PutRequest, "datasetId" | "bundleIndex">,
    layout: DatasetLayout,
  ): void {
    const { segment } = bundlePlace(layout, bundleIndex);
    const here = this.#parts.shelf.indices(datasetId).filter((index) => index !== bundleIndex);
    if (here.some((index) => bundlePlace(layout, index).segment === segment)) {
      throw new RefusalError("refused", "another bundle of the segment is kept here");
    }
  }

  /** A bundle that is asked for, with who holds it by the chain. */
  wanted(layout: DatasetLayout, bundleIndex: number, operator: Address | undefined): Wanted {
    const { segment } = bundlePlace(layout, bundleIndex);
    const { bundleBytes: bytes } = segmentLayout(layout, segment);
    return { bytes, segment, holder: this.holder(operator) };
  }

  /** What an operator is to this node. */
  holder(operator: Address | undefined): Holder {
    if (operator === undefined) return "nobody";
    return operator.toLowerCase() === this.#parts.operator.toLowerCase() ? "this operator" : "another";
  }
}
