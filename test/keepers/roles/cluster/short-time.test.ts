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
import { digits, newRun } from "../../training/trainer/fixture.ts";
import { log } from "./support.ts";

const engine = { objectBytes: 65, microBatches: 8 };
const order = { microBatches: 8, steps: 12, interval: 4 };
const secondsPerStep = 0.05;
const stranger = workerKey(getAddress(`0x${"13".repeat(20)}`), "peer");

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

/** A job that is trained beside a worker that takes and never brings, with so many seconds left at each look. */
async function trainWith(secondsLeft: () => number) {
  const run = await newRun(order);
  const state = openState({ path: ":memory:", schemas: [payrollSchema] });
  const desk = new OpenDesk();
  const crew = new Crew({
    payroll: new Payroll(state),
    desk,
    executor: nativeExecutor,
    account: {},
    operator: `0x${"11".repeat(20)}`,
    terms: { perChunk: 5n, budget: 10n ** 6n, copies: 2, checkShare: 1, chunks: 8 },
    metrics: new ClusterMetrics(new Registry(), { members: 1 }),
    deployment: { chainId: 31337, addresses: { WorkerRewards: `0x${"12".repeat(20)}` } },
    log,
  } as unknown as CrewParts);
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
});
