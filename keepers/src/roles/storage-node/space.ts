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
import { type Amount, type Part, partOf } from "./unplaced.ts";

export type SpaceParts = {
  readonly shelf: Shelf;
  readonly ledger: Pick<Ledger, "dataset" | "holderOf" | "holdersIn" | "holdingsOf" | "version">;
  readonly operator: Address;
  /** Bytes of bundles this node is willing to keep. */
  readonly capacity: number;
  /** Part of the capacity that may be taken by bundles that this operator does not hold on chain; a half by default. */
  readonly unplacedShare?: number;
  /** Who is no stranger. Where it is left out nobody is one, and all have the room together. */
  readonly isRegistered?: (peer: string) => boolean;
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
 * put sends one of each segment, of which a dataset has 450 at most: that is what one peer needs, and what a dataset needs.
 */
const mostUnplaced = { inAll: 8192, ofPeer: 512, ofAnchored: 512 };
/**
 * Of that, and of the bytes, strangers, registered peers and bundles of anchored datasets, whoever sends them, have half each at most,
 * and two of them together no more than leaves the third a quarter. Who has anchored a dataset has put up a bond for it, but nothing
 * that is at risk for what is sent.
 */
const [shareOfPart, shareOfTwo] = [shareOfStrangers, 3 / 4];
/** Part of what each may have here that is signed for before there is an anchor. An upload is signed for first. */
const shareOfPromised = 1 / 2;
/**
 * What one registered peer has of all registered peers' part: what is ensured to it as long as there is any, and more only while less
 * than half is taken of what nobody else can use up. Their stake is not at risk for what they send.
 */
const places = { ensured: 32, most: mostUnplaced.ofPeer };
const promises = { ensured: 32, most: 256 };
const bytesOfPeer = { ensured: 1 / 64, most: 1 / 8 };

/** What one registered peer has, and what it may have. */
type OfPeer = typeof places & { readonly own: number };

/** What a registered peer may still take of a part that all of them have, and that is theirs alone up to a floor. */
function fairLeft({ own, ensured, most }: OfPeer, used: number, part: number, floor = part): number {
  const left = Math.min(ensured - own, part - used);
  return Math.max(left, Math.min(most - own, floor / 2 - used));
}

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
    const part = partOf({ isStranger, isAnchored: this.isAnchored(datasetId, arrivals) });
    const charge = here.charge.plus(arrivals.charge);
    const ofPeer = {
      own: here.of(sender).charge + arrivals.of(sender).charge,
      ensured: most * bytesOfPeer.ensured,
      most: most * bytesOfPeer.most,
    };
    const isKnown = here.hasDataset(datasetId) || arrivals.hasDataset(datasetId);
    const bounds = {
      free: capacity - (shelf.bytes - here.bytes) - charge.all,
      unplaced: this.#left(part, charge, most, ofPeer),
      places: this.#places(datasetId, part, sender, arrivals),
      manifest: isKnown ? 0 : manifestBytes,
      arrivals: arrivalsPerPeer - arrivals.of(sender).count,
    };
    const segmentOf = (index: number) => bundlePlace(layout, index).segment;
    const sent = shelf.sentBy(datasetId, sender).map(segmentOf);
    const held = holders.filter(({ operator }) => this.holder(operator) === "this operator");
    const seats = held.map(({ bundleIndex }) => [segmentOf(bundleIndex), bundleIndex] as const);
    return new Room(bounds, [...sent, ...arrivals.segments(datasetId, sender)], new Map(seats));
  }

  /**
   * Whether a bundle of a dataset takes room of what is for anchored ones: each of these has as much as it needs. Where there is no
   * more, it is like any other bundle of who sends it.
   */
  isAnchored(datasetId: Hex, arrivals: Arrivals): boolean {
    const { shelf, ledger, capacity, unplacedShare = 1 / 2 } = this.#parts;
    const { count, charge } = shelf.unplaced;
    if (this.#anchoredOf(datasetId, arrivals) >= mostUnplaced.ofAnchored) return false;
    if (this.#left("anchored", count.plus(arrivals.count), mostUnplaced.inAll) <= 0) return false;
    if (this.#left("anchored", charge.plus(arrivals.charge), capacity * unplacedShare) <= 0) return false;
    return ledger.dataset(datasetId) !== undefined;
  }

  #anchoredOf(datasetId: Hex, arrivals: Arrivals): number {
    return this.#parts.shelf.unplaced.anchoredOf(datasetId) + arrivals.anchoredOf(datasetId);
  }

  /** How many bundles that are not placed may still come of a peer. */
  #places(datasetId: Hex, part: Part, sender: string, arrivals: Arrivals): number {
    const { unplaced } = this.#parts.shelf;
    const { inAll, ofPeer, ofAnchored } = mostUnplaced;
    const own = unplaced.of(sender).count + arrivals.of(sender).count;
    const used = unplaced.count.plus(arrivals.count);
    const left = Math.min(ofPeer - own, this.#left(part, used, inAll, { own, ...places }));
    return part === "anchored" ? Math.min(left, ofAnchored - this.#anchoredOf(datasetId, arrivals)) : left;
  }

  /** What may still come in a part of all that may. */
  #left(part: Part, used: Amount, inAll: number, peer?: OfPeer): number {
    const left = inAll - used.all;
    // Where nobody is a stranger there are no parts.
    if (this.#parts.isRegistered === undefined) return left;
    const most = inAll * shareOfPart;
    const isShared = part === "registered" && peer !== undefined;
    const ofPart = isShared ? fairLeft(peer, used[part], most, inAll * (1 - shareOfTwo)) : most - used[part];
    const others = (["strangers", "registered", "anchored"] as const).filter((other) => other !== part);
    return Math.min(left, ofPart, ...others.map((other) => inAll * shareOfTwo - used[part] - used[other]));
  }

  /**
   * What is signed for stays for days. What was sent is, before it is anchored, only so often: whoever has anchored it has put up a
   * bond.
   * @throws RefusalError "full"
   */
  requirePromise({ bundleId: id, datasetId }: Pick<ShelvedBundle, "bundleId" | "datasetId">): void {
    const { shelf, ledger, isRegistered } = this.#parts;
    this.#placements.note();
    const { unplaced } = shelf;
    const bundle = unplaced.get(id);
    if (bundle === undefined || bundle.isPromised || ledger.dataset(datasetId) !== undefined) return;
    const { isStranger, sender } = bundle;
    const most = mostUnplaced.inAll * shareOfPart * shareOfPromised;
    const { strangers, registered } = unplaced.promised;
    // Where nobody is a stranger there are no parts.
    const ofRegistered = () =>
      isRegistered === undefined
        ? 1
        : fairLeft({ own: unplaced.of(sender).promised, ...promises }, registered, most);
    if ((isStranger ? most - strangers : ofRegistered()) > 0) return;
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
