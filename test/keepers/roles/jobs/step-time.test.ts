import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { OpenJob } from "../../../../keepers/src/roles/jobs/job-program.ts";
import { secondsPerStep } from "../../../../keepers/src/roles/jobs/step-time.ts";
import type { ObjectSource } from "../../../../keepers/src/training/data/types.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import type { Executor } from "../../../../keepers/src/training/executors/types.ts";
import { digits, digitsModel, orderOf } from "../../training/trainer/fixture.ts";

const compiled = digitsModel();

function jobOf(microBatches: number, steps: number, interval = 8): OpenJob {
  const order = orderOf({ microBatch: 8, microBatches, steps, interval });
  const options = { objectBytes: order.objectBytes, microBatches };
  return { compiled, order, options, source: digits.source } as unknown as OpenJob;
}

/** An engine whose micro-batches seem to take so many milliseconds each, with what it was asked for. */
function engine(milliseconds: number) {
  const asked: number[] = [];
  const executor: Executor = {
    ...nativeExecutor,
    async open(program, options) {
      const session = await nativeExecutor.open(program, options);
      const run = session.run.bind(session);
      session.run = async (steps) => {
        const count = steps.length * options.microBatches;
        asked.push(count);
        const until = performance.now() + count * milliseconds;
        const outputs = await run(steps);
        while (performance.now() < until);
        return outputs;
      };
      return session;
    },
  };
  const computed = () => asked.reduce((sum, count) => sum + count, 0);
  return { executor, asked, computed };
}

describe("what a step takes", () => {
  it("attack: is measured by three micro-batches where one takes long, however many a step has", async () => {
    const { executor, computed } = engine(400);
    const seconds = await secondsPerStep(executor, jobOf(64, 1_000));
    assert.equal(computed(), 3);
    assert.ok(seconds > 64 * 0.3 && seconds < 64 * 0.8, `${seconds} s`);
  });

  it("attack: is measured by one micro-batch where a job has few", async () => {
    const { executor, computed } = engine(400);
    const seconds = await secondsPerStep(executor, jobOf(4, 2));
    assert.equal(computed(), 1);
    assert.ok(seconds > 4 * 0.3);
  });

  it("is measured all the same on a machine that has no room for temporary files", async () => {
    const usual = process.env.TMPDIR;
    process.env.TMPDIR = "/nowhere/at/all";
    try {
      const { executor } = engine(1);
      assert.ok((await secondsPerStep(executor, jobOf(4, 2))) > 0);
    } finally {
      if (usual === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = usual;
    }
  });

  it("attack: is no less than training takes, where reading samples and ending intervals takes longest", async () => {
    const took = { reads: 30, states: 40 };
    // A timer may end a moment early.
    const pause = async (milliseconds: number) => {
      const until = performance.now() + milliseconds;
      while (performance.now() < until) await new Promise((done) => setTimeout(done, 1));
    };
    const executor: Executor = {
      ...nativeExecutor,
      async open(program, options) {
        const session = await nativeExecutor.open(program, options);
        const getState = session.getState.bind(session);
        session.getState = async () => {
          await pause(took.states);
          return await getState();
        };
        return session;
      },
    };
    const source: ObjectSource = {
      ...digits.source,
      async read(indices) {
        await pause(took.reads);
        return await digits.source.read(indices);
      },
    };
    const secondsOf = (interval: number) => {
      return secondsPerStep(executor, { ...jobOf(2, 1_000, interval), source });
    };
    const [each, eighth] = [await secondsOf(1), await secondsOf(8)];
    assert.ok(each >= (took.reads + took.states) / 1000, `${each} s`);
    assert.ok(eighth >= (took.reads + took.states / 8) / 1000 && eighth < each, `${eighth} s`);
  });

  it("attack: gives the engine one step at a time, where an interval has no more", async () => {
    const { executor, asked } = engine(0);
    await secondsPerStep(executor, jobOf(1, 1_000, 1));
    assert.deepEqual(new Set(asked), new Set([1]));
  });

  it("is measured no further when nobody wants to know any more", async () => {
    const { executor, computed } = engine(400);
    const wanted = new AbortController();
    setTimeout(() => wanted.abort(new Error("enough")), 200);
    await assert.rejects(secondsPerStep(executor, jobOf(64, 1_000), wanted.signal), /enough/);
    assert.equal(computed(), 1);
  });
});
