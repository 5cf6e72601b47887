import { type DutyContext, sendCall } from "./context.ts";
import type { Ledger } from "./ledger.ts";

export type CashierParts = DutyContext & {
  ledger: Ledger;
  /** Answered audits of a bundle that are claimed together: a claim costs gas whatever it brings. */
  claimEvery: bigint;
};

/** What an operator has and what it is owed, in token units. */
export type Earnings = {
  /** Fees and bounties credited and not withdrawn. */
  credited: bigint;
  stake: bigint;
  locked: bigint;
  bundles: number;
};

/** Claims fees for answered audits and reports what the operator earned. */
export class Cashier {
  readonly #parts: CashierParts;
  /** Epochs in which each bundle was last looked at: claiming needs no hurry. */
  readonly #claimed = new Map<string, number>();

  constructor(parts: CashierParts) {
    this.#parts = parts;
  }

  /** Claims for bundles that have had enough epochs since the last claim. */
  async tick(): Promise<void> {
    const { contracts, ledger, operator, claimEvery } = this.#parts;
    const epoch = await contracts.StorageAudit.read.currentEpoch();
    for (const { bundleId, since } of ledger.holdingsOf(operator)) {
      const last = this.#claimed.get(bundleId) ?? since;
      if (BigInt(epoch - last) < claimEvery) continue;
      this.#claimed.set(bundleId, epoch);
      await this.#claim(bundleId, epoch);
    }
  }

  /** Claims for all bundles now. */
  async claimAll(): Promise<void> {
    const { contracts, ledger, operator } = this.#parts;
    const epoch = await contracts.StorageAudit.read.currentEpoch();
    for (const { bundleId } of ledger.holdingsOf(operator)) await this.#claim(bundleId, epoch);
  }

  async earnings(): Promise<Earnings> {
    const { contracts, ledger, operator } = this.#parts;
    const [fees, bounties, account] = await Promise.all([
      contracts.DatasetRegistry.read.creditOf([operator]),
      contracts.BundleRegistry.read.creditOf([operator]),
      contracts.Staking.read.operatorOf([operator]),
    ]);
    return {
      credited: fees + bounties,
      stake: account.stake,
      locked: account.locked,
      bundles: ledger.holdingsOf(operator).length,
    };
  }

  async #claim(bundleId: `0x${string}`, epoch: number): Promise<void> {
    const { contracts, log } = this.#parts;
    const { result } = await contracts.StorageAudit.simulate.claim([bundleId], {
      account: this.#parts.operator,
    });
    if (result === 0n) return;
    // Answers that are paid already tell two claims of one epoch apart.
    const paid = await contracts.StorageAudit.read.paidAnswersOf([bundleId]);
    await sendCall(this.#parts, `claim:${epoch}:${bundleId}:${paid}`, "StorageAudit", "claim", [bundleId]);
    log.info({ bundleId, amount: result.toString() }, "fees claimed");
  }
}
