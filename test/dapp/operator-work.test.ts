import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Address, getAddress, type Hex, stringToHex } from "viem";
import { answerFrom } from "../../dapp/src/data/answer.ts";
import { tablesOf } from "../../dapp/src/data/chain-tables.ts";
import { capacityOf } from "../../dapp/src/mine/capacity.ts";
import { type Duty, readDuties, standingOf } from "../../dapp/src/mine/duties.ts";
import { checksOf } from "../../dapp/src/mine/keeper-checks.ts";
import { type HeldBundle, workOf } from "../../dapp/src/mine/operator-work.ts";
import { countOf, pageOf, rowsAsked, rowsAtOnce } from "../../dapp/src/pages/parts/page-of-list.ts";
import {
  OperatorBundlesDocument,
  OperatorJobsDocument,
  OperatorWorkDocument,
} from "../../subgraph/queries/documents.ts";
import { account, happened, stampsOf, word } from "../keepers/roles/audit/doubles.ts";
import { tables } from "./support/tables.ts";

const own = account(0xa1);
const [own1, own2, other] = [word(0xb1), word(0xb2), word(0xb3)];
const held = (id: Hex, index: number): HeldBundle => ({ id, index, dataset: { id: word(0xda) } });

describe("what an operator has to prove", () => {
  const window = { epoch: 7, closesAt: 1_000n, callableUntil: 2_000n };
  const duty: Duty = { window, bundle: held(own1, 0), isAnswered: false, graceEnds: 0n };

  it("is due until its window closes, late until nobody can call it any more, and lost after the last hour", () => {
    assert.deepEqual(standingOf(duty, 999n), { words: "Due", tone: "waiting", until: 1_000n });
    assert.equal(standingOf(duty, 1_000n).until, 2_000n);
    assert.equal(standingOf(duty, 2_000n).tone, "neutral");
    const called = { ...duty, graceEnds: 1_600n };
    assert.match(standingOf(called, 1_599n).words, /can still be answered/);
    assert.match(standingOf(called, 1_600n).words, /costs stake/);
    assert.equal(standingOf({ ...called, isAnswered: true }, 1_600n).words, "Answered");
  });

  /** Contracts of a network in its epoch 7, whose seed has come; epoch 5 was never opened. */
  const contracts = (answered: readonly (readonly [Hex, number])[], end = 8) =>
    ({
      StorageAudit: {
        read: {
          currentEpoch: async () => 7,
          windowOf: async ([epoch]: [number]) =>
            epoch === 5 ? [word(0), 0n, 0n] : [word(1), BigInt(epoch) * 100n, BigInt(epoch) * 100n + 50n],
          epochOf: async () => ({ windows: { timeoutWindow: 50 } }),
          isAnswered: async ([id, epoch]: [Hex, number]) =>
            answered.some(([known, at]) => known === id && at === epoch),
          graceEndsAt: async () => 0n,
        },
      },
      BundleRegistry: {
        read: {
          holdingOf: async ([id]: [Hex]) => ({
            operator: id === other ? account(0xee) : own,
            since: id === own2 ? 7 : 3,
          }),
          dutyOf: async ([id, epoch]: [Hex, number]) => (id === own1 && epoch === 7 ? word(0xc0) : id),
        },
      },
      DatasetRegistry: { read: { termsOf: async () => [1, end, 1n] } },
    }) as unknown as Parameters<typeof readDuties>[0];
  const bundles = [held(own1, 0), held(own2, 1), held(other, 2)];
  const states = async (reads: ReturnType<typeof contracts>) =>
    (await readDuties(reads, getAddress(own), bundles)).map(
      ({ window: { epoch }, bundle: { index }, isAnswered }) => [epoch, index, isAnswered],
    );

  it("is every bundle that it holds by now, from its first epoch to the last paid one, by itself or in a cover", async () => {
    assert.deepEqual(await states(contracts([[word(0xc0), 7]])), [
      [7, 0, true],
      [7, 1, false],
      [6, 0, false],
    ]);
    assert.deepEqual(await states(contracts([[own1, 7]], 7)), [[6, 0, false]]);
  });
});

