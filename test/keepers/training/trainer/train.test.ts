import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, readdir, readFile, rename, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { privateKeyToAccount } from "viem/accounts";
import { runStep } from "../../../../keepers/src/core/exact/ops/step.ts";
import { samplesOf } from "../../../../keepers/src/core/exact/order.ts";
import { initialState } from "../../../../keepers/src/core/exact/random/initialize.ts";
import { learningRateAt } from "../../../../keepers/src/core/exact/schedule.ts";
import { readDigits } from "../../../../keepers/src/storage/readers/digits.ts";
import { FileObjects } from "../../../../keepers/src/training/data/file-objects.ts";
import { gatherObjects } from "../../../../keepers/src/training/data/gather.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import type { TrainingSession } from "../../../../keepers/src/training/executors/types.ts";
import { stateRootOf } from "../../../../keepers/src/training/trace/commitments.ts";
import { verifyRecord } from "../../../../keepers/src/training/trace/record.ts";
import { listCheckpoints } from "../../../../keepers/src/training/trainer/checkpoint.ts";
import { RunFolderError } from "../../../../keepers/src/training/trainer/errors.ts";
import { epochScore } from "../../../../keepers/src/training/trainer/metrics.ts";
import { stepsPerLine } from "../../../../keepers/src/training/trainer/metrics-log.ts";
import { readLogs } from "../../../../keepers/src/training/trainer/progress.ts";
import {
  checkpointFolder,
  openRun,
  type RunFolder,
} from "../../../../keepers/src/training/trainer/run-folder.ts";
import { lockRun } from "../../../../keepers/src/training/trainer/run-lock.ts";
import {
  type TrainingEvent,
  type TrainParameters,
  train,
} from "../../../../keepers/src/training/trainer/train.ts";
import { digits, folder, model, newRun, options, orderOf } from "./fixture.ts";

async function trained(run: RunFolder, changes: Partial<TrainParameters> = {}) {
  const session = await nativeExecutor.open(run.program, options);
  try {
    return await train({ run, session, source: digits.source, checkpoint: { every: 40 }, ...changes });
  } finally {
    await session.close();
  }
}

/** Trains until the checkpoint after this step, as if the process ended there. */
async function interrupted(run: RunFolder, after: number): Promise<void> {
  const stop = new AbortController();
  const onEvent = (event: TrainingEvent) => {
    if (event.kind === "checkpoint" && event.step === after) stop.abort();
  };
  await assert.rejects(trained(run, { signal: stop.signal, onEvent }), { name: "AbortError" });
}

const whole = await newRun();
const result = await trained(whole);

