import type { Address, Hex } from "viem";
import { bundlePlace, type DatasetLayout, segmentLayout } from "../../core/dataset/layout.ts";
import { bundleId } from "../../core/ids.ts";
import { RefusalError } from "../../storage/transport/errors.ts";
import { shareOfStrangers } from "../../storage/transport/peer-limits.ts";
import type { Arrival, Arrivals } from "./arrivals.ts";
import type { Refusal } from "./asking.ts";
import type { Ledger, LedgerHolding } from "./ledger.ts";
import { Placements } from "./placements.ts";
import { type Holder, Room, type Wanted } from "./room.ts";
import type { Shelf, ShelvedBundle } from "./shelf.ts";

export type SpaceParts = {
  readonly shelf: Shelf;
  readonly ledger: Pick<Ledger, "dataset" | "holderOf" | "holdersIn" | "holdingsOf" | "version">;
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

/** What is beside a bundle that is asked for. */
export type Beside = {
  readonly arrivals: Arrivals;
  readonly holders: readonly LedgerHolding[];
  /** Bytes of its dataset's manifest. */
  readonly manifestBytes: number;
};

/** Bundles of one peer that may be arriving. */
const arrivalsPerPeer = 64;
/**
 * Bundles here and arriving that this operator does not hold on chain, of all peers: each is a row that is looked at, and files. A
 * put sends one of each segment, of which a dataset has 450 at most: that is what one stranger needs.
 */
const mostUnplaced = { inAll: 8192, ofStranger: 512, ofRegistered: 2048 };
/** Part of what strangers may have here that is signed for before there is an anchor. An upload is signed for first. */
const shareOfPromised = 1 / 2;

/** What a node has room for, beside what is on its shelf and what is arriving. */
export class Space {
  readonly #parts: SpaceParts;
  readonly #placements: Placements;

  constructor(parts: SpaceParts) {
    this.#parts = parts;
    this.#placements = new Placements(parts.shelf, parts.ledger, parts.operator);
  }

  /** Why a bundle cannot be taken; undefined when it can. Must not wait: what it says holds until something arrives. */
  refusal(sent: Sent, layout: DatasetLayout, arrivals: Arrivals): Refusal | undefined {
    const { shelf, ledger } = this.#parts;
    const { datasetId, bundleIndex } = sent;
    if (arrivals.has(sent) || shelf.get(datasetId, bundleIndex) !== undefined) {
      return undefined;
    }
    const holder = ledger.holderOf(bundleId(datasetId, bundleIndex));
    const holders = this.#holdersBeside(datasetId, bundleIndex, layout);
    const room = this.room(sent, layout, {
      arrivals,
      holders,
      manifestBytes: shelf.manifestBytes(datasetId),
    });
    return room.refusal(this.wanted(layout, bundleIndex, holder));
  }

  /**
   * What fits here of a dataset, beside what is here and what is arriving.
   * @param beside `holders`: who holds its bundles, or those of the segments that are asked about
   */
  room(
    { datasetId, sender, isStranger }: Omit<Sent, "bundleIndex">,
    layout: DatasetLayout,
    { arrivals, holders, manifestBytes }: Beside,
  ): Room {
    const { shelf, capacity, unplacedShare = 1 / 2 } = this.#parts;
    this.#placements.note();
    const here = shelf.unplaced;
    const most = capacity * unplacedShare;
    const unplaced = most - here.charge.all - arrivals.charge;
    const ofStrangers = most * shareOfStrangers - here.charge.ofStrangers - arrivals.chargeOfStrangers;
    const isKnown = here.hasDataset(datasetId) || arrivals.hasDataset(datasetId);
    const bounds = {
      free: capacity - (shelf.bytes - here.bytes) - here.charge.all - arrivals.charge,
      unplaced: isStranger ? Math.min(unplaced, ofStrangers) : unplaced,
      places: this.#places(sender, isStranger, arrivals),
      manifest: isKnown ? 0 : manifestBytes,
      arrivals: arrivalsPerPeer - arrivals.of(sender),
    };
    const segmentOf = (index: number) => bundlePlace(layout, index).segment;
    const sent = shelf.sentBy(datasetId, sender).map(segmentOf);
    const own = holders.filter(({ operator }) => this.holder(operator) === "this operator");
    const seats = own.map(({ bundleIndex }) => [segmentOf(bundleIndex), bundleIndex] as const);
    return new Room(bounds, [...sent, ...arrivals.segments(datasetId, sender)], new Map(seats));
  }

  /** How many bundles that are not placed may still come of a peer. */
  #places(sender: string, isStranger: boolean, arrivals: Arrivals): number {
    const { unplaced } = this.#parts.shelf;
    const { count } = unplaced;
    const { inAll, ofStranger, ofRegistered } = mostUnplaced;
    const left = inAll - count.all - arrivals.size;
    const own = (isStranger ? ofStranger : ofRegistered) - unplaced.of(sender) - arrivals.of(sender);
    if (!isStranger) return Math.min(left, own);
    return Math.min(left, own, inAll * shareOfStrangers - count.ofStrangers - arrivals.sizeOfStrangers);
  }

  /**
   * What is signed for stays for days. What strangers have sent is, before it is anchored, only so often: whoever has anchored it
   * has put up a bond.
   * @throws RefusalError "full"
   */
  requirePromise({ bundleId: id, datasetId }: Pick<ShelvedBundle, "bundleId" | "datasetId">): void {
    const { shelf, ledger } = this.#parts;
    this.#placements.note();
    const bundle = shelf.unplaced.get(id);
    if (bundle?.isStranger !== true || bundle.isPromised || ledger.dataset(datasetId) !== undefined) return;
    const most = mostUnplaced.inAll * shareOfStrangers * shareOfPromised;
    if (shelf.unplaced.promised.ofStrangers < most) return;
    throw new RefusalError("full", "as many bundles are signed for as may be before they are anchored");
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
