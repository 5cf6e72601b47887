import { LRUCache } from "lru-cache";
import type { Address, Hex } from "viem";
import type { Contracts } from "../../chain/contracts.ts";
import { datasetStatus } from "../../storage/client/anchor.ts";
import { agreedOn } from "./agreement.ts";
import { chainTime, type DutyContext } from "./context.ts";

/** Anchors that are remembered: those that were asked for longest ago go first. */
const mostAnchors = 4_096;

export type KeptReadsParts = {
  readonly contracts: Pick<Contracts, "DatasetRegistry" | "Staking">;
  /** Timestamp of the latest block, seconds. */
  readonly chainTime: () => Promise<bigint>;
  /** Milliseconds for which what was read is taken as it is. */
  readonly keptFor: number;
};

type Dataset = Awaited<ReturnType<Contracts["DatasetRegistry"]["read"]["datasetOf"]>>;

/** What the end of a receipt is reckoned from. */
export type ReceiptClock = { readonly now: bigint; readonly epoch: number; readonly length: number };

/** The clock of receipts as the endpoints agree on it; undefined while they do not. */
export function agreedClock(chain: Pick<DutyContext, "agreed" | "log">): Promise<ReceiptClock | undefined> {
  return agreedOn(chain, "the time of a receipt", async ({ contracts, client }) => {
    const { read } = contracts.DatasetRegistry;
    const [now, epoch, length] = await Promise.all([
      chainTime(client),
      read.currentEpoch(),
      read.epochLength(),
    ]);
    return { now, epoch, length };
  });
}

/** What strangers make a storage node ask the chain again and again: read once for a while, whoever asks how often. */
export class KeptReads {
  readonly currentEpoch: () => Promise<number>;
  /** What a dataset that is anchored now would take over. */
  readonly parameters: () => ReturnType<Contracts["DatasetRegistry"]["read"]["parameters"]>;
  /** Timestamp of the latest block, seconds. */
  readonly chainTime: () => Promise<bigint>;
  readonly #parts: KeptReadsParts;
  readonly #operators = new Map<Address, () => Promise<boolean>>();
  readonly #anchors = new LRUCache<Hex, { readonly dataset: Dataset; readonly until: number }>({
    max: mostAnchors,
  });

  constructor(parts: KeptReadsParts) {
    const { contracts, chainTime, keptFor } = parts;
    const registry = contracts.DatasetRegistry.read;
    this.#parts = parts;
    this.currentEpoch = kept(keptFor, () => registry.currentEpoch());
    this.parameters = kept(keptFor, () => registry.parameters());
    this.chainTime = kept(keptFor, chainTime);
  }

  /** Whether an operator is active. Only a few are asked for: each is remembered. */
  isActive(operator: Address): Promise<boolean> {
    const { contracts, keptFor } = this.#parts;
    const read = async () => (await contracts.Staking.read.operatorOf([operator])).active;
    const known = this.#operators.get(operator) ?? kept(keptFor, read);
    this.#operators.set(operator, known);
    return known();
  }

  /**
   * What the registry says of a dataset. Its manifest never changes: whoever brings another one than the anchor's costs no
   * read. One that is not anchored yet is asked for each time, because it may be at any moment.
   */
  async dataset(datasetId: Hex, manifestHash: Hex): Promise<Dataset> {
    const { contracts, keptFor } = this.#parts;
    const known = this.#anchors.get(datasetId);
    const isOther = known !== undefined && known.dataset.manifestHash !== manifestHash;
    if (known !== undefined && (isOther || performance.now() < known.until)) return known.dataset;
    const dataset = await contracts.DatasetRegistry.read.datasetOf([datasetId]);
    if (dataset.status !== datasetStatus.none) {
      this.#anchors.set(datasetId, { dataset, until: performance.now() + keptFor });
    }
    return dataset;
  }
}

/** A read whose answer is given for so many milliseconds from when it was begun. One that fails is made again. */
export function kept<T>(milliseconds: number, read: () => Promise<T>): () => Promise<T> {
  let last: { readonly answer: Promise<T>; readonly until: number } | undefined;
  return () => {
    if (last !== undefined && performance.now() < last.until) return last.answer;
    const fresh = { answer: read(), until: performance.now() + milliseconds };
    last = fresh;
    fresh.answer.catch(() => {
      if (last === fresh) last = undefined;
    });
    return fresh.answer;
  };
}
