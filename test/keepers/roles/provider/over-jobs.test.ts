import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { windows } from "../jobs/network.ts";
import { Scene } from "../jobs/scene.ts";

/** Intervals of the job, and milliseconds that each is made to take: far longer than it takes to see that the job is over. */
const intervals = 8;
const slowness = 5_000;

describe("a provider whose job is over while it trains", { timeout: 240_000 }, () => {
  let scene: Scene;

  before(async () => {
    scene = await Scene.start();
  });

  after(async () => {
    await scene?.close();
  });

  it("attack: trains it no further, so that the next job does not wait behind it", async () => {
    const { consumer, network } = scene;
    const account = scene.account();
    await scene.stake(account);
    let [sessions, made] = [0, 0];
    const provider = await scene.openProvider(account, {
      mostJobs: 2,
      patience: 200,
      worker: (session) => {
        if (++sessions > 1) return session;
        return {
          program: session.program,
          setState: (state) => session.setState(state),
          run: async (steps) => {
            made++;
            await delay(slowness);
            return await session.run(steps);
          },
          getState: () => session.getState(),
          close: () => session.close(),
        };
      },
    });
    const until = async (what: string, holds: () => boolean) => {
      const end = Date.now() + 90_000;
      while (!holds()) {
        assert.ok(Date.now() < end, `waited in vain for ${what}`);
        await consumer.tick();
        await delay(100);
      }
    };
    provider.run();
    try {
      const first = await scene.order();
      await consumer.post(first);
      await until("its training", () => made > 0);
      await network.chain.advance(3_601);
      await until("the call of its timeout", () => scene.job(first)!.graceEnds !== undefined);
      await network.chain.advance(windows.grace + 1);
      await until("its end", () => scene.job(first)!.status === "Failed");
      const second = await scene.order();
      await consumer.post(second);
      await until("the second result", () => scene.job(second)?.status === "Committed");
      assert.ok(made < intervals, `${made} of ${intervals} intervals of the first were trained`);
    } finally {
      await provider.stop();
    }
  });
});
