import { type Address, type Hex, keccak256, zeroAddress } from "viem";
import { addressOf, type Contracts } from "../../chain/contracts.ts";
import { signReceipt } from "../../chain/receipt.ts";
import { bundlePlace, segmentLayout } from "../../core/dataset/layout.ts";
import { ErasureCode } from "../../core/erasure/code.ts";
import type { ChainView, StorageWriter } from "../../storage/client/client.ts";
import {
  type AnchoredDataset,
  allBundles,
  checkManifest,
  type Holder,
  type KnownDataset,
  readAnchor,
  readHolders,
} from "../../storage/client/dataset.ts";
import { fetchBundles } from "../../storage/client/fetch-bundles.ts";
import { fetchManifest } from "../../storage/client/fetch-manifest.ts";
import { signedReceipt } from "../../storage/client/place.ts";
import { defaultFetchTime } from "../jobs/fetch-time.ts";
import { type LimitOptions, limited } from "../jobs/in-time.ts";
import { SideBySide } from "../jobs/side-by-side.ts";
import { agreedOn } from "./agreement.ts";
import { type Asking, termsRefusal } from "./asking.ts";
import { chainTime, type DutyContext, sendCall } from "./context.ts";
import type { Ledger, LedgerVacancy } from "./ledger.ts";
import type { Possession } from "./possession.ts";
import { proofTag, toProofWords } from "./proof-words.ts";
import { type Candidate, RepairList } from "./repair-list.ts";
import { type Moment, provableEpoch, readMoment } from "./repair-moment.ts";
import type { Shelf } from "./shelf.ts";
import { turnOf } from "./turn.ts";
import { type Vault, WrongRootsError } from "./vault.ts";

export type RepairerParts = DutyContext & {
  ledger: Ledger;
  shelf: Shelf;
  vault: Vault;
  /** Reaches the other holders. */
  storage: StorageWriter;
  possession: Possession;
  /** Bytes of bundles this node is willing to keep. */
  capacity: number;
  asking: Asking;
  /** Chain seconds between the turns of two operators. */
  stagger: bigint;
  /** Seconds that a manifest, or the bundles of a segment, may take to arrive; 1,800 by default. */
  fetchTime?: number;
  /** How long a tick waits for repairs that are under way, in milliseconds; they go on after it. */
  patience?: number;
};

/** Repairs under way at a time: k bundles of a segment each, of 8 MB at most. */
const mostRepairs = 4;

/** Milliseconds before a repair that failed is tried again, for the first time. */
const retryPause = 250;

/** Vacancies that are kept to be repaired, however many there are: strangers can leave bundles without end. */
const mostCandidates = 4_096;

/** Vacancies whose terms are read in one look: a few reads each. */
const mostAssessed = 64;

/** Chain seconds after which the terms of a vacancy are read again. */
const assessEvery = 600n;

/** As {@link assessEvery}, for one that this operator would not take as it is: epochs may be added to its dataset. */
const refusedFor = 3_600n;

/** How long the receipt for an own repair is good, in chain seconds: it is placed at once. */
const receiptLifetime = 3600n;

/** Chain seconds, beside an epoch, for which restored bytes wait for the seed under which they are proven. */
const seedPatience = 24n * 3600n;

/** What is known of a vacancy besides. */
type Assessed = {
  readonly vacancy: LedgerVacancy;
  readonly owner: Address;
  /** When its terms are read again, in chain seconds; 0 before they were. */
  again: bigint;
};

/**
 * Restores bundles that lost their holder, or never had one, from any k of the segment's other bundles, and takes them over
 * with a proof under the first seed that nobody knew when the bundle became free. A few are under way side by side, each for so
 * long: holders that never end their answer hold up none but their own. Terms are looked at first, and what is over is
 * forgotten: anybody can leave bundles of a dataset of its own without a holder.
 */