describe("what an operator was paid, has proved and has lost", () => {
  it("is told from the chain alone as well, the newest first, no more than was asked for", () => {
    const dataset = word(0xda);
    const bundle = own1;
    const answered = (block: number, epoch: number) =>
      happened(block, "StorageAudit.AuditAnswered", { dutyId: bundle, epoch, operator: own, evaluation: 1n });
    const paid = (block: number, operator: Address, amount: bigint) =>
      happened(block, "DatasetRegistry.FeePaid", { datasetId: dataset, operator, amount });
    const identity = { roles: 1, peerId: "0x01", endpoint: "" };
    const events = [
      happened(0, "Staking.OperatorRegistered", { operator: own, ...identity }),
      happened(1, "DatasetRegistry.DatasetAnchored", {
        ...{
          datasetId: dataset,
          owner: own,
          previous: word(0),
          manifestHash: word(1),
          manifestDigest: word(2),
        },
        ...{ objectRoot: word(3), bundlesRoot: word(4) },
        shape: { objectCount: 1n, objectSize: 1, segmentObjects: 1, k: 1, n: 1, encrypted: false },
      }),
      happened(2, "BundleRegistry.BundlePlaced", {
        ...{ bundleId: bundle, datasetId: dataset, bundleIndex: 4, operator: own, since: 1, repair: false },
      }),
      answered(3, 1),
      answered(4, 2),
      paid(5, own, 5n),
      paid(6, account(0xee), 6n),
      happened(7, "Staking.Slashed", {
        ...{ operator: own, module: account(0x5a), beneficiary: account(1), amount: 9n, burnt: 4n },
        reason: stringToHex("audit missed", { size: 32 }),
      }),
    ];
    const tables = tablesOf(events, stampsOf(events));
    const meta = { number: 7, hash: word(7), timestamp: 70 };
    const variables = workOf({ account: getAddress(own), audits: 1, payments: 9 });
    const { operator, audits, payments } = answerFrom(OperatorWorkDocument, variables, tables, meta);
    assert.deepEqual(
      audits.map(({ epoch, isAnswered }) => [Number(epoch), isAnswered]),
      [[2, true]],
    );
    assert.equal(audits[0]!.bundle?.index, 4);
    assert.deepEqual(
      payments.map(({ kind, amount, job }) => [kind, amount, job]),
      [["StorageFee", "5", null]],
    );
    assert.deepEqual(
      operator?.slashes.map(({ reason, amount, module }) => [reason, amount, module]),
      [["audit missed", "9", account(0x5a)]],
    );
    assert.deepEqual([operator?.earned, operator?.auditsAnswered, operator?.bundles.length], ["5", 2, 1]);
  });
});

describe("what an operator trained and holds", () => {
  it("is listed page by page, the newest first", () => {
    const count = 250;
    const all = Array.from({ length: count }, (_, i) => i + 1);
    const given = tables({
      operators: [{ id: own }, { id: other }],
      datasets: [{ id: "0xda" }],
      jobs: all.map((n) => ({ id: String(n), provider: n % 50 === 0 ? other : own, openedAt: String(n) })),
      bundles: all.map((n) => ({
        ...{ id: `0xb${n}`, index: n, dataset: "0xda", placedAt: String(n) },
        operator: n === 3 ? other : own,
      })),
    });
    const meta = { number: 1, hash: "0x", timestamp: 1 };
    const ask = (page: number) => {
      const asked = { operator: own, first: rowsAsked, skip: page * rowsAtOnce };
      const { jobs } = answerFrom(OperatorJobsDocument, asked, given, meta).operator!;
      const { bundles } = answerFrom(OperatorBundlesDocument, asked, given, meta).operator!;
      return [jobs.map(({ id }) => Number(id)), bundles.map(({ index }) => index)] as const;
    };
    const shown = [0, 1, 2].map(ask);
    assert.deepEqual(
      shown.flatMap(([jobs]) => jobs.slice(0, rowsAtOnce)),
      all.filter((n) => n % 50 !== 0).reverse(),
    );
    assert.deepEqual(
      shown.flatMap(([, bundles]) => bundles.slice(0, rowsAtOnce)),
      all.filter((n) => n !== 3).reverse(),
    );
    assert.deepEqual(
      shown.map(([, bundles], page) => pageOf(page, bundles.length).hasNext),
      [true, true, false],
    );
  });

  it("is counted as far as an index lists it", () => {
    assert.equal(countOf(999), "999");
    assert.equal(countOf(1_000), "1,000 or more");
  });
});

describe("how much more work a stake can stand for", () => {
  const terms = { bundleStake: 30n, stakePercent: 300, minimumStake: 40n, multiplier: 100n };

  it("counts as the contracts do, and never promises more than they would lock", () => {
    assert.deepEqual(capacityOf(100n, terms), { bundles: 3n, jobs: 2n, leastStake: 40n, highestPrice: 32n });
    const up = (a: bigint, b: bigint) => (a + b - 1n) / b;
    for (const multiplier of [100n, 150n, 200n, 1_600n]) {
      for (let free = 0n; free < 3_000n; free += 7n) {
        const { highestPrice, leastStake } = capacityOf(free, { ...terms, multiplier });
        const stakeFor = (price: bigint) => {
          const stake = up(price * 300n, 100n);
          return up((stake > 40n ? stake : 40n) * multiplier, 100n) + up(price, 10n);
        };
        assert.equal(leastStake, stakeFor(0n));
        if (highestPrice === undefined) assert.ok(stakeFor(0n) > free);
        else assert.ok(stakeFor(highestPrice) <= free && stakeFor(highestPrice + 1n) > free, `${free}`);
      }
    }
  });

  it("names no number of jobs where none locks anything", () => {
    assert.equal(capacityOf(5n, { ...terms, minimumStake: 0n }).jobs, undefined);
  });
});

describe("how the parts of a keeper are", () => {
  it("puts what is not well first, and says what each part says", () => {
    const checks = checksOf({
      ok: false,
      checks: {
        bundles: { ok: true, bundles: 3 },
        duties: { ok: true, failing: {} },
        chain: { ok: false, error: "no answer", at: { block: 12, behind: null } },
      },
    });
    assert.deepEqual(checks, [
      { name: "chain", ok: false, said: "error no answer, at: block 12" },
      { name: "bundles", ok: true, said: "bundles 3" },
      { name: "duties", ok: true, said: "" },
    ]);
  });
});
