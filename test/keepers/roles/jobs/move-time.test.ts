import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { stateFileBytes } from "../../../../keepers/src/core/exact/result-files.ts";
import type { JobRun } from "../../../../keepers/src/roles/jobs/job-run.ts";
import { type MoveCost, moveCostOf } from "../../../../keepers/src/roles/jobs/move-cost.ts";
import {
  type CheckpointOptions,
  checkpointSpacing,
  measuredSpacing,
  mostSecondsOfMove,
  problemOfMoves,
  roomOf,
  spacingOf,
} from "../../../../keepers/src/roles/jobs/move-time.ts";
import type { MeasuredJob } from "../../../../keepers/src/roles/jobs/step-time.ts";
import { compileModel } from "../../../../keepers/src/training/compiler/compile.ts";
import type { LoadedConfig } from "../../../../keepers/src/training/config/load-config.ts";
import { checkConfig } from "../../../../keepers/src/training/config/parse.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import type { Executor } from "../../../../keepers/src/training/executors/types.ts";
import { mlp } from "../../../../keepers/src/training/models/mlp.ts";
import { listCheckpoints } from "../../../../keepers/src/training/trainer/checkpoint.ts";
import { checkpointFolder } from "../../../../keepers/src/training/trainer/run-folder.ts";
import { digits, digitsModel, orderOf } from "../../training/trainer/fixture.ts";
import { digitsConfig, Scene } from "./scene.ts";

const { program } = digitsModel();
const clocks = { window: 14_400, extension: 600 };
const plenty = Number.POSITIVE_INFINITY;
const never = new AbortController().signal;

describe("the time of a move", () => {
  it("is half of what every other dispute adds to a deadline", () => {
    assert.equal(mostSecondsOfMove(clocks), 300);
    assert.equal(mostSecondsOfMove({ window: 200, extension: 600 }), 100);
  });

  it("is a share of the window where other disputes add nothing", () => {
    assert.equal(mostSecondsOfMove({ window: 14_400, extension: 0 }), 450);
  });
});

describe("checkpoints of a run", () => {
  const order = { steps: 100_000, interval: 50 };

  it("are sixteen where that is enough, each at the end of an interval", () => {
    const spacing = spacingOf({ order, program, secondsPerStep: 0.01, moveSeconds: 0, clocks, room: plenty });
    assert.deepEqual(spacing, { every: 6_250, problem: undefined });
  });

  it("attack: lie so close that a move is computed in its time, however long the run is", () => {
    const spacing = spacingOf({ order, program, secondsPerStep: 1, moveSeconds: 0, clocks, room: plenty });
    assert.deepEqual(spacing, { every: 300, problem: undefined });
  });

  it("name an interval that takes longer than a move may", () => {
    const { every, problem } = spacingOf({
      order,
      program,
      secondsPerStep: 7,
      moveSeconds: 0,
      clocks,
      room: plenty,
    });
    assert.equal(every, order.interval);
    assert.match(problem!, /an interval takes 350 s here: a move of a dispute is to take 300 s/);
  });

  it("name a disk that has no room for them, and lie as close as it lets them", () => {
    const room = 100 * stateFileBytes(program);
    const { every, problem } = spacingOf({ order, program, secondsPerStep: 1, moveSeconds: 0, clocks, room });
    assert.equal(every, 1_000);
    assert.match(problem!, /checkpoints would lie 1000 s apart, for more there is no room/);
  });
});

