import type { AssayEvent, ContractEvent } from "../../chain/contracts.ts";
import type { Attribution } from "./attribution.ts";
import type { Stamps } from "./history.ts";
import { paymentOf } from "./payment-rows.ts";
import { reasonText } from "./reason-text.ts";
import type { Row, Value } from "./rows.ts";

type Draft = { id: string; [field: string]: Value };

/** Payments that count as earned: not what comes back, nor the chain's coin, nor a worker's pay. */
export const earning: ReadonlySet<string> = new Set(["Price", "CheckFee", "StorageFee", "RepairBounty"]);

/**
 * Folds all events of a chain into the row that an index has to give of one operator.
 *
 * @param account in lower case
 * @param stamps those of the operator's events
 */
export function operatorRow(
  account: string,
  events: readonly AssayEvent[],
  stamps: Stamps,
  attribution: Attribution,
): Row {
  const folds = foldsOf(events, stamps, attribution, account);
  return (folds.get(account) ?? new OperatorFold(account, stamps)).done();
}

/** As {@link operatorRow}, those of all accounts that an event is about: each event is looked at once, however many there are. */
export function operatorRows(events: readonly AssayEvent[], stamps: Stamps, attribution: Attribution): Row[] {
  const folds = foldsOf(events, stamps, attribution);
  return [...folds.values()].filter(({ isSubject }) => isSubject).map((fold) => fold.done());
}

/** By account; of one account alone when it is named. */
function foldsOf(
  events: readonly AssayEvent[],
  stamps: Stamps,
  attribution: Attribution,
  only?: string,
): ReadonlyMap<string, OperatorFold> {
  const folds = new Map<string, OperatorFold>();
  const providers = new Map<bigint, string>();
  const foldOf = (account: string | undefined): OperatorFold | undefined => {
    if (account === undefined || (only !== undefined && account !== only)) return undefined;
    let fold = folds.get(account);
    if (fold === undefined) {
      fold = new OperatorFold(account, stamps);
      folds.set(account, fold);
    }
    return fold;
  };
  for (const event of events) {
    if (event.contract === "JobRegistry") {
      if (event.eventName === "JobMatched")
        providers.set(event.args.jobId, event.args.provider.toLowerCase());
      if (isFailure(event)) foldOf(providers.get(event.args.jobId))?.failed.add(event.args.jobId);
    }
    const paid = paymentOf(event, attribution);
    if (paid !== undefined && earning.has(paid.kind))
      foldOf(paid.to.toLowerCase())?.plus("earned", paid.amount);
    foldOf(attribution.subjectsOf(event).operator)?.add(event);
  }
  return folds;
}

/** A failure, and one that is reported before it is settled: the same job counts once. */
function isFailure(
  event: ContractEvent<"JobRegistry">,
): event is Extract<ContractEvent<"JobRegistry">, { eventName: "JobFailed" | "SettlementPending" }> {
  if (event.eventName === "SettlementPending") return reasonText(event.args.reason) !== "void";
  return event.eventName === "JobFailed";
}

class OperatorFold {
  readonly #stamps: Stamps;
  readonly row: Draft;
  /** Jobs that it had and that failed. */
  readonly failed = new Set<bigint>();
  /** Whether an event is about it, not only a payment to it. */
  isSubject = false;
  /** What each contract has locked. */
  readonly #locks = new Map<string, bigint>();

  constructor(id: string, stamps: Stamps) {
    this.#stamps = stamps;
    const nothing = { staked: "0", locked: "0", unbonded: "0", slashed: "0", earned: "0" };
    const counts = { auditsAnswered: 0, auditsMissed: 0, jobsFinalised: 0, jobsFailed: 0 };
    const unknown = { roles: 0, peerId: null, endpoint: null, isActive: false, registeredAt: null };
    this.row = { id, ...unknown, ...nothing, ...counts, conduct: "1" };
  }

  plus(field: string, amount: bigint): void {
    this.row[field] = String(this.#sum(field) + amount);
  }

  #sum(field: string): bigint {
    return BigInt(this.row[field] as string);
  }

  #count(field: string): void {
    this.row[field] = (this.row[field] as number) + 1;
  }

  /** The row, once all events were added. */
  done(): Row {
    return { ...this.row, jobsFailed: this.failed.size };
  }

  add(event: AssayEvent): void {
    this.isSubject = true;
    switch (event.contract) {
      case "Staking":
        this.#staking(event);
        return;
      case "StorageAudit":
        if (event.eventName === "AuditAnswered") this.#count("auditsAnswered");
        if (event.eventName === "AuditMissed") this.#count("auditsMissed");
        return;
      case "JobRegistry":
        if (event.eventName === "JobFinalised") this.#count("jobsFinalised");
        if (event.eventName === "ConductMarked") this.row.conduct = String(event.args.multiplier);
    }
  }

  #staking(event: ContractEvent<"Staking">): void {
    switch (event.eventName) {
      case "OperatorRegistered":
      case "OperatorUpdated": {
        const { roles, peerId, endpoint } = event.args;
        Object.assign(this.row, { roles, peerId, endpoint });
        if (event.eventName === "OperatorUpdated") return;
        const registeredAt = String(this.#stamps.get(event.transactionHash)!.timestamp);
        Object.assign(this.row, { isActive: true, registeredAt });
        return;
      }
      case "OperatorRetired":
        this.row.isActive = false;
        return;
      case "Staked":
        this.plus("staked", event.args.amount);
        return;
      case "Unbonding":
        this.plus("staked", -event.args.amount);
        this.plus("unbonded", event.args.amount);
        return;
      case "Locked":
        this.#lock(event.args.module, event.args.amount);
        return;
      case "Unlocked":
        this.#lock(event.args.module, -event.args.amount);
        return;
      case "Slashed":
        this.#slashed(event.args.module, event.args.amount);
        return;
    }
  }

  #lock(module: string, amount: bigint): void {
    this.#locks.set(module, (this.#locks.get(module) ?? 0n) + amount);
    this.plus("locked", amount);
  }

  /** As the contract takes it: what the module locked, what nobody locked, then what is being withdrawn. */
  #slashed(module: string, amount: bigint): void {
    const fromLock = least(amount, this.#locks.get(module) ?? 0n);
    const free = least(amount - fromLock, this.#sum("staked") - this.#sum("locked"));
    this.#lock(module, -fromLock);
    this.plus("staked", -(fromLock + free));
    this.plus("slashed", amount);
  }
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
