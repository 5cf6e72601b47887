import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { getAddress, toHex } from "viem";
import { contributionsOf } from "../../../../keepers/src/core/market/contributions.ts";
import { Payroll, payrollSchema } from "../../../../keepers/src/roles/provider/payroll.ts";
import { Shares } from "../../../../keepers/src/roles/provider/shares.ts";
import { openState } from "../../../../keepers/src/storage/state/state.ts";

const account = (number: number) => getAddress(toHex(number, { size: 20 }));
const workers = [1, 2, 3, 4, 5].map(account);
const stranger = account(99);

/** Jobs that are settled, and how often the totals of one were read. */
function settled(jobs: number) {
  const state = openState({ path: ":memory:", schemas: [payrollSchema] });
  const payroll = new Payroll(state);
  const counted = {
    reads: 0,
    settled(jobId: bigint) {
      counted.reads++;
      return payroll.settled(jobId);
    },
    settledFor: payroll.settledFor.bind(payroll),
  };
  for (let job = 1; job <= jobs; job++) {
    payroll.begin(BigInt(job));
    for (const [i, worker] of workers.entries())
      payroll.add(BigInt(job), [worker], BigInt(job + i), undefined);
    payroll.settle(BigInt(job));
  }
  return { payroll, counted, shares: new Shares(counted), close: () => state.close() };
}

describe("where workers stand under a root", () => {
  it("is what the tree over all settled totals says, whatever is owed since", () => {
    const { payroll, shares, close } = settled(1);
    const tree = contributionsOf(payroll.settled(1n)!);
    payroll.add(1n, [workers[0]!, stranger], 5n, undefined);
    for (const worker of workers) assert.deepEqual(shares.find(1n, worker), tree.find(worker));
    assert.equal(shares.of(1n)!.top, tree.top);
    close();
  });

  it("attack: is looked up for strangers, and in jobs that are not settled, without a tree", () => {
    const { payroll, counted, shares, close } = settled(1);
    payroll.begin(2n);
    payroll.add(2n, workers, 5n, undefined);
    for (let i = 0; i < 1_000; i++) {
      assert.equal(shares.find(1n, stranger), undefined);
      assert.equal(shares.find(2n, workers[0]!), undefined);
      assert.equal(shares.find(3n, workers[0]!), undefined);
    }
    assert.equal(counted.reads, 0);
    payroll.settle(2n);
    assert.equal(shares.find(2n, workers[0]!)!.total, 5n);
    close();
  });

  it("attack: costs one tree for all that workers ask, and keeps those of a few jobs", () => {
    const { counted, shares, close } = settled(17);
    for (let i = 0; i < 1_000; i++) {
      const jobId = BigInt(1 + (i % 16));
      assert.equal(shares.find(jobId, workers[i % 5]!)!.total, jobId + BigInt(i % 5));
    }
    assert.equal(counted.reads, 16);
    shares.find(17n, workers[0]!);
    shares.find(8n, workers[0]!);
    assert.equal(counted.reads, 17);
    const asked = [...Array(17).keys()].map((job) => shares.find(BigInt(17 - job), workers[0]!));
    assert.ok(asked.every((share) => share !== undefined));
    assert.ok(counted.reads > 17, "one of them had to go");
    close();
  });
});
