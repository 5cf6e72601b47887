import { type Address, getAddress } from "viem";

/** Token base units and wei. */
export type Money = { tokens: bigint; coins: bigint };

/** Something that a coalition did and that is to cost it. */
export type Charge = { readonly who: Address; readonly tokens: bigint; readonly why: string };

/** What a {@link Ledger} has found that everybody is owed, and what everybody is to lose. */
export class Accounts {
  readonly #owed = new Map<Address, Money>();
  readonly charges: Charge[] = [];

  /** What an account is to have gained at least, or to have lost at most. */
  owedTo(account: Address): Money {
    return this.#owed.get(getAddress(account)) ?? { tokens: 0n, coins: 0n };
  }

  add(account: Address, money: Partial<Money>): void {
    const { tokens, coins } = this.owedTo(account);
    this.#owed.set(getAddress(account), {
      tokens: tokens + (money.tokens ?? 0n),
      coins: coins + (money.coins ?? 0n),
    });
  }

  charge(who: Address, tokens: bigint, why: string): void {
    this.charges.push({ who: getAddress(who), tokens, why });
  }
}
