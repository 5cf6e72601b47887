import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { pino } from "pino";
import { Registry } from "prom-client";
import type { Address } from "viem";
import { observeFollower, observeQueue } from "../../../../keepers/src/roles/chain-metrics.ts";
import { ClusterMetrics, WorkMetrics } from "../../../../keepers/src/roles/cluster/metrics.ts";
import {
  JobMetrics,
  type MeasuredKeeper,
  measureKeeper,
} from "../../../../keepers/src/roles/jobs/job-metrics.ts";
import type { JobRecord, JobStatus } from "../../../../keepers/src/roles/jobs/job-record.ts";
import {
  measureProver,
  measureStrangers,
  type StrangersParts,
} from "../../../../keepers/src/roles/storage-node/strangers-metrics.ts";
import { ByteBudget } from "../../../../keepers/src/storage/transport/byte-budget.ts";

const operator: Address = "0x00000000000000000000000000000000000000aa";
const other: Address = "0x00000000000000000000000000000000000000bb";
const whole = 10n ** 18n;
const job = (jobId: bigint, status: JobStatus) => ({ jobId, status }) as JobRecord;

/** A keeper with jobs in several parts, on a chain that answers or does not. */
function keeper(chain: { isDown: boolean }): MeasuredKeeper {
  const says = async <T>(value: T): Promise<T> => {
    if (chain.isDown) throw new Error("the endpoint is down");
    return value;
  };
  const purse = (credit: bigint) => ({ read: { creditOf: () => says(credit) } });
  return {
    operator,
    log: pino({ level: "silent" }),
    ledger: {
      jobsOfConsumer: () => [],
      jobsOfProvider: () => [job(1n, "Finalised"), job(2n, "Training")],
      jobsOfChallenger: () => [job(2n, "Training"), job(3n, "Failed")],
      openJobs: () => [job(2n, "Training"), job(4n, "Open")],
      openChallenges: () => [
        { challenger: other, claim: { provider: operator } },
        { challenger: operator, claim: { provider: other } },
        { challenger: other, claim: { provider: other } },
      ],
    },
    jobs: () => [job(5n, "Finalised")],
    client: { public: { getBalance: () => says(whole / 2n) } },
    contracts: {
      Staking: {
        read: {
          operatorOf: () => says({ stake: 300n * whole, locked: 200n * whole }),
          creditOf: () => says(4n * whole),
        },
      },
      Escrow: purse(3n * whole),
      Market: purse(0n),
      DisputeGame: purse(whole / 4n),
      MemberGame: purse(0n),
    },
  } as unknown as MeasuredKeeper;
}

async function textOf(registry: Registry): Promise<Map<string, number>> {
  const lines = (await registry.metrics()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]));
}

describe("metrics of keepers of jobs", () => {
  it("count each job once, whatever parts the account has in it", async () => {
    const registry = new Registry();
    measureKeeper(registry, keeper({ isDown: false }));
    const values = await textOf(registry);
    const own = ["Training", "Failed", "Finalised", "Open"].map((s) =>
      values.get(`assay_jobs{status="${s}"}`),
    );
    assert.deepEqual(own, [1, 1, 2, 0]);
    assert.equal(values.get('assay_open_jobs{status="Open"}'), 1);
    assert.equal(values.get('assay_open_challenges{of="all"}'), 3);
    assert.equal(values.get('assay_open_challenges{of="own"}'), 2);
    assert.equal(values.get('assay_stake_tokens{part="locked"}'), 200);
    assert.equal(values.get('assay_stake_tokens{part="free"}'), 100);
    assert.equal(values.get("assay_balance_coins"), 0.5);
    assert.equal(values.get('assay_credit{purse="DisputeGame"}'), 0.25);
  });

  it("are served while no endpoint answers, with what was known before", async () => {
    const chain = { isDown: false };
    const registry = new Registry();
    measureKeeper(registry, keeper(chain));
    await textOf(registry);
    chain.isDown = true;
    const values = await textOf(registry);
    assert.equal(values.get('assay_stake_tokens{part="locked"}'), 200);
    assert.equal(values.get("assay_balance_coins"), 0.5);
    assert.equal(values.get('assay_jobs{status="Finalised"}'), 2);
  });

  it("add up what was paid, checked and tried again", async () => {
    const registry = new Registry();
    const metrics = new JobMetrics(registry);
    metrics.paidOut("Escrow", 3n * whole);
    metrics.paidOut("Escrow", whole / 2n);
    metrics.checked("right", 8);
    metrics.checked("wrong", 1);
    metrics.failed("training");
    const values = await textOf(registry);
    assert.equal(values.get('assay_paid_out_total{purse="Escrow"}'), 3.5);
    assert.equal(values.get('assay_intervals_checked_total{outcome="right"}'), 8);
    assert.equal(values.get('assay_intervals_checked_total{outcome="wrong"}'), 1);
    assert.equal(values.get('assay_duty_failures_total{duty="training"}'), 1);
  });

  it("are all in docs/metrics.md, with their labels, and nothing else is", async () => {
    const registry = new Registry();
    const observed = { log: pino({ level: "silent" }), metrics: registry };
    observeFollower(observed);
    observeQueue(observed);
    new JobMetrics(registry);
    measureKeeper(registry, keeper({ isDown: false }));
    const cluster = new ClusterMetrics(registry, { members: 3 });
    cluster.result("agreed");
    const work = new WorkMetrics(registry, () => whole);
    work.delivered("late");
    const peers = { streams: 0, requests: 0, offers: 0, arriving: 0, waiting: {}, refused: {} };
    measureStrangers(registry, {
      budget: new ByteBudget({ total: 1, perPeer: 1 }),
      server: { stats: peers } as unknown as StrangersParts["server"],
      service: { stats: peers } as unknown as StrangersParts["service"],
      connections: () => 0,
    });
    measureProver(registry, { stats: { duties: 0, clients: 0, setAside: 0 } });
    const text = readFileSync(join(import.meta.dirname, "../../../../docs/metrics.md"), "utf8");
    const documented = [...text.matchAll(/^\| `(assay_\w+)` \|/gm)].map(([, name]) => name!);
    assert.deepEqual(
      documented.sort(),
      registry
        .getMetricsAsArray()
        .map(({ name }) => name)
        .sort(),
    );
    const labels = [...(await textOf(registry)).keys()].flatMap((key) => {
      const found = /^(\w+)\{(\w+)=/.exec(key);
      return found === null ? [] : [`| \`${found[1]}\` | \`${found[2]}\``];
    });
    for (const row of labels) assert.ok(text.includes(row), row);
  });
});
