import { type Address, getAddress, type Hex } from "viem";
import type { AssayEvent } from "../../keepers/src/chain/contracts.ts";
import type { Accounts } from "./accounts.ts";
import { basisPoints, burntOf, type Tariff } from "./tariff.ts";
import type { Truth } from "./truth.ts";
import type { Action } from "./world.ts";

type DatasetEntry = {
  readonly id: Hex;
  readonly owner: Address;
  readonly fee: bigint;
  readonly k: number;
  readonly roots: readonly bigint[];
  readonly endEpoch: number;
};

type Holding = {
  readonly datasetId: Hex;
  readonly index: number;
  readonly operator: Address;
  readonly root: bigint;
};

/** Of what is not burnt of a penalty and may be paid out, what its reporter has (`Limits.REPORTER_SHARE`). */
const reporterShare = 1_000n;

/** What is stored, with whom, and what that is worth to whom: the part of the {@link Ledger} that is about bundles. */
export class Holdings {
  readonly #tariff: Tariff;
  readonly #accounts: Accounts;
  readonly #epochOf: (time: number) => number;
  readonly #datasets = new Map<Hex, DatasetEntry>();
  readonly #held = new Map<Hex, Holding>();
  readonly #placed = new Set<Hex>();
  readonly #covers = new Map<Hex, Set<Hex>>();
  /** Bundles and epochs that were answered for. */
  readonly #answered = new Set<string>();
  /** Who has called the timeout of an audit that is missed. */
  readonly #overdue = new Map<Hex, Address>();
  /** What waits for whoever takes a bundle over and answers for it. */
  readonly #bounties = new Map<Hex, bigint>();
  /** Cells that were asked for, of whom, and who has called a timeout. */
  readonly #retrievals: { bundleId: Hex; asked: Holding | undefined; reporter: Address | undefined }[] = [];

  constructor(tariff: Tariff, accounts: Accounts, epochOf: (time: number) => number) {
    this.#tariff = tariff;
    this.#accounts = accounts;
    this.#epochOf = epochOf;
  }

  /** Last epoch that the owner of some dataset has paid for. */
  get lastEpoch(): number {
    return Math.max(0, ...[...this.#datasets.values()].map(({ endEpoch }) => endEpoch));
  }

  /** Bundles that were ever held. */
  get bundleIds(): readonly Hex[] {
    return [...this.#placed];
  }

  observe(action: Action, events: readonly AssayEvent[], truth: Truth): void {
    if (action.contract === "DatasetRegistry") this.#ofDataset(action, events);
    else if (action.contract === "BundleRegistry") this.#ofBundle(action, events);
    else if (action.contract === "StorageAudit") this.#ofAudit(action, truth);
    else if (action.contract === "RetrievalChallenges") this.#ofRetrieval(action);
  }

  /** Whether enough bundles of a dataset are held for it to be read. */
  isHeld(datasetId: Hex): boolean {
    return this.#of(datasetId).length >= this.#datasets.get(datasetId)!.k;
  }

  /** Whether enough bundles are held by somebody who has their bytes. */
  isRetrievable(datasetId: Hex, truth: Truth): boolean {
    const had = this.#of(datasetId).filter(({ operator, root }) => truth.has(operator, root));
    return had.length >= this.#datasets.get(datasetId)!.k;
  }

  #of(datasetId: Hex): Holding[] {
    return [...this.#held.values()].filter((each) => each.datasetId === datasetId);
  }

  #ofDataset({ name, args, from, at }: Action, events: readonly AssayEvent[]): void {
    if (name !== "anchor") return;
    const [anchored, roots] = args as [
      { feePerAudit: bigint; epochs: number; shape: { k: number } },
      readonly Hex[],
    ];
    const event = events.find(({ eventName }) => eventName === "DatasetAnchored")!;
    const { datasetId } = event.args as { datasetId: Hex };
    this.#datasets.set(datasetId, {
      ...{ id: datasetId, owner: getAddress(from), fee: anchored.feePerAudit, k: anchored.shape.k },
      roots: roots.map((root) => BigInt(root)),
      endEpoch: this.#epochOf(at) + 1 + anchored.epochs,
    });
  }

