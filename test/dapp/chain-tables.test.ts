import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Address, type Hex, numberToHex, parseUnits } from "viem";
import { tablesOf } from "../../dapp/src/data/chain-tables.ts";
import type { AssayEvent } from "../../keepers/src/chain/contracts.ts";
import { Attribution } from "../../keepers/src/roles/audit/attribution.ts";
import type { Stamp } from "../../keepers/src/roles/audit/history.ts";
import { operatorRow, operatorRows } from "../../keepers/src/roles/audit/operator-rows.ts";

const account = (i: number): Address => numberToHex(i + 1, { size: 20 });

/** Events of a chain, one in each transaction, with how often somebody looked at what one of them says. */
class Told {
  readonly events: AssayEvent[] = [];
  readonly stamps = new Map<Hex, Stamp>();
  looks = 0;

  tell(contract: string, eventName: string, args: object): this {
    const transactionHash = numberToHex(this.events.length, { size: 32 });
    const at = { address: account(0), blockNumber: BigInt(this.events.length), logIndex: 0, transactionHash };
    const look = () => this.looks++;
    this.events.push({
      ...{ contract, eventName, ...at },
      get args() {
        look();
        return args;
      },
    } as unknown as AssayEvent);
    this.stamps.set(transactionHash, { timestamp: 7n, from: account(0), to: null, input: "0x" });
    return this;
  }

  register(i: number): this {
    return this.tell("Staking", "OperatorRegistered", {
      ...{ operator: account(i), roles: 4, peerId: "0x00", endpoint: "" },
    });
  }
}

describe("tables out of events", () => {
  it("attack: take time that grows with what strangers had the chain say, not with its square", () => {
    const looksAt = (accounts: number): number => {
      const told = new Told();
      for (let i = 0; i < accounts; i++) told.register(i);
      tablesOf(told.events, told.stamps);
      return told.looks / accounts;
    };
    const [few, many] = [looksAt(50), looksAt(800)];
    assert.ok(many <= few + 1, `${few} looks at each of 50 events, ${many} at each of 800`);
  });

  it("tell of each operator what an audit of it alone finds", () => {
    const told = new Told();
    for (const i of [1, 2, 3]) told.register(i);
    const amount = parseUnits("5", 18);
    for (const [i, jobId] of [
      [1, 1n],
      [2, 2n],
      [1, 3n],
    ] as const) {
      told.tell("Staking", "Staked", { operator: account(i), from: account(i), amount });
      told.tell("JobRegistry", "JobMatched", { jobId, provider: account(i), price: amount });
    }
    told.tell("Escrow", "PricePaid", { jobId: 1n, to: account(1), amount });
    // Of one who is no operator otherwise.
    told.tell("BundleRegistry", "RepairPaid", {
      bundleId: numberToHex(1, { size: 32 }),
      operator: account(9),
      amount,
    });
    told.tell("JobRegistry", "JobFailed", { jobId: 2n, provider: account(2), reason: `0x${"0".repeat(64)}` });
    told.tell("JobRegistry", "JobFailed", { jobId: 3n, provider: account(1), reason: `0x${"0".repeat(64)}` });
    told.tell("Staking", "Slashed", {
      ...{ operator: account(2), module: account(7), amount: 2n, beneficiary: account(3), burnt: 1n },
      reason: `0x${"0".repeat(64)}`,
    });
    const attribution = new Attribution(told.events);
    const operators = operatorRows(told.events, told.stamps, attribution);
    assert.deepEqual(
      operators.map(({ id, jobsFailed, earned, slashed }) => [id, jobsFailed, earned, slashed]),
      [
        [account(1), 1, String(amount), "0"],
        [account(2), 1, "0", "2"],
        [account(3), 0, "0", "0"],
        [account(9), 0, String(amount), "0"],
      ],
    );
    for (const row of operators)
      assert.deepEqual(row, operatorRow(row.id, told.events, told.stamps, attribution));
  });
});
