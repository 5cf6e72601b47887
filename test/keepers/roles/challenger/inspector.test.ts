import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it, mock } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import { schemes } from "../../../../keepers/src/core/market/types.ts";
import type { JobStorage } from "../../../../keepers/src/roles/jobs/job-storage.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import type { Executor } from "../../../../keepers/src/training/executors/types.ts";
import { lockRun } from "../../../../keepers/src/training/trainer/run-lock.ts";
import { windows } from "../jobs/network.ts";
import { cheat, digitsConfig, Scene } from "../jobs/scene.ts";

describe("a challenger with more than one thing to do", () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.start();
  });

  after(async () => {
    await scene?.close();
  });

  it("makes its moves while another duty goes on with the run that they are made from", async () => {
    const described = await scene.order();
    const cheater = await scene.provider({ worker: cheat });
    await scene.consumer.post(described);
    const { jobId } = await scene.until(described, "Committed", [cheater]);
    const account = scene.account();
    const watcher = await scene.challenger(account);
    await scene.untilHolds("the challenge", [watcher], () => watcher.ledger.openChallenges().length > 0);
    await scene.settle([cheater], 1);
    await watcher.catchUp();
    const { moves } = watcher.ledger.challengesOf(jobId)[0]!;
    const run = join(scene.network.folder, account.address, "jobs", String(jobId), "run");
    const lock = lockRun(run);
    try {
      await watcher.tick();
    } finally {
      lock.release();
    }
    await watcher.catchUp();
    assert.equal(watcher.ledger.challengesOf(jobId)[0]!.moves, moves + 1);
    await scene.until(described, "Failed", [watcher, cheater]);
    await cheater.stop();
  });

  it("attack: leaves a job that takes longer than it can be challenged, and goes on with the next", async () => {
    const { network, consumer } = scene;
    const decoy = await scene.order();
    const slow = await scene.provider();
    await consumer.post(decoy);
    await scene.until(decoy, "Committed", [slow]);
    await slow.stop();
    await network.chain.advance(windows.challenge / 2);
    const lie = await scene.order();
    const cheater = await scene.provider({ worker: cheat });
    await consumer.post(lie);
    const { jobId } = await scene.until(lie, "Committed", [cheater]);
    let opened = 0;
    let steps = 0;
    const executor: Executor = {
      ...nativeExecutor,
      async open(program, options) {
        const session = await nativeExecutor.open(program, options);
        if (++opened > 1) return session;
        return {
          program: session.program,
          setState: (state) => session.setState(state),
          getState: () => session.getState(),
          close: () => session.close(),
          async run(inputs) {
            // The window of the first job closes while it is computed; the other one's does not.
            if (steps === 0) await network.outlast(windows.challenge / 2 + 200);
            steps += inputs.length;
            await delay(300);
            return session.run(inputs);
          },
        };
      },
    };
    const watcher = await scene.openChallenger(scene.account(), { executor, inspections: 1 });
    await watcher.tick();
    assert.ok(steps > 0 && steps < decoy.trainingOrder.steps, `${steps} steps of the decoy`);
    await watcher.catchUp();
    assert.equal(watcher.ledger.challengesOf(jobId).length, 1);
    await watcher.stop();
    await cheater.stop();
  });

  it("attack: finds a lie while a job that takes very long is computed", async () => {
    const { consumer } = scene;
    const decoy = await scene.order({ ...digitsConfig, steps: 400, interval: 8 });
    const slow = await scene.provider();
    await consumer.post(decoy);
    const { jobId: decoyId } = await scene.until(decoy, "Committed", [slow]);
    await slow.stop();
    let isUnderWay = false;
    const executor: Executor = {
      ...nativeExecutor,
      async open(program, options) {
        const session = await nativeExecutor.open(program, options);
        const run = session.run.bind(session);
        session.run = async (inputs) => {
          // Measuring finds it quick, and the other one is: in earnest it takes long.
          if (inputs.length === 8) {
            isUnderWay = true;
            await delay(1_000);
          }
          return run(inputs);
        };
        return session;
      },
    };
    const watcher = await scene.openChallenger(scene.account(), { executor, patience: 100 });
    const pausing = { tick: () => delay(200) };
    await scene.untilHolds("the decoy", [watcher, pausing], () => isUnderWay);
    const lie = await scene.order();
    const cheater = await scene.provider({ worker: cheat });
    await consumer.post(lie);
    const { jobId } = await scene.until(lie, "Committed", [cheater]);
    await scene.untilHolds("the challenge", [watcher, pausing], () => {
      return watcher.ledger.challengesOf(jobId).length > 0;
    });
    assert.deepEqual(watcher.ledger.challengesOf(decoyId), []);
    await watcher.stop();
    await cheater.stop();
  });

  it("looks first at what can be challenged for the shortest time", async () => {
    const { network, consumer } = scene;
    // Whatever was committed to before cannot be challenged any more.
    await network.outlast(windows.challenge);
    // A committee that has decided nothing yet: its job can be challenged for longer.
    const conditions = { scheme: schemes.both, committeeSize: 3, threshold: 2, checkFee: 1n };
    const long = await scene.order(digitsConfig, conditions);
    const slow = await scene.provider();
    await consumer.post(long);
    await scene.until(long, "Committed", [slow]);
    await slow.stop();
    const short = await scene.order();
    const cheater = await scene.provider({ worker: cheat });
    await consumer.post(short);
    const { jobId } = await scene.until(short, "Committed", [cheater]);
    const account = scene.account();
    const real = scene.storage.of(account);
    let fetched = 0;
    const storage: JobStorage = {
      ...real,
      folder(parameters) {
        if (++fetched > 1) throw new Error("one job was enough");
        return real.folder(parameters);
      },
    };
    const watcher = await scene.openChallenger(account, { storage, inspections: 1 });
    await watcher.tick();
    await watcher.catchUp();
    assert.equal(watcher.ledger.challengesOf(jobId).length, 1);
    await watcher.stop();
    await cheater.stop();
  });

  it("attack: computes nothing of a job that would take more than twice the time in which it can be challenged", async () => {
    const { consumer } = scene;
    const lie = await scene.order();
    const cheater = await scene.provider({ worker: cheat });
    await consumer.post(lie);
    const { jobId } = await scene.until(lie, "Committed", [cheater]);
    const now = performance.now.bind(performance);
    let [ran, leap] = [0, 0];
    // Left as it is, and the last test for it: a clock that went back would let everybody wait.
    mock.method(performance, "now", () => now() + leap);
    const executor: Executor = {
      ...nativeExecutor,
      async open(program, options) {
        const session = await nativeExecutor.open(program, options);
        const run = session.run.bind(session);
        session.run = async (inputs) => {
          ran += inputs.length;
          // A machine on which a step takes as long as the job can be challenged.
          leap += 1_000 * windows.challenge * inputs.length;
          return run(inputs);
        };
        return session;
      },
    };
    const slow = await scene.openChallenger(scene.account(), { executor, inspections: 1 });
    await slow.tick();
    await slow.tick();
    await slow.catchUp();
    assert.deepEqual(slow.ledger.challengesOf(jobId), []);
    assert.ok(ran > 0, "no step was measured");
    await slow.stop();
    const quick = await scene.openChallenger(scene.account(), { inspections: 1 });
    await quick.tick();
    await quick.catchUp();
    assert.equal(quick.ledger.challengesOf(jobId).length, 1);
    await quick.stop();
    await cheater.stop();
  });

  it("attack: finds a lie although what it was told of the data made no sense once", async () => {
    const described = await scene.order();
    const cheater = await scene.provider({ worker: cheat });
    await scene.consumer.post(described);
    const { jobId } = await scene.until(described, "Committed", [cheater]);
    const account = scene.account();
    const real = scene.storage.of(account);
    let asked = 0;
    const storage: JobStorage = {
      ...real,
      async objects(...args) {
        if (++asked === 1) throw new BadInputError("k must be 1 to 36, and is 0");
        return await real.objects(...args);
      },
    };
    const watcher = await scene.challenger(account, { storage });
    await scene.untilHolds("the challenge", [watcher], () => watcher.ledger.challengesOf(jobId).length > 0);
    assert.ok(asked > 1);
    await scene.until(described, "Failed", [watcher, cheater]);
    await cheater.stop();
  });
});