export class Repairer {
  readonly #parts: RepairerParts;
  /** The ledger's vacancies, as of its last change. */
  #vacancies: readonly (readonly LedgerVacancy[])[] = [];
  readonly #assessed = new Map<Hex, Assessed>();
  /** Datasets of which nothing will be taken any more: they are over, or pay too little. */
  readonly #never = new Set<Hex>();
  readonly #list = new RepairList({ most: mostCandidates, pause: retryPause });
  /** When a vacancy could first be taken, in chain seconds: turns are counted from there. */
  readonly #seen = new Map<Hex, bigint>();
  /** Until when restored bytes wait for a seed, in chain seconds: past that they are not restored again before there is one. */
  readonly #waiting = new Map<Hex, bigint>();
  /** Vacancies that cannot be restored as anchored: trying again would give the same. */
  readonly #hopeless = new Set<Hex>();
  readonly #repairs: SideBySide<Hex>;
  /** What is here waits for no holder, and for none of those that are waited for. */
  readonly #placings: SideBySide<Hex>;
  /** Segments of which a bundle is being restored, and the bytes that are on their way. */
  readonly #segments = new Set<string>();
  #coming = 0;

  constructor(parts: RepairerParts) {
    this.#parts = parts;
    this.#repairs = new SideBySide({ most: mostRepairs, patience: parts.patience });
    this.#placings = new SideBySide({ most: mostRepairs, patience: parts.patience });
  }

