import assert from "node:assert/strict";
import { test } from "node:test";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import { EngineError, ModelTooLargeError } from "../../../../keepers/src/training/executors/errors.ts";
import { estimateMemory } from "../../../../keepers/src/training/executors/memory.ts";
import { nativeEngine, nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import type { Engine } from "../../../../keepers/src/training/executors/ort.ts";
import { ortExecutor } from "../../../../keepers/src/training/executors/ort-executor.ts";
import { referenceExecutor } from "../../../../keepers/src/training/executors/reference.ts";
import { fixture } from "./support.ts";

const { program, objectBytes, state, steps } = fixture("mlp", 8, 4);
const options = { objectBytes, microBatches: 1 };

/** The native engine, whose graphs fail from the given run on. */
function failingFrom(run: number): Engine {
  let runs = 0;
  return {
    ...nativeEngine,
    async load(threads) {
      const { Tensor, InferenceSession } = await nativeEngine.load(threads);
      const create = async (model: Uint8Array, sessionOptions: object) => {
        const session = await InferenceSession.create(model, sessionOptions);
        const compute = session.run.bind(session);
        session.run = async (...parameters: unknown[]) => {
          if (runs++ >= run) throw new Error("out of memory");
          return Reflect.apply(compute, session, parameters);
        };
        return session;
      };
      return { Tensor, InferenceSession: { create } as typeof InferenceSession };
    },
  };
}

for (const executor of [nativeExecutor, referenceExecutor]) {
  test(`${executor.name}: what has not the form it must have is refused, and the state kept`, async () => {
    const session = await executor.open(program, options);
    await assert.rejects(session.run(steps(1, 1)), EngineError);
    await assert.rejects(session.setState(state.slice(1)), BadInputError);
    const long = state.map((values) => new Int32Array(values.length + 1));
    await assert.rejects(session.setState(long), /has \d+ elements/);
    const below = state.map((values) => new Int32Array(values.length).fill(-(2 ** 31)));
    await assert.rejects(session.setState(below), /outside ±\(2\^31 − 1\)/);
    await session.setState(state);
    const [good] = steps(1, 1);
    const { objects, learningRate } = good!;
    const label = objects.slice();
    label[objectBytes - 1] = 5;
    const bad = [
      { objects: label, learningRate },
      { objects: objects.subarray(1), learningRate },
      { objects, learningRate: 2 ** 16 },
      { objects, learningRate: 0.5 },
      { objects, learningRate: -1 },
    ];
    for (const step of bad) await assert.rejects(session.run([good!, step]), BadInputError);
    assert.deepEqual(await session.getState(), state);
    await session.close();
  });

  test(`${executor.name}: the session has its own copy of the state`, async () => {
    const session = await executor.open(program, options);
    const given = state.map((values) => values.slice());
    await session.setState(given);
    given[0]!.fill(1);
    (await session.getState())[0]!.fill(1);
    assert.deepEqual(await session.getState(), state);
    await session.close();
  });

  test(`${executor.name}: a program above the memory limit is refused with the figure`, async () => {
    const { total } = estimateMemory(program, options);
    const objects = steps(1, 1)[0]!.objects;
    const small = { ...options, memoryLimit: total - 1 };
    const tooLarge = (error: unknown) => error instanceof ModelTooLargeError && error.needed === total;
    await assert.rejects(executor.open(program, small), tooLarge);
    await assert.rejects(executor.openTrace(program, small), tooLarge);
    await assert.rejects(executor.predict(program, state, objects, small), tooLarge);
    await (await executor.open(program, { ...options, memoryLimit: total })).close();
  });

  test(`${executor.name}: micro-batches that are no power of two are refused`, async () => {
    for (const microBatches of [0, 3, 1.5, -2, 2 ** 21]) {
      await assert.rejects(executor.open(program, { objectBytes, microBatches }), BadInputError);
    }
  });
}

test("an engine that fails leaves the state as before the call", async () => {
  const session = await ortExecutor(failingFrom(1)).open(program, options);
  await session.setState(state);
  const [first, ...others] = steps(4, 1);
  await session.run([first!]);
  const before = await session.getState();
  assert.notDeepEqual(before, state);
  await assert.rejects(
    session.run(others),
    (error) =>
      error instanceof EngineError && /out of memory/.test(error.message) && error.kept !== undefined,
  );
  assert.deepEqual(await session.getState(), before);
  await session.close();
});

test("two runs at once are refused", async () => {
  const session = await nativeExecutor.open(program, options);
  await session.setState(state);
  const runs = await Promise.allSettled([session.run(steps(2, 1)), session.run(steps(2, 1))]);
  assert.deepEqual(
    runs.map(({ status }) => status),
    ["fulfilled", "rejected"],
  );
  await session.close();
});

test("memory is refused before the engine is loaded, and grows with model and micro-batch", async () => {
  const unloaded: Engine = { ...nativeEngine, load: () => Promise.reject(new Error("no such library")) };
  const executor = ortExecutor(unloaded);
  await assert.rejects(executor.open(program, { ...options, memoryLimit: 1000 }), ModelTooLargeError);
  await assert.rejects(executor.open(program, options), /could not be loaded: no such library/);
  const totals = [program, fixture("mlp", 8, 64).program, fixture("lenet5", 8, 64).program].map(
    (each) => estimateMemory(each, options).total,
  );
  assert.deepEqual(
    totals,
    totals.toSorted((a, b) => a - b),
  );
  // A weight matrix of LeNet-5 alone takes this, in float64.
  assert.ok(totals[2]! > 400 * 120 * 8);
});
