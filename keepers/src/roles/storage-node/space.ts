import type { Address, Hex } from "viem";
import { bundlePlace, type DatasetLayout, segmentLayout } from "../../core/dataset/layout.ts";
import { bundleId } from "../../core/ids.ts";
import { RefusalError } from "../../storage/transport/errors.ts";
import { shareOfStrangers } from "../../storage/transport/peer-limits.ts";
import type { Arrival, Arrivals } from "./arrivals.ts";
import type { Refusal } from "./asking.ts";
import type { Ledger, LedgerHolding } from "./ledger.ts";
import { type Holder, Room, type Wanted } from "./room.ts";
import type { Shelf } from "./shelf.ts";
import { UnplacedBytes } from "./unplaced.ts";

export type SpaceParts = {
  readonly shelf: Shelf;
  readonly ledger: Pick<Ledger, "holderOf" | "holdersIn" | "holdingsOf" | "version">;
  readonly operator: Address;
  /** Bytes of bundles this node is willing to keep. */
  readonly capacity: number;
  /**
   * Part of the capacity that may be taken by bundles that this operator does not hold on chain, half of it by those of strangers;
   * a half by default.
   */
  readonly unplacedShare?: number;
};

/** A bundle, and who would send it. */
export type Sent = Pick<Arrival, "datasetId" | "bundleIndex" | "sender" | "isStranger">;

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
  refusal(sent: Sent, layout: DatasetLayout, arrivals: Arrivals): Refusal | undefined {
    const { shelf, ledger } = this.#parts;
    const { datasetId, bundleIndex } = sent;
    if (arrivals.has(sent) || shelf.get(datasetId, bundleIndex) !== undefined) {
      return undefined;
    }
    const holder = ledger.holderOf(bundleId(datasetId, bundleIndex));
    const room = this.room(sent, layout, arrivals, this.#holdersBeside(datasetId, bundleIndex, layout));
    return room.refusal(this.wanted(layout, bundleIndex, holder));
  }

  /**
   * What fits here of a dataset, beside what is here and what is arriving.
   * @param holders who holds its bundles, or those of the segments that are asked about
   */
  room(
    { datasetId, sender, isStranger }: Omit<Sent, "bundleIndex">,
    layout: DatasetLayout,
    arrivals: Arrivals,
    holders: readonly LedgerHolding[],
  ): Room {
    const { shelf, capacity, unplacedShare = 1 / 2 } = this.#parts;
    const most = capacity * unplacedShare;
    const unplaced = most - this.#unplaced.value - arrivals.bytes;
    const ofStrangers = most * shareOfStrangers - this.#unplaced.ofStrangers - arrivals.bytesOfStrangers;
    const bounds = {
      free: capacity - shelf.bytes - arrivals.bytes,
      unplaced: isStranger ? Math.min(unplaced, ofStrangers) : unplaced,
      arrivals: arrivalsPerPeer - arrivals.of(sender),
    };
    const segmentOf = (index: number) => bundlePlace(layout, index).segment;
    const sent = shelf.sentBy(datasetId, sender).map(segmentOf);
    const own = holders.filter(({ operator }) => this.holder(operator) === "this operator");
    const seats = own.map(({ bundleIndex }) => [segmentOf(bundleIndex), bundleIndex] as const);
    return new Room(bounds, [...sent, ...arrivals.segments(datasetId, sender)], new Map(seats));
  }

  /**
   * An operator holds one bundle of a segment on chain: no other one can be placed with it, and none is to be kept or signed for.
   * @throws RefusalError "refused"
   */
  requireSeat(
    { datasetId, bundleIndex }: Pick<Sent, "datasetId" | "bundleIndex">,
    layout: Pick<DatasetLayout, "n">,
  ): void {
    const holders = this.#holdersBeside(datasetId, bundleIndex, layout);
    const others = holders.filter((each) => each.bundleIndex !== bundleIndex);
    if (others.some(({ operator }) => this.holder(operator) === "this operator")) {
      throw new RefusalError("refused", "this operator holds another bundle of the segment");
    }
  }

  #holdersBeside(datasetId: Hex, bundleIndex: number, { n }: Pick<DatasetLayout, "n">): LedgerHolding[] {
    return this.#parts.ledger.holdersIn(datasetId, bundleIndex - (bundleIndex % n), n);
  }

  /** A bundle that is asked for, with who holds it by the chain. */
  wanted(layout: DatasetLayout, bundleIndex: number, operator: Address | undefined): Wanted {
    const { segment } = bundlePlace(layout, bundleIndex);
    const { bundleBytes: bytes } = segmentLayout(layout, segment);
    return { bundleIndex, bytes, segment, holder: this.holder(operator) };
  }

  /** What an operator is to this node. */
  holder(operator: Address | undefined): Holder {
    if (operator === undefined) return "nobody";
    return operator.toLowerCase() === this.#parts.operator.toLowerCase() ? "this operator" : "another";
  }
}
