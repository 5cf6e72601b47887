import type { Hex } from "viem";

/** What a small bundle takes all the same: its rows, its files, and the looks at it. */
const leastCharge = 64 * 1024;

/** Bytes that a bundle counts as while nobody pays for it. */
export function chargeOf(bytes: number): number {
  return Math.max(bytes, leastCharge);
}

/** A bundle that is here and that this operator does not hold on chain. */
export type UnplacedBundle = {
  readonly datasetId: Hex;
  readonly sender: string;
  /** Whether a peer of no operator with stake has sent it. */
  readonly isStranger: boolean;
  /** Whether its dataset was anchored when it came, and it has a place of those that are for such ones alone; false by default. */
  readonly isAnchored?: boolean;
  /** Bytes. */
  readonly length: number;
  /** Whether this operator held it before: it was paid for then, and is counted by its bytes alone. */
  readonly wasPlaced: boolean;
  /** Whether it was signed for. */
  readonly isPromised: boolean;
};

/** Whose part of the room a bundle has: none of them may use up what is the others'. */
export type Part = "strangers" | "registered" | "anchored";

export function partOf({ isStranger, isAnchored }: Pick<UnplacedBundle, "isStranger" | "isAnchored">): Part {
  if (isAnchored === true) return "anchored";
  return isStranger ? "strangers" : "registered";
}

type Dataset = {
  /** Bytes of its manifest. */
  readonly manifest: number;
  readonly bundles: Amount;
};

/** How much there is, in all and of each part. */
export class Amount implements Record<Part, number> {
  strangers = 0;
  registered = 0;
  anchored = 0;

  get all(): number {
    return this.strangers + this.registered + this.anchored;
  }

  add(amount: number, part: Part): void {
    this[part] += amount;
  }

  plus(other: Readonly<Record<Part, number>>): Amount {
    const sum = new Amount();
    for (const part of ["strangers", "registered", "anchored"] as const)
      sum.add(this[part] + other[part], part);
    return sum;
  }
}

/** What one sender has here that was never placed. */
export type OfSender = {
  readonly count: number;
  /** Bytes that they count as. */
  readonly charge: number;
  /** How many of them are signed for. */
  readonly promised: number;
};

const nothing: OfSender = { count: 0, charge: 0, promised: 0 };

/**
 * Bundles here that this operator does not hold on chain: nobody pays for them, and peers that cost nothing send them. What they
 * come to is kept up bundle by bundle, so that no question about it looks at all of them.
 */
export class UnplacedBundles {
  readonly #bundles = new Map<Hex, UnplacedBundle>();
  readonly #datasets = new Map<Hex, Dataset>();
  readonly #perSender = new Map<string, OfSender>();
  readonly #charge = new Amount();
  readonly #count = new Amount();
  readonly #promised = new Amount();
  #bytes = 0;

  /** Bytes that they count as, with the manifest of each dataset once. */
  get charge(): Amount {
    return this.#charge;
  }

  /** How many have come and were never placed. */
  get count(): Amount {
    return this.#count;
  }

  /** How many of those were signed for. */
  get promised(): Readonly<Amount> {
    return this.#promised;
  }

  /** Bytes that they have. */
  get bytes(): number {
    return this.#bytes;
  }

  /** What somebody has sent that was never placed. */
  of(sender: string): OfSender {
    return this.#perSender.get(sender) ?? nothing;
  }

  /** How many of a dataset are in the part of anchored ones. */
  anchoredOf(datasetId: Hex): number {
    return this.#datasets.get(datasetId)?.bundles.anchored ?? 0;
  }

  get(id: Hex): UnplacedBundle | undefined {
    return this.#bundles.get(id);
  }

  hasDataset(datasetId: Hex): boolean {
    return this.#datasets.has(datasetId);
  }

  /** @param manifest bytes of its dataset's manifest */
  set(id: Hex, bundle: UnplacedBundle, manifest: number): void {
    this.delete(id);
    const { datasetId } = bundle;
    this.#bundles.set(id, bundle);
    const dataset = this.#datasets.get(datasetId) ?? { manifest, bundles: new Amount() };
    this.#countManifest(dataset, -1);
    dataset.bundles.add(1, partOf(bundle));
    this.#countManifest(dataset, 1);
    this.#datasets.set(datasetId, dataset);
    this.#countBundle(bundle, 1);
  }

  delete(id: Hex): void {
    const bundle = this.#bundles.get(id);
    if (bundle === undefined) return;
    this.#bundles.delete(id);
    const dataset = this.#datasets.get(bundle.datasetId)!;
    this.#countManifest(dataset, -1);
    dataset.bundles.add(-1, partOf(bundle));
    this.#countManifest(dataset, 1);
    if (dataset.bundles.all === 0) this.#datasets.delete(bundle.datasetId);
    this.#countBundle(bundle, -1);
  }

  /** The bundle is signed for. */
  promise(id: Hex): void {
    const bundle = this.#bundles.get(id);
    if (bundle === undefined || bundle.isPromised) return;
    const promised = { ...bundle, isPromised: true };
    this.#countBundle(bundle, -1);
    this.#bundles.set(id, promised);
    this.#countBundle(promised, 1);
  }

  #countBundle(bundle: UnplacedBundle, sign: 1 | -1): void {
    const { sender, length, wasPlaced, isPromised } = bundle;
    const part = partOf(bundle);
    this.#bytes += sign * length;
    this.#charge.add(sign * chargeOf(length), part);
    if (wasPlaced) return;
    this.#count.add(sign, part);
    if (isPromised) this.#promised.add(sign, part);
    const before = this.of(sender);
    const left = {
      count: before.count + sign,
      charge: before.charge + sign * chargeOf(length),
      promised: before.promised + (isPromised ? sign : 0),
    };
    if (left.count > 0) this.#perSender.set(sender, left);
    else this.#perSender.delete(sender);
  }

  /** The manifest of a dataset is a stranger's while strangers alone have sent bundles of it. */
  #countManifest({ manifest, bundles }: Dataset, sign: 1 | -1): void {
    if (bundles.all === 0) return;
    const others = bundles.registered > 0 ? "registered" : "strangers";
    this.#charge.add(sign * manifest, bundles.anchored > 0 ? "anchored" : others);
  }
}
