import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  placeOfResult,
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

describe("the copies of a job's results", () => {
  it("stay for a day after it is over, in which a reorganisation may have it go on", async (test) => {
    // A fraction of a millisecond is lost where milliseconds of days are added to it.
    const begun = Math.floor(performance.now());
    let passed = 0;
    test.mock.method(performance, "now", () => begun + passed);
    const folder = await mkdtemp(join(tmpdir(), "assay-copies-"));
    let now = 1_000n;
    let status = "Finalised";
    const { directory } = placeOfResult(join(folder, "1"), 1n, 0);
    const job = { jobId: 1n, provider: operator, checkpoints: [], result: { resultId: word(1) } };
    const reads = {
      DatasetRegistry: {
        ...{ termsOf: () => [1, 1_000, 1n], currentEpoch: () => 5, epochLength: () => 200 },
        datasetOf: () => ({ bundles: 2, held: 2 }),
      },
      ResultShortfalls: { grace: () => 400n },
    };
    const keeper = new ResultKeeper({
      ...contextOf(operator, reads, () => now).context,
      ...{ folder, ledger: { jobsOfProvider: () => [{ ...job, status }] } },
    } as unknown as ResultKeeperParts);
    const look = async (later: bigint, here = later) => {
      now += later;
      passed += 1000 * Number(here);
      await keeper.tick(new AbortController().signal);
      return existsSync(directory);
    };
    try {
      await mkdir(directory, { recursive: true });
      assert.equal(await look(0n), true);
      assert.equal(await look(23n * 3_600n), true);
      status = "Committed";
      assert.equal(await look(3_600n), true);
      status = "Finalised";
      assert.equal(await look(3_600n), true);
      assert.equal(await look(24n * 3_600n - 1n), true);
      // An endpoint that names a far time once.
      assert.equal(await look(10n ** 9n, 0n), true);
      now -= 10n ** 9n;
      assert.equal(await look(1n), false);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
