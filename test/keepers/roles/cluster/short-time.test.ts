import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Registry } from "prom-client";
import { getAddress } from "viem";
import { ClusterMetrics } from "../../../../keepers/src/roles/cluster/metrics.ts";
import type { JobRun } from "../../../../keepers/src/roles/jobs/job-run.ts";
import { Crew, type CrewParts } from "../../../../keepers/src/roles/provider/crew.ts";
import { Payroll, payrollSchema, workerKey } from "../../../../keepers/src/roles/provider/payroll.ts";
import type { OfferedJob } from "../../../../keepers/src/roles/provider/worker-desk.ts";
import { openState } from "../../../../keepers/src/storage/state/state.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { train } from "../../../../keepers/src/training/trainer/train.ts";
import { work } from "../../training/cluster/support.ts";
import { digits, newRun } from "../../training/trainer/fixture.ts";
import { log } from "./support.ts";

const engine = { objectBytes: 65, microBatches: 8 };
const order = { microBatches: 8, steps: 12, interval: 4 };
const secondsPerStep = 0.05;
const accounts = [getAddress(`0x${"13".repeat(20)}`), getAddress(`0x${"14".repeat(20)}`)] as const;
const [stranger, other] = [workerKey(accounts[0], "peer"), workerKey(accounts[1], "other peer")];
/** Seconds that a provider reckons with for so many steps, and keeps for the result. */
const timeFor = (steps: number, perStep: number) => 300 + 1.5 * steps * perStep;

/** A desk that hands what is offered to the test. */
class OpenDesk {
  offered: OfferedJob | undefined;
  withdrawals = 0;

  offer(job: OfferedJob): void {
    this.offered = job;
  }

  withdraw(): void {
    this.withdrawals++;
  }
}

function crewOf(payroll: Payroll, desk: OpenDesk, checkShare: number): Crew {
  return new Crew({
    payroll,
    desk,
    executor: nativeExecutor,
    account: {},
    operator: `0x${"11".repeat(20)}`,
    terms: { perChunk: 5n, budget: 10n ** 6n, copies: 2, checkShare, chunks: 8 },
    metrics: new ClusterMetrics(new Registry(), { members: 1 }),
    deployment: { chainId: 31337, addresses: { WorkerRewards: `0x${"12".repeat(20)}` } },
    log,
  } as unknown as CrewParts);
}

/** A job that is trained beside a worker that takes and never brings, with so many seconds left at each look. */
async function trainWith(secondsLeft: () => number) {
  const run = await newRun(order);
  const state = openState({ path: ":memory:", schemas: [payrollSchema] });
  const desk = new OpenDesk();
  const crew = crewOf(new Payroll(state), desk, 1);
  const opened = { job: { options: engine }, run } as unknown as JobRun;
  const session = await crew.open(7n, opened, 0, undefined, { secondsPerStep, secondsLeft });
  const stop = new AbortController();
  let given = 0;
  const idling = (async () => {
    for (;;) {
      await desk.offered!.session.take(stranger, undefined, stop.signal);
      given++;
      await delay(20);
    }
  })().catch((error: Error) => {
    if (!stop.signal.aborted) throw error;
  });
  try {
    const began = performance.now();
    const { stateRoot } = await train({ run, session, source: digits.source, checkpoint: { every: 4 } });
    const elapsed = performance.now() - began;
    return { stateRoot, given, withdrawals: desk.withdrawals, elapsed };
  } finally {
    stop.abort();
    await session.close();
    await idling;
    state.close();
  }
}