  /** Tries the vacancies whose turn it is; those whose bytes are here beside the others. */
  async tick(signal: AbortSignal): Promise<void> {
    const moment = await readMoment(this.#parts);
    this.#refresh();
    await this.#assess(moment, signal);
    // Each once in a look.
    const begun = await this.#beginPlacing(moment, signal);
    let ended = 0;
    do {
      if (signal.aborted) return;
      this.#beginRepairs(moment, begun, signal);
      const [repaired, placed] = await Promise.all([this.#repairs.look(), this.#placings.look()]);
      ended = repaired + placed;
    } while (ended > 0);
  }

  /** The signal of the last look has ended what is under way. */
  async close(): Promise<void> {
    await Promise.all([this.#repairs.settled(), this.#placings.settled()]);
  }

  /** Takes over what has changed in the ledger. */
  #refresh(): void {
    const { ledger } = this.#parts;
    const vacancies = [ledger.vacancies(), ledger.unplaced()];
    if (vacancies.every((list, i) => list === this.#vacancies[i])) return;
    this.#vacancies = vacancies;
    const present = new Map(vacancies.flat().map((vacancy) => [vacancy.bundleId, vacancy]));
    for (const bundleId of this.#assessed.keys()) {
      if (present.has(bundleId)) continue;
      this.#assessed.delete(bundleId);
      this.#list.delete(bundleId);
      this.#seen.delete(bundleId);
      // Whoever loses it again has its bytes waited for anew.
      this.#waiting.delete(bundleId);
    }
    for (const [bundleId, vacancy] of present) {
      if (this.#assessed.has(bundleId)) continue;
      const owner = ledger.dataset(vacancy.datasetId)?.owner ?? zeroAddress;
      this.#assessed.set(bundleId, { vacancy, owner, again: 0n });
    }
  }

  /** Reads the terms of vacancies that were not looked at, or not for long: of a few in one look, of each owner in turn. */
  async #assess(moment: Moment, signal: AbortSignal): Promise<void> {
    const { now } = moment;
    const [fresh, known] = [new Map<Address, Assessed[]>(), new Map<Address, Assessed[]>()];
    for (const assessed of this.#assessed.values()) {
      const { vacancy, owner, again } = assessed;
      const isWanted = !this.#never.has(vacancy.datasetId) && !this.#hopeless.has(vacancy.bundleId);
      // What was put off to a time that is further than it ever is was put off by a clock that was wrong.
      if (!isWanted || (now < again && again <= now + refusedFor)) continue;
      const byOwner = again === 0n ? fresh : known;
      const others = byOwner.get(owner);
      if (others === undefined) byOwner.set(owner, [assessed]);
      else others.push(assessed);
    }
    const first = inTurn([...fresh.values()], mostAssessed);
    const chosen = [...first, ...inTurn([...known.values()], mostAssessed - first.length)];
    await Promise.all(
      chosen.map(async (assessed) => {
        const { bundleId } = assessed.vacancy;
        try {
          await this.#assessOne(assessed, moment);
        } catch (error) {
          if (signal.aborted) return;
          // After what was not looked at yet.
          assessed.again = now + 1n;
          const reason = (error as Error).message;
          this.#parts.log.warn({ bundleId, reason }, "a vacancy could not be looked at");
        }
      }),
    );
  }

  async #assessOne(assessed: Assessed, moment: Moment): Promise<void> {
    const { epoch, now } = moment;
    const { agreed, contracts, operator, storage, asking, capacity } = this.#parts;
    const { vacancy, owner } = assessed;
    const { bundleId, datasetId, bundleIndex } = vacancy;
    const look = async (at: Pick<Contracts, "DatasetRegistry">, view: ChainView) => {
      const [isOver, anchored] = await Promise.all([
        at.DatasetRegistry.read.isOver([datasetId]),
        readAnchor(view, datasetId),
      ]);
      // A fee is that of the anchor, for good.
      return { ...anchored, isForever: isOver || anchored.anchor.feePerAudit < asking.leastFee };
    };
    let seen: Awaited<ReturnType<typeof look>> | undefined = await look(contracts, storage);
    if (seen.isForever && agreed.contracts !== contracts) {
      seen = await agreedOn(this.#parts, "whether a dataset is over", (chain) =>
        look(chain.contracts, { ...storage, contracts: chain.contracts }),
      );
    }
    if (seen === undefined) {
      assessed.again = now + assessEvery;
      return;
    }
    const { anchor, layout } = seen;
    if (seen.isForever) {
      this.#never.add(datasetId);
      this.#list.delete(bundleId);
      return;
    }
    const epochs = anchor.endEpoch - epoch;
    const { segment } = bundlePlace(layout, bundleIndex);
    const { bundleBytes } = segmentLayout(layout, segment);
    const isRefused = termsRefusal(asking, { ...anchor, epochs }) !== undefined;
    if (epochs < 2 || isRefused || bundleBytes > capacity) {
      this.#refuse(bundleId, now);
      return;
    }
    const { BundleRegistry } = contracts;
    const [bounty, provableFrom] = await Promise.all([
      BundleRegistry.read.bountyOf([bundleId]),
      BundleRegistry.read.provableFrom([datasetId, bundleIndex, operator]),
    ]);
    // Somebody holds it; or its owner, or those that it named, come first for some epochs.
    if (provableFrom === 0 || provableFrom > epoch + 1) {
      this.#refuse(bundleId, now);
      return;
    }
    const hasSeed = provableEpoch({ provableFrom, stake: anchor.bundleStake }, moment) !== undefined;
    if (!hasSeed && this.#isGivenUp(bundleId, now)) {
      this.#refuse(bundleId, now);
      return;
    }
    const turn = turnOf(this.#parts, `repair:${bundleId}`);
    assessed.again = now + assessEvery;
    const worth = bounty + anchor.feePerAudit * BigInt(epochs);
    const facts = { segment, bytes: bundleBytes, stake: anchor.bundleStake, provableFrom, turn };
    const left = this.#list.set({ vacancy, owner, worth, ...facts });
    if (left !== undefined) this.#refuse(left, now);
  }

  /** Leaves a vacancy alone for a while. */
  #refuse(bundleId: Hex, now: bigint): void {
    this.#list.delete(bundleId);
    const assessed = this.#assessed.get(bundleId);
    if (assessed !== undefined) assessed.again = now + refusedFor;
  }

  /** Whether the bytes of a vacancy have waited for a seed for as long as they do. */
  #isGivenUp(bundleId: Hex, now: bigint): boolean {
    const until = this.#waiting.get(bundleId);
    return until !== undefined && until < now;
  }

  /**
   * Takes over what can be proven of the vacancies whose bytes are here: whoever has them waits for nobody.
   * @returns the ids of all whose bytes are here
   */
  async #beginPlacing(moment: Moment, signal: AbortSignal): Promise<Set<Hex>> {
    const { shelf } = this.#parts;
    const here = new Set<Hex>();
    for (const candidate of this.#list.candidates()) {
      const { bundleId } = candidate.vacancy;
      if (shelf.byId(bundleId) === undefined) continue;
      here.add(bundleId);
      const epoch = provableEpoch(candidate, moment);
      if (epoch === undefined) {
        await this.#keep(bundleId, moment.now);
        continue;
      }
      const isPossible = candidate.stake <= moment.lockable && !this.#isUnderWay(candidate);
      if (!isPossible || !this.#list.isRested(bundleId) || this.#placings.room === 0) continue;
      this.#placings.begin(bundleId, () => this.#try(candidate, epoch, signal));
    }
    return here;
  }

  #beginRepairs(moment: Moment, begun: Set<Hex>, signal: AbortSignal): void {
    while (this.#repairs.room > 0) {
      const candidate = this.#list.next(
        (one) => !begun.has(one.vacancy.bundleId) && this.#isDue(one, moment),
      );
      if (candidate === undefined) return;
      const { bundleId } = candidate.vacancy;
      begun.add(bundleId);
      const epoch = provableEpoch(candidate, moment);
      this.#repairs.begin(bundleId, () => this.#try(candidate, epoch, signal));
    }
  }

  #isUnderWay({ vacancy, segment }: Candidate): boolean {
    return this.#segments.has(`${vacancy.datasetId}:${segment}`);
  }

  /** Whether a vacancy whose bytes are not here can be restored now, and it is this operator's turn. */
  #isDue(candidate: Candidate, moment: Moment): boolean {
    const { shelf, capacity, stagger } = this.#parts;
    const { bundleId } = candidate.vacancy;
    const isPossible = candidate.stake <= moment.lockable && !this.#hopeless.has(bundleId);
    // No operator holds two bundles of a segment.
    if (!isPossible || this.#isUnderWay(candidate)) return false;
    // Before there is a seed only one restores the bytes.
    const isEarly = provableEpoch(candidate, moment) === undefined;
    if (isEarly && (candidate.turn > 0n || this.#isGivenUp(bundleId, moment.now))) return false;
    if (!isEarly) {
      const since = this.#seen.get(bundleId) ?? moment.now;
      this.#seen.set(bundleId, since);
      if (moment.now < since + candidate.turn * stagger) return false;
    }
    return candidate.bytes <= capacity - shelf.bytes - this.#coming;
  }

  /** Never throws: what failed is tried again, after what was tried less often. */
  async #try(candidate: Candidate, epoch: number | undefined, signal: AbortSignal): Promise<void> {
    const { bundleId, datasetId } = candidate.vacancy;
    const name = `${datasetId}:${candidate.segment}`;
    const coming = this.#parts.shelf.byId(bundleId) === undefined ? candidate.bytes : 0;
    this.#segments.add(name);
    this.#coming += coming;
    try {
      if (!(await this.#repair(candidate, epoch, signal))) {
        this.#refuse(bundleId, await chainTime(this.#parts.client));
      }
    } catch (error) {
      if (signal.aborted) return;
      this.#list.failed(bundleId);
      if (error instanceof WrongRootsError) {
        this.#hopeless.add(bundleId);
        this.#list.delete(bundleId);
      }
      this.#parts.log.warn({ bundleId, reason: (error as Error).message }, "repair failed");
    } finally {
      this.#segments.delete(name);
      this.#coming -= coming;
    }
  }

  /**
   * Restores a bundle, and takes it over once there is an epoch under whose seed it can be proven.
   *
   * @returns whether it is for this operator
   */
  async #repair(
    { vacancy, segment }: Candidate,
    epoch: number | undefined,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { contracts, operator, storage } = this.#parts;
    const { bundleId, datasetId, bundleIndex } = vacancy;
    const limit = { seconds: this.#parts.fetchTime ?? defaultFetchTime, signal };
    const { operator: holder } = await contracts.BundleRegistry.read.holdingOf([bundleId]);
    if (holder !== zeroAddress) return false;
    const anchored = await readAnchor(storage, datasetId);
    const siblings = allBundles(anchored.layout).filter(
      (index) => bundlePlace(anchored.layout, index).segment === segment,
    );
    const holders = await readHolders(storage, datasetId, siblings);
    if (holders.some((other) => isSame(other.operator, operator))) return false;
    const dataset = await this.#dataset(anchored, limit);
    await this.#restore(dataset, bundleIndex, holders, limit);
    if (epoch === undefined) {
      await this.#keep(bundleId, await chainTime(this.#parts.client));
      return true;
    }
    await this.#place(dataset, bundleIndex, epoch, signal);
    this.#waiting.delete(bundleId);
    this.#parts.log.info({ bundleId, bundleIndex }, "bundle repaired");
    // The ledger takes it out.
    return false;
  }

  /** A dataset with the manifest that came with its bundles, or else that of its holders. */
  async #dataset(anchored: AnchoredDataset, limit: LimitOptions): Promise<KnownDataset> {
    const { shelf, storage } = this.#parts;
    const kept = shelf.manifest(anchored.datasetId);
    const isRight = kept !== undefined && keccak256(kept) === anchored.anchor.manifestHash;
    if (isRight) return checkManifest(anchored, kept);
    return await limited((signal) => fetchManifest(storage, anchored, signal), limit);
  }

  /** Sees to it that the bytes of a bundle are here: whole, or restored from the others of its segment. */
  async #restore(
    dataset: KnownDataset,
    bundleIndex: number,
    holders: readonly Holder[],
    limit: LimitOptions,
  ): Promise<void> {
    const { storage, shelf, vault } = this.#parts;
    const { datasetId, manifest, layout } = dataset;
    const { segment, shard } = bundlePlace(layout, bundleIndex);
    const kept = shelf.get(datasetId, bundleIndex);
    // Whoever lost it for want of its bytes must not take it over without them.
    if (kept !== undefined && !(await vault.isWhole(kept))) await vault.drop(kept);
    if (shelf.get(datasetId, bundleIndex) !== undefined) return;
    const live = holders.filter((other) => other.operator !== undefined);
    const { shards } = await limited(
      (signal) => fetchBundles(storage, { dataset, segment, holders: live, signal }),
      limit,
    );
    const [bytes] = new ErasureCode(layout.k, layout.n).reconstruct(shards, [shard]);
    await vault.admit(datasetId, manifest, bundleIndex, bytes!);
  }

  /**
   * Keeps the bytes of a bundle that is free until there may be a seed for it, whether they were restored here or brought by its
   * owner, who may have the only copy left. They are not kept for longer than once that: the vacancy is left alone then.
   */
  async #keep(bundleId: Hex, now: bigint): Promise<void> {
    const { contracts, shelf } = this.#parts;
    const length = await contracts.DatasetRegistry.read.epochLength();
    const until = this.#waiting.get(bundleId) ?? now + BigInt(length) + seedPatience;
    this.#waiting.set(bundleId, until);
    if (until < now) this.#refuse(bundleId, now);
    else shelf.keepUntil(bundleId, until);
  }

