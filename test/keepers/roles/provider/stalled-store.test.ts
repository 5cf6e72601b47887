import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Scene } from "../jobs/scene.ts";

/** Something that is waited for. */
class Gate {
  open!: () => void;
  readonly opened = new Promise<void>((resolve) => {
    this.open = resolve;
  });
}

describe("a provider whose result nobody takes in time", { timeout: 240_000 }, () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.start();
  });

  after(async () => {
    await scene?.close();
  });

  it("attack: trains and commits to its next job while the first one's result waits for operators that stall", {
    timeout: 120_000,
  }, async () => {
    const { consumer } = scene;
    const account = scene.account();
    await scene.stake(account);
    const real = scene.storage.of(account);
    const stalled: string[] = [];
    const held = new AbortController();
    const provider = await scene.openProvider(account, {
      mostJobs: 2,
      patience: 200,
      storage: () => ({
        ...real,
        store: async (parameters) => {
          if (stalled.length === 0) stalled.push(parameters.name);
          if (stalled.includes(parameters.name) && !held.signal.aborted) {
            const either = AbortSignal.any([held.signal, parameters.signal!]);
            await delay(100_000, undefined, { signal: either }).catch(() => undefined);
            parameters.signal!.throwIfAborted();
          }
          return await real.store(parameters);
        },
      }),
    });
    const pausing = { tick: () => delay(100) };
    const first = await scene.order();
    await consumer.post(first);
    await scene.untilHolds("the first job's store", [provider, pausing], () => stalled.length > 0);
    const second = await scene.order();
    await consumer.post(second);
    await scene.until(second, "Committed", [provider, pausing]);
    assert.equal(scene.job(first)!.status, "Training");
    assert.deepEqual(stalled, [`job-${scene.job(first)!.jobId}`]);
    held.abort();
    await scene.until(first, "Committed", [provider, pausing]);
    await provider.stop();
  });

  it("stores a result again whose store fails while its next job trains, before that ends", {
    timeout: 120_000,
  }, async () => {
    const { consumer } = scene;
    const account = scene.account();
    await scene.stake(account);
    const real = scene.storage.of(account);
    const [isTraining, mayEnd] = [new Gate(), new Gate()];
    let [sessions, stores] = [0, 0];
    const provider = await scene.openProvider(account, {
      mostJobs: 2,
      patience: 200,
      storage: () => ({
        ...real,
        store: async (parameters) => {
          if (++stores > 1) return await real.store(parameters);
          await isTraining.opened;
          throw new Error("nobody takes it");
        },
      }),
      worker: (session) => {
        if (++sessions === 1) return session;
        return {
          program: session.program,
          setState: (state) => session.setState(state),
          run: async (steps) => {
            isTraining.open();
            await mayEnd.opened;
            return await session.run(steps);
          },
          getState: () => session.getState(),
          close: () => session.close(),
        };
      },
    });
    const first = await scene.order();
    await consumer.post(first);
    await scene.untilHolds("the first job's store", [provider], () => stores === 1);
    const second = await scene.order();
    await consumer.post(second);
    const statuses = () => [first, second].map((each) => scene.job(each)?.status);
    let isOver = false;
    const ticking = (async () => {
      while (!isOver) await provider.tick().catch(() => undefined);
    })();
    try {
      for (let i = 0; i < 300 && statuses()[0] === "Training"; i++) {
        await delay(100);
        await consumer.tick();
      }
      assert.deepEqual(statuses(), ["Committed", "Training"]);
    } finally {
      isOver = true;
      mayEnd.open();
      await ticking;
      await provider.stop();
    }
  });
});