describe("the cost of a move", () => {
  const microBatches = 2 ** 18;
  const order = { steps: 1, interval: 1 };
  const cost: MoveCost = { microBatches, stepSeconds: 1, witnessSeconds: 1, bytes: 2 ** 30 };
  const given = { order, program, secondsPerStep: 1, clocks, room: plenty };

  /** A job of very small micro-batches, of which measuring reads a few. */
  function jobOf(count: number, memoryLimit?: number): MeasuredJob {
    const small = compileModel({
      model: mlp({ inputs: 64, hidden: [8], classes: 10, batch: 1 }),
      bits: 16,
      microBatch: 1,
      input: { offset: 0, encoding: "u8", multiply: 1, add: 0, exponent: -4, layout: "flat", shape: [64] },
      target: { offset: 64, encoding: "u8", classes: 10 },
      loss: "softmax-cross-entropy",
      optimizer: { momentum: 58982 },
    });
    const size = orderOf({ microBatch: 1, microBatches: count, steps: 1, interval: 1 });
    const options = {
      objectBytes: 65,
      microBatches: count,
      ...(memoryLimit !== undefined && { memoryLimit }),
    };
    return { compiled: small, options, order: size, source: digits.source };
  }

  /** The native engine, whose traces take so many milliseconds more, with how many were made. */
  function engine(milliseconds: number) {
    const traced = { sessions: 0, microBatches: 0 };
    const executor: Executor = {
      ...nativeExecutor,
      async openTrace(...args) {
        const session = await nativeExecutor.openTrace(...args);
        traced.sessions++;
        return {
          async trace(...inputs) {
            traced.microBatches++;
            await delay(milliseconds);
            return await session.trace(...inputs);
          },
          close: () => session.close(),
        };
      },
    };
    return { executor, traced };
  }

  it("attack: names a step of very many micro-batches, whose tensors take longer than a move may", async () => {
    const { executor, traced } = engine(5);
    const measured = await moveCostOf(executor, jobOf(microBatches));
    assert.equal(traced.sessions, 1);
    assert.ok(measured.stepSeconds > microBatches * 0.004, `${measured.stepSeconds} s`);
    const problem = problemOfMoves({ ...given, secondsPerStep: 60, cost: measured });
    assert.match(
      problem!,
      /^a step in dispute takes \d{4,} s here, of 262144 micro-batches: a move of a dispute is to take 300 s; with fewer/,
    );
  });

  it("attack: names a step whose list takes more memory than there is, by the program alone", async () => {
    const { executor } = engine(0);
    const measured = await moveCostOf(executor, jobOf(microBatches, 2 ** 29));
    assert.ok(measured.bytes > 2 ** 29 && measured.bytes < 2 ** 33, `${measured.bytes} bytes`);
    const problem = problemOfMoves({ ...given, cost: { ...measured, stepSeconds: 1 } });
    assert.match(
      problem!,
      /^a dispute takes \d+ MiB of memory here, of 262144 .*: it may take 512 MiB; with fewer/,
    );
    const few = await moveCostOf(executor, jobOf(64, 2 ** 29));
    assert.equal(problemOfMoves({ ...given, cost: few }), undefined);
  });

  it("attack: is measured by one micro-batch where one takes long, and by none where training does already", async () => {
    const slow = engine(2_100);
    const measured = await moveCostOf(slow.executor, jobOf(64));
    assert.equal(slow.traced.microBatches, 1);
    assert.ok(measured.stepSeconds > 64 * 2, `${measured.stepSeconds} s`);
    const { executor, traced } = engine(0);
    const parameters = { ...given, secondsPerStep: 301 };
    const { problem } = await measuredSpacing(executor, jobOf(64), parameters);
    assert.match(problem!, /^an interval takes 301 s here: .* 300 s; a smaller interval takes less/);
    assert.equal(traced.sessions, 0);
  });

  it("attack: leaves a disk as it is where a dispute could not be played in time all the same, but of one's own run", async () => {
    const { executor } = engine(0);
    const told: string[] = [];
    const contracts = {
      JobRegistry: { read: { parametersOf: async () => ({ dispute: clocks }) } },
    };
    const parts = {
      ...{ executor, contracts, agreed: { contracts }, client: {} },
      log: { warn: (_: unknown, what: string) => told.push(what) },
    } as unknown as Parameters<typeof checkpointSpacing>[0];
    const job = jobOf(64);
    const of = {
      job,
      run: { order: { ...job.order, steps: 10_000, interval: 1 }, program: job.compiled.program },
      folder: tmpdir(),
    } as unknown as JobRun;
    const spacing = (options: CheckpointOptions) =>
      checkpointSpacing(parts, { jobId: 1n }, of, never, options);
    assert.equal(await spacing({ known: 301, isOwn: true }), 1);
    assert.equal(told.length, 1);
    assert.equal(await spacing({ known: 301 }), 11, "whoever challenges uses a quarter of a window");
    assert.equal(await spacing({ known: 3_601 }), 1, "or half of it, where one interval takes more");
    assert.equal(told.length, 1);
    assert.equal(await spacing({ known: 7_201 }), 625);
    assert.equal(told.length, 2);
    assert.ok((await spacing({ known: 1 })) <= 300, "what can be played in time begins near its step");
  });

  it("leaves a tenth of the disk to the keeper, and seven runs beside its own their part of the rest", () => {
    assert.equal(roomOf({ bavail: 500, blocks: 1_000, bsize: 4_096 }), (400 * 4_096) / 8);
    assert.equal(roomOf({ bavail: 50, blocks: 1_000, bsize: 4_096 }), 0);
  });

  it("is counted together: the steps before, the step in dispute, and the element that defends an exponent", () => {
    const most = { ...cost, stepSeconds: 200, witnessSeconds: 100 };
    assert.match(problemOfMoves({ ...given, cost: most })!, /an interval takes 1 s here besides 300 s/);
    assert.equal(problemOfMoves({ ...given, cost: { ...most, witnessSeconds: 99 } }), undefined);
    assert.match(
      problemOfMoves({ ...given, cost: { ...most, witnessSeconds: 101 } })!,
      /a step in dispute takes 301 s here/,
    );
    const run = { steps: 100_000, interval: 50 };
    const spacing = { ...given, order: run, secondsPerStep: 1 };
    assert.equal(spacingOf({ ...spacing, moveSeconds: 0 }).every, 300);
    assert.equal(spacingOf({ ...spacing, moveSeconds: 100 }).every, 200);
  });

  it("says how long the moves of a job as others order them take: far less than they may", async () => {
    const measured = await moveCostOf(nativeExecutor, jobOf(64));
    assert.ok(measured.stepSeconds < 10, `${measured.stepSeconds} s`);
    assert.equal(problemOfMoves({ ...given, cost: measured }), undefined);
  });
});

