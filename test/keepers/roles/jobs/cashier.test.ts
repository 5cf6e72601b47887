import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { JobCashier } from "../../../../keepers/src/roles/jobs/cashier.ts";
import type { Purse } from "../../../../keepers/src/roles/jobs/job-metrics.ts";
import type { JobRecord, JobStatus } from "../../../../keepers/src/roles/jobs/job-record.ts";
import { account, contextOf, refusal } from "../doubles.ts";

/** A keeper of one job, with purses that are emptied once for each key; `lookEvery` in milliseconds. */
function earning(status: JobStatus, lookEvery: number) {
  const credits = new Map<Purse, bigint>();
  const paid: [Purse, bigint][] = [];
  const purse = (name: Purse) => ({ creditOf: () => credits.get(name) ?? 0n });
  const { context, queue } = contextOf(account(1), {
    Escrow: purse("Escrow"),
    Market: purse("Market"),
    DisputeGame: purse("DisputeGame"),
    MemberGame: purse("MemberGame"),
    Staking: purse("Staking"),
  });
  const known = new Set<string>();
  const chain = { version: 1n, isRefusing: false };
  queue.onSend = ({ key }) => {
    if (known.has(key)) return;
    if (chain.isRefusing) throw refusal(key);
    known.add(key);
    credits.delete(key.split(":")[1] as Purse);
  };
  const cashier = new JobCashier({
    ...context,
    ledger: {
      get version() {
        return chain.version;
      },
      eventsOf: () => 3,
    },
    metrics: { paidOut: (name: Purse, units: bigint) => paid.push([name, units]) },
    jobs: () => [{ jobId: 7n, status, checkpoints: [] } as unknown as JobRecord],
    lookEvery,
  } as never);
  return { cashier, credits, paid, chain, queue };
}

describe("what a keeper of jobs has earned", () => {
  it("is fetched, and counted once, although it comes in without another event of a job", async () => {
    const { cashier, credits, paid } = earning("Finalised", 0);
    credits.set("Escrow", 5n);
    await cashier.tick();
    await cashier.tick();
    credits.set("Escrow", 8n).set("Staking", 3n);
    for (let tick = 0; tick < 3; tick++) await cashier.tick();
    assert.deepEqual(paid, [
      ["Escrow", 5n],
      ["Escrow", 8n],
      ["Staking", 3n],
    ]);
    assert.equal(credits.size, 0);
  });

  it("is looked for when something has happened to a job that is over, or after a while", async () => {
    const { cashier, credits, paid, chain } = earning("Finalised", 600_000);
    await cashier.tick();
    credits.set("Market", 1n);
    chain.version++;
    await cashier.tick();
    assert.deepEqual(paid, []);
    const running = earning("Training", 0);
    running.credits.set("Market", 1n);
    await running.cashier.tick();
    assert.deepEqual(running.paid, []);
  });

  it("is fetched once the chain takes what it has refused, and not beside a withdrawal that is under way", async () => {
    const { cashier, credits, paid, chain, queue } = earning("Finalised", 600_000);
    credits.set("Escrow", 5n);
    chain.isRefusing = true;
    await cashier.tick();
    chain.isRefusing = false;
    queue.waiting.push("withdraw:Escrow:of a process that was killed");
    await cashier.tick();
    assert.deepEqual(queue.waited, ["withdraw:Escrow:of a process that was killed"]);
    assert.deepEqual(paid, [["Escrow", 5n]]);
  });
});