  #ofBundle({ name, args, at }: Action, events: readonly AssayEvent[]): void {
    for (const event of events) {
      if (event.eventName === "BundlePlaced") {
        const { bundleId, datasetId, operator, bundleIndex } = event.args as {
          bundleId: Hex;
          datasetId: Hex;
          operator: Address;
          bundleIndex: number;
        };
        const root = this.#datasets.get(datasetId)!.roots[Number(bundleIndex)]!;
        this.#placed.add(bundleId);
        this.#held.set(bundleId, { datasetId, index: Number(bundleIndex), operator, root });
      }
    }
    if (name === "surrender") {
      this.#surrender(args[0] as Hex, at);
    } else if (name === "registerCover") {
      const coverId = (
        events.find(({ eventName }) => eventName === "CoverRegistered")!.args as { coverId: Hex }
      ).coverId;
      const covered = this.#covers.get(coverId) ?? new Set();
      for (const bundleId of args[0] as readonly Hex[]) covered.add(bundleId);
      this.#covers.set(coverId, covered);
    }
  }

  /** Who leaves of its own will pays for that, and for the audit that it is late with no less than if it had stayed. */
  #surrender(bundleId: Hex, at: number): void {
    const { missPenalty, surrenderPenalty } = this.#tariff;
    const reporter = this.#overdue.get(bundleId);
    const { datasetId } = this.#held.get(bundleId)!;
    if (reporter !== undefined) {
      this.#penalise(bundleId, missPenalty, reporter, "surrendered what it was late with");
    } else if (this.#epochOf(at) < this.#datasets.get(datasetId)!.endEpoch) {
      this.#penalise(bundleId, surrenderPenalty, undefined, "surrendered a bundle");
    }
    this.#end(bundleId);
  }

  #end(bundleId: Hex): void {
    this.#held.delete(bundleId);
    this.#overdue.delete(bundleId);
  }

  /** A holder loses all of a penalty: a part is its reporter's, a part waits for whoever repairs, the rest is nobody's. */
  #penalise(bundleId: Hex, penalty: bigint, reporter: Address | undefined, why: string): void {
    const most = this.#tariff.missPenalty / 2n;
    const spendable = least(penalty - burntOf(this.#tariff, penalty), most);
    const reward = reporter === undefined ? 0n : (spendable * reporterShare) / basisPoints;
    const open = this.#bounties.get(bundleId) ?? 0n;
    this.#bounties.set(bundleId, open + least(spendable - reward, most - open));
    this.#accounts.charge(this.#held.get(bundleId)!.operator, penalty, why);
    if (reporter !== undefined) this.#accounts.add(reporter, { tokens: reward });
  }

  #ofAudit({ name, args, from }: Action, truth: Truth): void {
    const [id, epoch] = args as [Hex, number];
    if (name === "answer") this.#answer(id, epoch, truth);
    else if (name === "answerCover")
      for (const each of this.#covers.get(id) ?? []) this.#answer(each, epoch, truth);
    else if (name === "callTimeout") this.#overdue.set(id, from);
    else if (name === "slashMissed") {
      if (this.#held.has(id))
        this.#penalise(id, this.#tariff.missPenalty, this.#overdue.get(id), "missed an audit");
      this.#end(id);
    }
  }

  #ofRetrieval({ name, args, from }: Action): void {
    if (name === "challenge") {
      const bundleId = args[0] as Hex;
      this.#retrievals.push({ bundleId, asked: this.#held.get(bundleId), reporter: undefined });
      return;
    }
    const open = this.#retrievals[Number(args[0]) - 1];
    if (open === undefined) return;
    if (name === "callTimeout") open.reporter = from;
    // Who has left meanwhile has lost its place by another fault.
    if (name !== "slashFailed" || this.#held.get(open.bundleId) !== open.asked) return;
    this.#penalise(open.bundleId, this.#tariff.missPenalty, open.reporter, "did not publish a cell");
    this.#end(open.bundleId);
  }

  /** A fee is earned by who has all of the bundle, at the terms that it signed for; an owner pays for nothing else. */
  #answer(bundleId: Hex, epoch: number, truth: Truth): void {
    const holding = this.#held.get(bundleId);
    const key = `${bundleId}:${epoch}`;
    this.#overdue.delete(bundleId);
    if (holding === undefined || this.#answered.has(key)) return;
    this.#answered.add(key);
    const { operator, root, datasetId } = holding;
    const { owner, fee, endEpoch } = this.#datasets.get(datasetId)!;
    if (epoch >= endEpoch || !truth.has(operator, root)) return;
    this.#accounts.add(operator, { tokens: truth.agreedBy(operator, bundleId)?.fee ?? fee });
    this.#accounts.add(owner, { tokens: -fee });
    this.#accounts.add(operator, { tokens: this.#bounties.get(bundleId) ?? 0n });
    this.#bounties.delete(bundleId);
  }
}

function least(one: bigint, other: bigint): bigint {
  return one < other ? one : other;
}
