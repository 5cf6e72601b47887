import type { LocalAccount } from "viem";
import type { State } from "../../storage/state/state.ts";
import type { Duty, JobContext } from "../jobs/duty.ts";
import { chainTime, tryCall } from "../storage-node/context.ts";
import { approveModules, fillStake, operatorRoles } from "../storage-node/register.ts";
import type { CommitteeLedger } from "./committee-ledger.ts";

/** Tokens that were staked anew, one row. */
export const weigherSchema = {
  name: "weigher",
  migrations: [
    `CREATE TABLE weigher_spent (spent TEXT NOT NULL) STRICT;
     INSERT INTO weigher_spent (spent) VALUES ('0');`,
  ],
} as const;

export type WeigherParts = JobContext & {
  readonly account: LocalAccount;
  readonly state: State;
  readonly committees: Pick<CommitteeLedger, "hasResigned">;
  /** Units of stake that should count in draws. */
  readonly weight: number;
  /** Tokens that may be staked in place of what was slashed, over all time, in base units. */
  readonly topUp: bigint;
  /** Whether a greater weight is lowered to this one. */
  readonly lowers: boolean;
};

/**
 * Keeps a validator at its weight: raises it again after a slash, from stake that is free and from tokens up to a bound;
 * lowers it when less is asked for; unlocks what lowering or leaving has set free.
 */
export class Weigher implements Duty {
  readonly name = "weighing";
  readonly #parts: WeigherParts;
  /** What was last said to be missing. */
  #missing = 0n;

  constructor(parts: WeigherParts) {
    this.#parts = parts;
  }

  async tick(): Promise<void> {
    const { account, contracts, committees, lowers, weight: wanted } = this.#parts;
    const id = await contracts.ValidatorSet.read.idOf([account.address]);
    if (id === 0n) return;
    const { weight, exitAt } = await contracts.ValidatorSet.read.validatorOf([id]);
    if (exitAt !== 0) {
      await this.#release(id, exitAt);
      // Whoever has left stays out until it enrols again; who was slashed to nothing would lose its place.
      if (weight === 0 && committees.hasResigned(id)) return;
    }
    if (weight < wanted) await this.#raise(id, weight);
    else if (weight > wanted && lowers) await this.#lower(id, weight);
  }

  async #release(id: bigint, exitAt: number): Promise<void> {
    const { contracts, client, operator } = this.#parts;
    if ((await chainTime(client)) <= exitAt) return;
    // Duties from before end with their committees: the contract alone counts them.
    const isFree = await contracts.ValidatorSet.simulate.release([id], { account: operator }).then(
      () => true,
      () => false,
    );
    if (isFree) await tryCall(this.#parts, `release:${id}:${exitAt}`, "ValidatorSet", "release", [id]);
  }

  async #lower(id: bigint, from: number): Promise<void> {
    const { contracts, weight, log } = this.#parts;
    const rotation = await contracts.ValidatorSet.read.rotation();
    const key = `lower:${id}:${from}:${weight}:${rotation}`;
    if (await tryCall(this.#parts, key, "ValidatorSet", "lower", [BigInt(weight)])) {
      log.info({ from, weight }, "lowered the weight; draws of the next rotation count it");
    }
  }

  async #raise(id: bigint, from: number): Promise<void> {
    const { contracts, operator, weight: wanted, log } = this.#parts;
    const { Staking, ValidatorSet } = contracts;
    const unit = await ValidatorSet.read.unit();
    const held = await Staking.read.lockedBy([operator, ValidatorSet.address]);
    const { stake, locked } = await Staking.read.operatorOf([operator]);
    const free = stake - locked;
    const missing = BigInt(wanted) * unit - held - free;
    const added = missing > 0n ? await this.#fill(stake, missing) : 0n;
    const most = Number((held + free + added) / unit);
    const weight = Math.min(wanted, most);
    if (weight <= from) return;
    const key = `raise:${id}:${from}:${weight}:${await ValidatorSet.read.rotation()}`;
    if (await tryCall(this.#parts, key, "ValidatorSet", "raise", [BigInt(weight)])) {
      log.info({ from, weight }, "raised the weight; draws of the next rotation count it");
    }
  }

  /** Stakes what is missing, as far as bound and balance reach; says how much. */
  async #fill(stake: bigint, missing: bigint): Promise<bigint> {
    const { account, contracts, client, deployment, queue, state, topUp, log } = this.#parts;
    const spent = BigInt(state.get("SELECT spent FROM weigher_spent")!.spent as string);
    const balance = await contracts.AssayToken.read.balanceOf([account.address]);
    const amount = [missing, topUp - spent, balance].reduce((a, b) => (a < b ? a : b));
    if (amount < missing && this.#missing !== missing) {
      this.#missing = missing;
      log.warn({ missing, left: topUp - spent, balance }, "the weight cannot be raised to what it should be");
    }
    if (amount <= 0n) return 0n;
    // Before it is staked: a bound that a crash can exceed is none.
    state.run("UPDATE weigher_spent SET spent = ?", String(spent + amount));
    const registering = { account, contracts, chain: client, deployment, queue };
    await fillStake(registering, stake + amount);
    await approveModules(registering, operatorRoles.validator, stake + amount);
    return amount;
  }
}
