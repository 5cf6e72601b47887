import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  ResultKeeper,
  type ResultKeeperParts,
} from "../../../../keepers/src/roles/provider/result-keeper.ts";
import { account, contextOf, word } from "../doubles.ts";

const operator = account(0xa0d);
const minute = 60_000;

/** A keeper of one result that lacks a holder and is paid for. */
function lacking(now: () => bigint) {
  const stored: string[] = [];
  const reads = {
    DatasetRegistry: {
      termsOf: () => [1, 1_000, 1n],
      currentEpoch: () => 5,
      epochLength: () => 200,
      datasetOf: () => ({ bundles: 2, held: 1 }),
    },
    ResultShortfalls: { grace: () => 400n },
  };
  const job = { jobId: 1n, provider: operator, status: "Committed", checkpoints: [] };
  const keeper = new ResultKeeper({
    ...contextOf(operator, reads, now).context,
    ledger: { jobsOfProvider: () => [{ ...job, result: { resultId: word(1) } }] },
    folder: "unused",
    storage: { store: async ({ name }: { name: string }) => void stored.push(name) },
  } as unknown as ResultKeeperParts);
  return { stored, tick: () => keeper.tick(new AbortController().signal) };
}

describe("a result that lacks holders", () => {
  it("is stored again after a pause", async () => {
    let now = 1_000n;
    const { stored, tick } = lacking(() => now);
    await tick();
    now += 599n;
    await tick();
    assert.equal(stored.length, 1);
    now += 1n;
    await tick();
    assert.equal(stored.length, 2);
  });

  it("attack: is stored again after a pause although an endpoint said once that it is much later", async (test) => {
    let now = 1_000_000_000n;
    const begun = performance.now();
    let passed = 0;
    test.mock.method(performance, "now", () => begun + passed);
    const { stored, tick } = lacking(() => now);
    await tick();
    now = 1_000n;
    passed = 9 * minute;
    await tick();
    assert.equal(stored.length, 1);
    passed = 11 * minute;
    await tick();
    assert.equal(stored.length, 2);
  });
});