describe("a job whose time runs out", { timeout: 60_000 }, () => {
  it("attack: is trained without workers from the moment on in which they could make it late, to the same state", async () => {
    const enough = await trainWith(() => 3_600);
    assert.equal(enough.withdrawals, 0);
    assert.ok(enough.given > 0);
    const late = await trainWith(() => 300 + secondsPerStep);
    assert.deepEqual([late.withdrawals, late.given], [1, 0]);
    assert.equal(late.stateRoot, enough.stateRoot);
    assert.ok(late.elapsed < enough.elapsed, `${late.elapsed} ms, ${enough.elapsed} ms with a worker`);
  });

  it("attack: sends a worker away in the middle of a step that it holds up", async () => {
    let looks = 0;
    const late = await trainWith(() => (++looks > 5 ? 300 : 3_600));
    assert.equal(late.withdrawals, 1);
    assert.ok(late.given > 0);
    assert.equal(looks, 6, "it does not look again");
  });

  it("attack: keeps the time in which all can be trained again that counts on the word of workers", async () => {
    for (const { vouched, steps } of [
      { vouched: undefined, steps: 4 },
      { vouched: 5, steps: 8 },
      { vouched: 4, steps: 8 },
      { vouched: 1, steps: 12 },
    ]) {
      for (const isEnough of [true, false]) {
        const run = await newRun(order);
        const lone = await nativeExecutor.open(run.program, engine);
        const parameters = { run, source: digits.source, checkpoint: { every: 4 } };
        await train({ ...parameters, session: lone, until: 8 });
        await lone.close();
        const state = openState({ path: ":memory:", schemas: [payrollSchema] });
        const payroll = new Payroll(state);
        if (vouched !== undefined) payroll.add(7n, accounts, 5n, vouched);
        const desk = new OpenDesk();
        const opened = { job: { options: engine }, run } as unknown as JobRun;
        // So long that nothing which is measured changes the reckoning.
        const clock = { secondsPerStep: 100, secondsLeft: () => timeFor(steps, 100) + (isEnough ? 1 : -1) };
        const session = await crewOf(payroll, desk, 0).open(7n, opened, 8, undefined, clock);
        await train({ ...parameters, session, until: 9 });
        await session.close();
        // Once when the session is closed, in any case.
        const wanted = isEnough ? 1 : 2;
        assert.equal(desk.withdrawals, wanted, `vouched for from step ${vouched}, ${isEnough}`);
        state.close();
      }
    }
  });

  it("attack: two that agreed once unchecked leave in time for all to be trained again, and are not heard after that", async () => {
    const run = await newRun(order);
    const state = openState({ path: ":memory:", schemas: [payrollSchema] });
    const payroll = new Payroll(state);
    const desk = new OpenDesk();
    const opened = { job: { options: engine }, run } as unknown as JobRun;
    const late = timeFor(order.steps, 100) - 1;
    const owed = () => payroll.contributions(7n).reduce((sum, { total }) => sum + total, 0n);
    // Plenty for three steps that they agree on; then enough for the steps that are left, and not for all of them.
    const secondsLeft = () => (owed() < 3n * 8n * 2n * 5n ? 36_000 : late);
    const clock = { secondsPerStep: 100, secondsLeft };
    const session = await crewOf(payroll, desk, 0).open(7n, opened, 0, undefined, clock);
    const { session: cluster } = desk.offered!;
    const stop = new AbortController();
    const worker = await nativeExecutor.openSums(run.program, { ...engine, microBatches: 1 });
    const pair = [stranger, other].map((name) => work(cluster, worker, name, stop.signal));
    let wasTaken = false;
    const training = train({ run, session, source: digits.source, checkpoint: { every: 4 } });
    training.then(
      () => stop.abort(),
      () => stop.abort(),
    );
    while (!stop.signal.aborted) {
      await delay(5);
      if (desk.withdrawals === 0) continue;
      // What they send after that may have been under way for long.
      wasTaken ||= owed() > 0n;
      for (const name of [stranger, other]) cluster.refuse(name);
    }
    const { stateRoot } = await training;
    await Promise.all(pair);
    await worker.close();
    const lone = await trainWith(() => 300);
    assert.equal(stateRoot, lone.stateRoot);
    assert.ok(wasTaken, "they have agreed on something");
    assert.deepEqual(
      accounts.map((account) => payroll.isBarred(7n, account)),
      [false, false],
    );
    assert.equal(payroll.tainted(7n), undefined);
    await session.close();
    state.close();
  });
});
