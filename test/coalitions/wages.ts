import { type Address, getAddress } from "viem";
import type { Accounts } from "./accounts.ts";
import type { Action } from "./world.ts";

/** What a provider that has to be forced loses besides, as a part of what it withheld (`WorkerRewards.PENALTY_SHARE`). */
const penaltyShare = 10n;

/** Who has worked for whom: the part of the {@link Ledger} that is about workers' pay. */
export class Wages {
  readonly #accounts: Accounts;
  readonly #sureties = new Map<string, bigint>();
  readonly #demanded = new Map<string, bigint>();
  /** What a worker has had, by what it was shown, included in or given by force. */
  readonly #had = new Map<string, bigint>();

  constructor(accounts: Accounts) {
    this.#accounts = accounts;
  }

  /** Whatever a provider has signed for is its worker's, whether or not it is shown. */
  earn(provider: Address, worker: Address, tokens: bigint): void {
    this.#accounts.add(worker, { tokens });
    this.#accounts.add(provider, { tokens: -tokens });
  }

  observe({ name, args, from }: Action): void {
    const [jobId, provider, third, total] = args as [bigint, Address, Address, bigint];
    if (name === "open") {
      this.#sureties.set(keyOf(jobId, from), args[1] as bigint);
    } else if (name === "claim" || name === "answer") {
      this.#had.set(keyOf(jobId, provider, third), total);
    } else if (name === "demand") {
      this.#demanded.set(keyOf(jobId, provider, from), args[2] as bigint);
    } else if (name === "include") {
      const key = keyOf(jobId, from, args[1] as Address);
      this.#had.set(key, this.#demanded.get(key)!);
    } else if (name === "execute") {
      this.#force(jobId, provider, third);
    }
  }

  /** Out of the surety: what is missing, and a tenth of it as a penalty, half of which is the worker's. */
  #force(jobId: bigint, provider: Address, worker: Address): void {
    const [key, round] = [keyOf(jobId, provider, worker), keyOf(jobId, provider)];
    const [demanded, surety] = [this.#demanded.get(key)!, this.#sureties.get(round)!];
    const missing = least(most(0n, demanded - (this.#had.get(key) ?? 0n)), surety);
    const penalty = least(missing / penaltyShare, surety - missing);
    this.#sureties.set(round, surety - missing - penalty);
    this.#had.set(key, demanded);
    this.#accounts.charge(provider, penalty, "had to be forced to pay a worker");
    this.#accounts.add(worker, { tokens: penalty / 2n });
  }
}

function keyOf(jobId: bigint, ...accounts: readonly Address[]): string {
  return [jobId, ...accounts.map((account) => getAddress(account))].join(":");
}

function least(one: bigint, other: bigint): bigint {
  return one < other ? one : other;
}

function most(one: bigint, other: bigint): bigint {
  return one > other ? one : other;
}