describe("training", () => {
  it("computes what the definition does, with the samples of the order", async () => {
    const order = orderOf({ steps: 3, interval: 2 });
    const run = await newRun({ steps: 3, interval: 2 });
    const { state, stateRoot } = await trained(run);
    let expected: readonly Int32Array[] = initialState(model.program, order.seed);
    for (let step = 0; step < 3; step++) {
      const objects = await digits.source.read(samplesOf(order).batch(step));
      const learningRate = learningRateAt(order.schedule, step);
      expected = runStep({
        program: model.program,
        state: expected,
        objects,
        objectBytes: 65,
        learningRate,
      }).state;
    }
    assert.deepEqual(state, [...expected]);
    assert.equal(stateRoot, stateRootOf(model.program, expected));
  });

  it("reads objects that memory does not hold, to the same bits", async () => {
    const { source } = await gatherObjects(await readDigits(), {
      spool: join(folder, "large"),
      memoryBytes: 0,
    });
    assert.ok(source instanceof FileObjects);
    const { stateRoot } = await trained(await newRun(), { source });
    await source.close();
    assert.equal(stateRoot, result.stateRoot);
  });

  it("learns, and says of each epoch what it reached", () => {
    assert.equal(result.epochs.length, 3);
    const [first, , last] = result.epochs;
    assert.deepEqual(
      result.epochs.map(({ step }) => step),
      [89, 178, 200],
    );
    assert.ok(last!.training.loss < first!.training.loss);
    assert.ok(last!.training.accuracy! > 0.6);
    assert.equal(
      result.steps.reduce((sum, { samples }) => sum + samples, 0),
      200 * 8,
    );
  });

  it("attack: takes no more for it that an epoch has one step, and goes on to the same lines", async () => {
    const steps = 2_000;
    const run = await newRun({ train: 16, steps, interval: 80 });
    const session = await nativeExecutor.open(run.program, options);
    let calls = 0;
    const counted: TrainingSession = {
      ...session,
      run(inputs) {
        calls++;
        return session.run(inputs);
      },
    };
    const every = { source: digits.source, checkpoint: { every: 800 } };
    await train({ run, session: counted, until: 800, ...every });
    const { epochs, steps: lines } = await train({ run, session: counted, ...every });
    await session.close();
    assert.ok(calls <= 400 + steps / 80, `${calls} calls`);
    assert.deepEqual(
      epochs.map(({ epoch, step }) => [epoch, step]),
      Array.from({ length: 400 }, (_, i) => [5 * (i + 1), 5 * (i + 1)]),
    );
    assert.equal(
      lines.reduce((sum, { samples }) => sum + samples, 0),
      steps * 8,
    );
    const last = lines.filter(({ step }) => step > steps - 5);
    assert.equal(epochs.at(-1)!.training.loss, epochScore(last).loss);
    // Written as they are given back.
    const written = (await readFile(join(run.path, "metrics.jsonl"), "utf8")).trim().split("\n");
    assert.equal(written.length, epochs.length + lines.length);
  });

  it("tells of every epoch that is long, or where there are few, and of several at once otherwise", () => {
    const lengths: [number, number, number][] = [
      [200, 89, 89],
      [40, 1, 1],
      [400, 1, 1],
      [6_000, 1, 15],
      [4_000_000, 1, 256],
      [4_000_000, 100, 300],
      [4_000_000, 256, 256],
      [20, 1_000, 1_000],
    ];
    for (const [steps, stepsPerEpoch, stride] of lengths)
      assert.equal(stepsPerLine({ steps, stepsPerEpoch }), stride, `${steps} by ${stepsPerEpoch}`);
  });

  it("keeps a trace of exactly the leaves that the order asks for", async () => {
    const { trace, witnesses } = await readLogs(whole);
    assert.equal(trace.length, 26);
    assert.deepEqual(
      trace.map(({ step }) => step),
      Array.from({ length: 26 }, (_, leaf) => 8 * leaf),
    );
    assert.ok(witnesses.every(({ length }) => length === 8));
    assert.deepEqual(await listCheckpoints(checkpointFolder(whole)), [0, 40, 80, 120, 160, 200]);
  });

  it("goes on from any checkpoint to the same bits and the same trace", async () => {
    for (const step of [40, 160]) {
      const path = join(folder, `resumed-${step}`);
      await cp(whole.path, path, { recursive: true });
      const run = await openRun(path);
      const steps = (await listCheckpoints(checkpointFolder(run))).filter((each) => each > step);
      for (const each of steps)
        await rm(join(checkpointFolder(run), `${String(each).padStart(12, "0")}.checkpoint`));
      const again = await trained(run);
      assert.equal(again.resumedFrom, step);
      assert.deepEqual(again.state, result.state);
      assert.equal(again.traceRoot, result.traceRoot);
      assert.deepEqual(
        again.steps.map(({ step: at, lossSum }) => [at, lossSum]),
        result.steps.map(({ step: at, lossSum }) => [at, lossSum]),
      );
      assert.deepEqual(
        again.epochs.map(({ training }) => training),
        result.epochs.map(({ training }) => training),
      );
    }
  });

  it("lets nobody else write into a run that is under way, and leaves no lock behind", async () => {
    const run = await newRun();
    let refused: unknown;
    let asked = false;
    const onEvent = (event: TrainingEvent) => {
      if (event.kind !== "checkpoint" || asked) return;
      asked = true;
      try {
        lockRun(run.path);
      } catch (error) {
        refused = error;
      }
    };
    const { stateRoot } = await trained(run, { onEvent });
    assert.equal(stateRoot, result.stateRoot);
    assert.ok(refused instanceof RunFolderError);
    assert.match(refused.message, /being trained by another process/);
    lockRun(run.path).release();
  });

  it("does nothing to a run that is finished", async () => {
    const again = await trained(whole);
    assert.equal(again.resumedFrom, 200);
    assert.equal(again.traceRoot, result.traceRoot);
  });

  it("gives the same trace in whatever chunks its metrics and checkpoints fall", async () => {
    const run = await newRun();
    await rm(join(run.path, "secret"));
    await writeFile(join(run.path, "secret"), `${whole.secret}\n`);
    const again = await trained(await openRun(run.path), { checkpoint: { every: 1, keep: 3 } });
    assert.equal(again.traceRoot, result.traceRoot);
    assert.deepEqual(await listCheckpoints(checkpointFolder(run)), [0, 184, 192, 200]);
  });

  it("keeps the last good checkpoint when a newer one is damaged, and says so", async () => {
    const damages: [string, (path: string) => Promise<void>, RegExp][] = [
      ["flipped", async (path) => flip(path, 500), /damaged or truncated/],
      ["truncated", async (path) => truncate(path, 1000), /damaged or truncated/],
      ["emptied", async (path) => truncate(path, 0), /it is no checkpoint/],
      [
        "of another step",
        async (path) => cp(join(path, "..", "000000000040.checkpoint"), path),
        /it is of step 40/,
      ],
    ];
    for (const [what, damage, message] of damages) {
      const path = join(folder, `damaged-${what.replaceAll(" ", "-")}`);
      await cp(whole.path, path, { recursive: true });
      const run = await openRun(path);
      await rm(join(checkpointFolder(run), "000000000200.checkpoint"));
      await damage(join(checkpointFolder(run), "000000000160.checkpoint"));
      const events: TrainingEvent[] = [];
      const again = await trained(run, { onEvent: (event) => events.push(event) });
      const [resumed] = events;
      assert.ok(resumed?.kind === "resumed");
      assert.equal(resumed.step, 120);
      assert.match(resumed.damaged[0]!.message, message, what);
      assert.equal(again.traceRoot, result.traceRoot, what);
    }
  });

  it("begins anew when no checkpoint is left, and goes further back when the trace is cut", async () => {
    for (const [lines, from] of [
      [0, 0],
      [7, 40],
      [11, 80],
    ] as const) {
      const path = join(folder, `cut-${lines}`);
      await cp(whole.path, path, { recursive: true });
      const run = await openRun(path);
      const trace = (await readFile(join(path, "trace.jsonl"), "utf8")).split("\n").slice(0, lines);
      // A line that a crash cut off.
      await writeFile(join(path, "trace.jsonl"), `${trace.map((line) => `${line}\n`).join("")}{"step":8`);
      const again = await trained(run);
      assert.equal(again.resumedFrom, from);
      assert.equal(again.traceRoot, result.traceRoot);
    }
  });

  it("refuses checkpoints of another training or program", async () => {
    const run = await newRun({ schedule: { table: [1], every: 1 } });
    await rm(checkpointFolder(run), { recursive: true });
    await cp(checkpointFolder(whole), checkpointFolder(run), { recursive: true });
    await cp(join(whole.path, "trace.jsonl"), join(run.path, "trace.jsonl"));
    const events: TrainingEvent[] = [];
    const { resumedFrom, stateRoot } = await trained(run, { onEvent: (event) => events.push(event) });
    assert.equal(resumedFrom, 0);
    assert.notEqual(stateRoot, result.stateRoot);
  });

  it("survives kill -9 at any moment", async () => {
    const run = await newRun();
    const script = join(import.meta.dirname, "train.child.ts");
    let before = -1;
    // The moments differ: after so many checkpoints, and so many milliseconds more.
    for (const [checkpoints, delay] of [
      [1, 0],
      [2, 3],
      [4, 1],
    ] as const) {
      const child = spawn(process.execPath, [script, run.path], { stdio: ["ignore", "pipe", "inherit"] });
      const ended = once(child, "exit");
      let seen = 0;
      for await (const text of child.stdout as AsyncIterable<Buffer>) {
        seen += text.length;
        if (seen >= checkpoints) break;
      }
      await new Promise((done) => setTimeout(done, delay));
      child.kill("SIGKILL");
      await ended;
      const last = (await listCheckpoints(checkpointFolder(run))).at(-1)!;
      assert.ok(last >= before, "what was reached is never lost");
      before = last;
    }
    assert.ok(before > 0);
    const { state } = await trained(run);
    assert.deepEqual(state, result.state);
    const names = await readdir(checkpointFolder(run));
    assert.ok(names.filter((name) => name.endsWith(".checkpoint")).length >= 6);
  });

  it("stops when the disk cannot take a checkpoint, and goes on from the one before", async () => {
    const run = await newRun();
    await interrupted(run, 80);
    const place = checkpointFolder(run);
    await rename(place, `${place}-away`);
    await writeFile(place, "");
    await assert.rejects(trained(run), { name: "CannotWriteRunError", kept: /checkpoint is intact/ });
    await rm(place);
    await rename(`${place}-away`, place);
    const { resumedFrom, state } = await trained(run);
    assert.ok(resumedFrom === 80 || resumedFrom === 0);
    assert.deepEqual(state, result.state);
  });

  it("signs the record of each interval, which anyone can verify from order and trace", async () => {
    const account = privateKeyToAccount(`0x${"11".repeat(32)}`);
    const run = await newRun({ steps: 24 });
    await trained(run, { signer: { account, domain: run.domain } });
    const { trace } = await readLogs(run);
    for (let interval = 0; interval < 3; interval++) {
      const { stateRoot, h, signed } = trace[interval + 1]!;
      const facts = {
        interval,
        rootBefore: trace[interval]!.stateRoot,
        rootAfter: stateRoot,
        witnessHash: h,
      };
      const record = await verifyRecord(signed!, run.domain, run.order, facts);
      assert.equal(record?.worker, account.address);
      assert.equal(record?.firstStep, BigInt(8 * interval));
      const changes = [
        { interval: (interval + 1) % 3 },
        { rootAfter: h },
        { rootBefore: h },
        { witnessHash: stateRoot },
      ];
      for (const change of changes) {
        assert.equal(await verifyRecord(signed!, run.domain, run.order, { ...facts, ...change }), undefined);
      }
      assert.equal(await verifyRecord(signed!, run.domain, { ...run.order, seed: h }, facts), undefined);
    }
  });
});

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  bytes[at]! ^= 1;
  await writeFile(path, bytes);
}