  async #place(
    dataset: KnownDataset,
    bundleIndex: number,
    epoch: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { operator, storage, deployment, client, contracts, shelf, possession } = this.#parts;
    const { datasetId, manifest, layout, anchor } = dataset;
    const segment = BigInt(bundlePlace(layout, bundleIndex).segment);
    const bundle = shelf.get(datasetId, bundleIndex)!;
    const [seed] = await contracts.StorageAudit.read.windowOf([epoch]);
    const { proof, evaluation } = await possession.provePlacing(bundle, seed, BigInt(epoch), signal);
    // An operator that left the segment can come back: its receipt must outlive all that it signed before.
    const floor = await contracts.BundleRegistry.read.receiptFloorOf([datasetId, segment, operator]);
    const soon = (await chainTime(client)) + receiptLifetime;
    const validUntil = soon > floor ? soon : floor + 1n;
    // The proof took its time, and the transaction may take more: it must not come through without the bytes.
    if (shelf.byId(bundle.bundleId) === undefined)
      throw new Error("the bundle was dropped while it was proven");
    shelf.keepUntil(bundle.bundleId, validUntil + receiptLifetime);
    const roots = manifest.bundles[bundleIndex]!;
    const signature = await signReceipt(
      storage.account,
      {
        datasetId,
        bundleIndex,
        poseidonRoot: roots.poseidonRoot as `0x${string}`,
        transportRoot: roots.transportRoot as `0x${string}`,
        operator,
        validUntil,
        latestEnd: anchor.endEpoch,
      },
      { chainId: deployment.chainId, bundleRegistry: addressOf(deployment, "BundleRegistry") },
    );
    const receipt = { bundleIndex, operator, validUntil, latestEnd: anchor.endEpoch, signature };
    const args = [signedReceipt(dataset, receipt), epoch, evaluation, toProofWords(proof)] as const;
    const key = `repair:${bundle.bundleId}:${proofTag(proof)}`;
    await sendCall(this.#parts, key, "BundleRegistry", "placeProven", args);
  }
}

/** The first of each list, then the second of each, so many in all. */
function inTurn<T>(lists: readonly (readonly T[])[], most: number): T[] {
  const chosen: T[] = [];
  const longest = lists.reduce((length, list) => Math.max(length, list.length), 0);
  for (let i = 0; i < longest && chosen.length < most; i++) {
    for (const list of lists) if (i < list.length && chosen.length < most) chosen.push(list[i]!);
  }
  return chosen;
}

function isSame(a: Address | undefined, b: Address): boolean {
  return a?.toLowerCase() === b.toLowerCase();
}
