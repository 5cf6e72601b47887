import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Address, getAddress, toHex } from "viem";
import {
  jobRecords,
  Payroll,
  payrollSchema,
  workerKey,
} from "../../../../keepers/src/roles/provider/payroll.ts";
import { openState, type State } from "../../../../keepers/src/storage/state/state.ts";

const jobId = 7n;
const account = (number: number) => getAddress(toHex(number, { size: 20 }));

/** A state that counts the looks at many rows. */
function openCounted(): State & { looks: number } {
  const state = openState({ path: ":memory:", schemas: [payrollSchema] });
  const counted = {
    ...state,
    looks: 0,
    all(sql: string, ...values: Parameters<State["all"]> extends [string, ...infer V] ? V : never) {
      counted.looks++;
      return state.all(sql, ...values);
    },
  };
  return counted;
}

const rowsOf = (state: State) => Number(state.get("SELECT COUNT(*) AS count FROM payroll")!.count);
const owedBy = (payroll: Payroll) => payroll.contributions(jobId).reduce((sum, { total }) => sum + total, 0n);

describe("what a provider remembers of its workers", () => {
  it("attack: accounts without end that lied and are owed nothing leave nothing on disk, and are barred all the same", () => {
    const state = openCounted();
    const payroll = new Payroll(state);
    for (let number = 1; number <= 20_000; number++) {
      payroll.bar(jobId, account(number));
      assert.ok(payroll.isBarred(jobId, account(number)));
    }
    assert.equal(rowsOf(state), 0);
    assert.ok(payroll.isBarred(jobId, account(10_001)));
    assert.ok(!payroll.isBarred(jobId, account(10_000)), "so many are kept in memory, the newest");
    assert.ok(!payroll.isBarred(8n, account(20_000)), "another job has not seen it");
    state.close();
  });

  it("bars on disk who is owed something, also where that comes after the lie", () => {
    const state = openCounted();
    const payroll = new Payroll(state);
    payroll.add(jobId, [account(1)], 5n, undefined);
    payroll.bar(jobId, account(1));
    // Another peer of the account had brought something by then.
    payroll.bar(jobId, account(2));
    payroll.add(jobId, [account(2), account(3)], 5n, 4);
    for (const each of [payroll, new Payroll(state)]) {
      const barred = [1, 2, 3].map((number) => each.isBarred(jobId, account(number)));
      assert.deepEqual(barred, [true, true, false]);
      assert.equal(each.tainted(jobId), undefined);
    }
    payroll.bar(jobId, account(3));
    for (const each of [payroll, new Payroll(state)]) assert.equal(each.tainted(jobId), 4);
    state.close();
  });

  it("attack: looks at no row of others for a lie of who is owed nothing, nor for what is owed in all", () => {
    const state = openCounted();
    const payroll = new Payroll(state);
    for (let number = 1; number <= 100; number++) {
      payroll.add(jobId, [account(number), account(number + 1)], 5n, number);
    }
    const fresh = new Payroll(state);
    const records = jobRecords(fresh, jobId, 5n);
    assert.equal(fresh.owed(jobId), owedBy(fresh));
    const before = state.looks;
    for (let number = 1_000; number < 1_100; number++) {
      const liar = workerKey(account(number), "peer");
      records.bar(liar);
      assert.ok(records.isBarred(liar));
      assert.equal(records.tainted(), undefined);
      records.cleared(0);
      records.accepted([workerKey(account(1), "peer")], 3, true);
      assert.equal(fresh.owed(jobId), BigInt(1_000 + 5 * (number - 999)));
    }
    assert.equal(state.looks - before, 0);
    assert.equal(fresh.owed(jobId), owedBy(fresh));
    state.close();
  });

  it("knows the first step that counts on the word of workers, whatever is added, cleared or undone", () => {
    const state = openCounted();
    const payroll = new Payroll(state);
    const pairs: [Address, Address][] = [
      [account(1), account(2)],
      [account(3), account(4)],
    ];
    const first = () => [payroll, new Payroll(state)].map((each) => each.firstVouched(jobId));
    assert.deepEqual(first(), [undefined, undefined]);
    payroll.add(jobId, pairs[0]!, 5n, undefined);
    assert.deepEqual(first(), [undefined, undefined]);
    payroll.add(jobId, pairs[0]!, 5n, 9);
    assert.deepEqual(first(), [9, 9]);
    payroll.add(jobId, pairs[1]!, 5n, 4);
    payroll.add(jobId, pairs[1]!, 5n, 12);
    assert.deepEqual(first(), [4, 4]);
    for (const liar of pairs[1]!) payroll.bar(jobId, liar);
    payroll.cleared(jobId, 5);
    assert.deepEqual(first(), [4, 4]);
    payroll.cleared(jobId, 4);
    assert.deepEqual(first(), [9, 9]);
    payroll.rewound(jobId, 9);
    assert.deepEqual(first(), [undefined, undefined]);
    state.close();
  });
});
