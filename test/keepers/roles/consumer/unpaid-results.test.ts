import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Hex, keccak256, toHex } from "viem";
import { unpaidResults } from "../../../../keepers/src/roles/consumer/unpaid-results.ts";
import type { JobRecord } from "../../../../keepers/src/roles/jobs/job-record.ts";

const idOf = (name: string): Hex => keccak256(toHex(name));

/** @param parts names of the results of checkpoints, with what was paid for them */
function jobOf(status: JobRecord["status"], parts: readonly [string, bigint?][], last?: string): JobRecord {
  const checkpoints = parts.map(([name, paid], i) => ({ number: i + 1, resultId: idOf(name), paid }));
  return { status, checkpoints, result: last && { resultId: idOf(last) } } as unknown as JobRecord;
}

describe("results of a job that is over", () => {
  const unpaid = (job: JobRecord, ...others: JobRecord[]) => unpaidResults(job, [...others, job]);

  it("are the consumer's as far as they were paid for", () => {
    const failed = jobOf("Failed", [["one", 5n], ["two"]], "three");
    assert.deepEqual(unpaid(failed), [idOf("two"), idOf("three")]);
    assert.deepEqual(unpaid(jobOf("Finalised", [["one", 5n], ["two"]], "three")), []);
    assert.deepEqual(unpaid(jobOf("Failed", [])), []);
  });

  it("attack: stay the consumer's though their provider commits to them again where nobody pays for it", () => {
    assert.deepEqual(unpaid(jobOf("Failed", [["one", 5n], ["one"]], "one")), []);
    const failed = jobOf("Failed", [["one"]], "two");
    assert.deepEqual(unpaid(failed, jobOf("Finalised", [], "two")), [idOf("one")]);
    assert.deepEqual(unpaid(failed, jobOf("Committed", [], "two")), [idOf("one")]);
    assert.deepEqual(unpaid(failed, jobOf("Failed", [["two", 5n]])), [idOf("one")]);
    assert.deepEqual(unpaid(failed, jobOf("Failed", [["two"]], "one")), [idOf("one"), idOf("two")]);
  });
});
