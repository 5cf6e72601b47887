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
  /** Bytes. */
  readonly length: number;
  /** Whether this operator held it before: it was paid for then, and is counted by its bytes alone. */
  readonly wasPlaced: boolean;
  /** Whether it was signed for. */
  readonly isPromised: boolean;
};

type Dataset = {
  /** Bytes of its manifest. */
  readonly manifest: number;
  bundles: number;
  /** Those of them that no stranger has sent. */
  ofOthers: number;
};

/** How much there is, of everybody and of strangers. */
class Amount {
  all = 0;
  ofStrangers = 0;

  add(amount: number, isStranger: boolean): void {
    this.all += amount;
    if (isStranger) this.ofStrangers += amount;
  }
}

/**
 * Bundles here that this operator does not hold on chain: nobody pays for them, and peers that cost nothing send them. What they
 * come to is kept up bundle by bundle, so that no question about it looks at all of them.
 */
export class UnplacedBundles {
  readonly #bundles = new Map<Hex, UnplacedBundle>();
  readonly #datasets = new Map<Hex, Dataset>();
  readonly #perSender = new Map<string, number>();
  readonly #charge = new Amount();
  readonly #count = new Amount();
  readonly #promised = new Amount();
  #bytes = 0;

  /** Bytes that they count as, with the manifest of each dataset once. */
  get charge(): Readonly<Amount> {
    return this.#charge;
  }

  /** How many have come and were never placed. */
  get count(): Readonly<Amount> {
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

  /** How many somebody has sent that were never placed. */
  of(sender: string): number {
    return this.#perSender.get(sender) ?? 0;
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
    const { datasetId, isStranger } = bundle;
    this.#bundles.set(id, bundle);
    const dataset = this.#datasets.get(datasetId) ?? { manifest, bundles: 0, ofOthers: 0 };
    this.#countManifest(dataset, -1);
    dataset.bundles++;
    if (!isStranger) dataset.ofOthers++;
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
    dataset.bundles--;
    if (!bundle.isStranger) dataset.ofOthers--;
    this.#countManifest(dataset, 1);
    if (dataset.bundles === 0) this.#datasets.delete(bundle.datasetId);
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
    const { sender, isStranger, length, wasPlaced, isPromised } = bundle;
    this.#bytes += sign * length;
    this.#charge.add(sign * chargeOf(length), isStranger);
    if (wasPlaced) return;
    this.#count.add(sign, isStranger);
    if (isPromised) this.#promised.add(sign, isStranger);
    const left = this.of(sender) + sign;
    if (left > 0) this.#perSender.set(sender, left);
    else this.#perSender.delete(sender);
  }

  /** The manifest of a dataset is a stranger's while strangers alone have sent bundles of it. */
  #countManifest({ manifest, bundles, ofOthers }: Dataset, sign: 1 | -1): void {
    if (bundles > 0) this.#charge.add(sign * manifest, ofOthers === 0);
  }
}
