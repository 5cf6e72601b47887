import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runStep } from "../../../../keepers/src/core/exact/ops/step.ts";
import type { Tensor } from "../../../../keepers/src/core/exact/tape/types.ts";
import { nativeEngine } from "../../../../keepers/src/training/executors/native.ts";
import { ortExecutor } from "../../../../keepers/src/training/executors/ort-executor.ts";
import { traceStep } from "../../../../keepers/src/training/trace/trace-step.ts";
import { fixture } from "../executors/support.ts";

/** The native engine, with the sessions that were opened and closed. */
function countingExecutor() {
  const sessions = { opened: 0, closed: 0 };
  const executor = ortExecutor({
    ...nativeEngine,
    async load(threads) {
      const runtime = await nativeEngine.load(threads);
      const create = async (...args: Parameters<typeof runtime.InferenceSession.create>) => {
        const session = await runtime.InferenceSession.create(...args);
        const release = session.release.bind(session);
        sessions.opened++;
        session.release = async () => {
          sessions.closed++;
          await release();
        };
        return session;
      };
      return { Tensor: runtime.Tensor, InferenceSession: { create } as typeof runtime.InferenceSession };
    },
  });
  return { executor, sessions };
}

const plain = ({ layout, exponent, mantissas }: Tensor) => ({ layout, exponent, mantissas: [...mantissas] });

describe("the trace of a step", () => {
  const microBatches = 16;
  const { program, objectBytes, state, steps } = fixture("mlp", 16, 4);
  const [input] = steps(1, microBatches);
  const options = { objectBytes, microBatches };

  it("attack: opens one session of the engine, however many micro-batches a step has", async () => {
    const { executor, sessions } = countingExecutor();
    const traced = await traceStep({ executor, program, options, state, input: input! });
    assert.equal(traced.microBatches.length, microBatches);
    assert.deepEqual(sessions, { opened: 1, closed: 1 });
  });

  it("is what the definition gives", async () => {
    const { executor } = countingExecutor();
    const traced = await traceStep({ executor, program, options, state, input: input! });
    const expected = runStep({ program, state, ...input!, objectBytes });
    for (const [j, tensors] of traced.microBatches.entries())
      assert.deepEqual(tensors.map(plain), expected.microBatches[j]!.map(plain), `micro-batch ${j}`);
    assert.deepEqual(traced.reduction.map(plain), expected.reduction.map(plain));
    assert.deepEqual(traced.optimizer.map(plain), expected.optimizer.map(plain));
  });
});
