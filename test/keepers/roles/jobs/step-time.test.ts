import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { OpenJob } from "../../../../keepers/src/roles/jobs/job-program.ts";
import { secondsPerStep } from "../../../../keepers/src/roles/jobs/step-time.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import type { Executor } from "../../../../keepers/src/training/executors/types.ts";
import { digits, digitsModel, orderOf } from "../../training/trainer/fixture.ts";

const compiled = digitsModel();

function jobOf(microBatches: number, steps: number): OpenJob {
  const order = orderOf({ microBatch: 8, microBatches, steps });
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
  return { executor, computed };
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

  it("is measured no further when nobody wants to know any more", async () => {
    const { executor, computed } = engine(400);
    const wanted = new AbortController();
    setTimeout(() => wanted.abort(new Error("enough")), 200);
    await assert.rejects(secondsPerStep(executor, jobOf(64, 1_000), wanted.signal), /enough/);
    assert.equal(computed(), 1);
  });
});