describe("a provider whose steps take long", { timeout: 120_000 }, () => {
  let scene: Scene;
  /** Seconds that a step seems to take while it is measured. */
  let seconds = 0;

  const executor: Executor = {
    ...nativeExecutor,
    async open(...args) {
      const session = await nativeExecutor.open(...args);
      const run = session.run.bind(session);
      session.run = async (steps) => {
        // Training takes whole intervals.
        if (steps.length <= 3) await delay(steps.length * seconds * 1_000);
        return run(steps);
      };
      return session;
    },
  };
  const config = (steps: number) =>
    checkConfig(
      { ...digitsConfig, model: { kind: "mlp", hidden: [16] }, steps, interval: 5 } as never,
      "the test's configuration",
    ) as LoadedConfig;

  before(async () => {
    scene = await Scene.start();
  });

  after(async () => {
    await scene?.close();
  });

  it("attack: refuses an order whose challenges it could not answer in time, right as its work would be", async () => {
    seconds = 1.2;
    const described = await scene.order(config(10));
    const provider = await scene.provider({ executor });
    await scene.consumer.post(described);
    await scene.settle([provider], 4);
    assert.equal(scene.job(described), undefined);
    seconds = 0;
    await scene.until(described, "Training", [await scene.provider({ executor })]);
    await provider.stop();
  });

  it("keeps more states of a long run, so that a move begins near its step", async () => {
    seconds = 0.8;
    const described = await scene.order(config(200));
    const provider = await scene.provider({ executor });
    await scene.consumer.post(described);
    const { jobId } = await scene.until(described, "Committed", [provider]);
    const run = join(
      scene.network.folder,
      provider.ledger.job(jobId)!.provider!,
      "jobs",
      String(jobId),
      "run",
    );
    const steps = await listCheckpoints(checkpointFolder({ path: run }));
    assert.equal(steps.length, 200 / 5 + 1);
  });
});
