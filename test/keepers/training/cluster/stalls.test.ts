import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { lossShare, mostCredit } from "../../../../keepers/src/training/cluster/pace.ts";
import { MemoryRecords } from "../../../../keepers/src/training/cluster/records.ts";
import { type ClusterOptions, ClusterSession } from "../../../../keepers/src/training/cluster/session.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import type { PartsExecutor } from "../../../../keepers/src/training/executors/parts.ts";
import { fixture, hash } from "../executors/support.ts";

const microBatches = 8;
const { program, objectBytes, state, steps } = fixture("mlp", 8, 4);
/** Milliseconds that a chunk takes at least: so little work would be done before anybody could hold it up. */
const own = 20;
const executor: PartsExecutor = {
  ...nativeExecutor,
  async openSums(program, options) {
    const sums = await nativeExecutor.openSums(program, options);
    return {
      async compute(state, objects) {
        await delay(own);
        return await sums.compute(state, objects);
      },
      close: () => sums.close(),
    };
  },
};

/** What a stranger does with a session until the signal. */
type Stranger = (session: ClusterSession, signal: AbortSignal) => Promise<void>;

/** Milliseconds of each step that a provider makes beside these strangers, and the state at the end. */
async function train(
  count: number,
  strangers: readonly Stranger[],
  options: Partial<Pick<ClusterOptions, "ownStep" | "mustHurry">> = {},
) {
  const session = await ClusterSession.open(
    executor,
    program,
    { objectBytes, microBatches },
    {
      chunkSize: 1,
      copies: 2,
      checkShare: 1,
      secret: new Uint8Array(32).fill(1),
      records: new MemoryRecords(),
      firstStep: 0,
      ...options,
    },
  );
  const stop = new AbortController();
  const crowd = strangers.map((stranger) => stranger(session, stop.signal).catch(() => undefined));
  try {
    await session.setState(state);
    const taken: number[] = [];
    for (const input of steps(count, microBatches)) {
      const began = performance.now();
      await session.run([input]);
      taken.push(performance.now() - began);
    }
    const total = taken.reduce((sum, time) => sum + time, 0);
    return { taken, total, state: hash(await session.getState()) };
  } finally {
    stop.abort();
    await session.close();
    await Promise.all(crowd);
  }
}

/** Takes whatever there is and never brings it; asking again is a sign of life. */
const idler: Stranger = async (session, signal) => {
  for (;;) {
    await session.take("account/peer", undefined, signal);
    await delay(50);
  }
};

/** The same under a new name for each chunk. */
const legion: Stranger = async (session, signal) => {
  for (let i = 0; ; i++) await session.take(`account${i}/peer${i}`, undefined, signal);
};

describe("a step beside workers that stall", () => {
  it("attack: a worker that takes a chunk of each step and never delivers costs the provider no more than a few waits", async () => {
    const count = 8;
    const alone = await train(count, []);
    const held = await train(count, [idler], { ownStep: alone.total / count });
    assert.equal(held.state, alone.state);
    // Three waits of half a second, until it rests: with one in each step it would be eight of them, or of twelve seconds.
    assert.ok(held.total < 2 * alone.total + 4_000, `${held.total} ms, ${alone.total} ms alone`);
    const last = Math.min(...held.taken.slice(-3));
    assert.ok(last < 2 * Math.max(...alone.taken), `${last} ms for a step at the end`);
  });

  it("attack: a worker that a provider knows no time of its own beside costs it a wait more", async () => {
    const count = 3;
    const alone = await train(count, []);
    const held = await train(count, [idler]);
    assert.equal(held.state, alone.state);
    assert.ok(held.total < 2 * alone.total + 8_000, `${held.total} ms, ${alone.total} ms alone`);
  });

  it("attack: workers without number, each new, that hold every chunk cost it some seconds once, and a quarter of its time", async () => {
    const count = 20;
    const alone = await train(count, []);
    const held = await train(count, [legion], { ownStep: alone.total / count });
    assert.equal(held.state, alone.state);
    // As much again for a machine that is busier by then.
    const most = 2 * (1 + lossShare) * alone.total + mostCredit;
    assert.ok(held.total < most, `${held.total} ms, ${alone.total} ms alone`);
  });

  it("attack: nobody is given a chunk or waited for from the step on in which time is short", async () => {
    const asked: (number | undefined)[] = [];
    const mustHurry = (step: number, ownStep: number | undefined) => {
      asked.push(ownStep);
      return step >= 1;
    };
    const alone = await train(4, []);
    const held = await train(4, [legion], { ownStep: alone.total / 4, mustHurry });
    assert.equal(held.state, alone.state);
    assert.ok(asked.every((ownStep) => ownStep! > 0));
    const rest = held.taken.slice(1).reduce((sum, time) => sum + time, 0);
    assert.ok(rest < 2 * alone.total, `${rest} ms, ${alone.total} ms alone`);
    assert.ok(held.taken[0]! > Math.max(...held.taken.slice(1)), "they were waited for before");
  });
});
