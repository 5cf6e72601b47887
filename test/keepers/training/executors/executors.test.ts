import assert from "node:assert/strict";
import { test } from "node:test";
import { runMicroBatch } from "../../../../keepers/src/core/exact/ops/step.ts";
import type { Program } from "../../../../keepers/src/core/exact/tape/types.ts";
import { nativeEngine, nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { openPlan } from "../../../../keepers/src/training/executors/open-plan.ts";
import { referenceExecutor } from "../../../../keepers/src/training/executors/reference.ts";
import type { Executor, ExecutorOptions } from "../../../../keepers/src/training/executors/types.ts";
import { wasmExecutor } from "../../../../keepers/src/training/executors/wasm.ts";
import { NoFastRule } from "../../../../keepers/src/training/lowering/fast/errors.ts";
import { lowerFast } from "../../../../keepers/src/training/lowering/fast/lower-fast.ts";
import { type Fixture, fixture, hash, plain } from "./support.ts";

/** Hash of state and witnesses after training; the state goes through JavaScript after the first half. */
async function trained(
  executor: Executor,
  { program, objectBytes, state, steps }: Fixture,
  options: Partial<ExecutorOptions> = {},
  count = 4,
): Promise<string> {
  const microBatches = options.microBatches ?? 1;
  const session = await executor.open(program, { objectBytes, ...options, microBatches });
  try {
    await session.setState(state);
    const inputs = steps(count, microBatches);
    const first = await session.run(inputs.slice(0, count / 2));
    await session.setState(await session.getState());
    const second = await session.run(inputs.slice(count / 2));
    const witnesses = [...first, ...second].map(({ witness }) => witness);
    return hash([
      ...(await session.getState()),
      Int32Array.from(witnesses, ({ exponent }) => exponent),
      ...witnesses.map(({ mantissas }) => mantissas),
    ]);
  } finally {
    await session.close();
  }
}

for (const bits of [8, 16] as const) {
  for (const name of ["softmax-regression", "mlp", "residual-cnn", "lenet5"] as const) {
    test(`E${bits} ${name}: every tensor of the open graph is the reference's, over steps`, async () => {
      const { program, objectBytes, state, steps } = fixture(name, bits, name === "lenet5" ? 1 : 4);
      const options = { objectBytes, microBatches: 1 };
      const native = await nativeExecutor.open(program, options);
      const tracing = await nativeExecutor.openTrace(program, options);
      let current = state;
      for (const step of steps(name === "lenet5" ? 1 : 2, 1)) {
        const { objects, learningRate } = step;
        const expected = runMicroBatch(
          { program, state: current, objects, objectBytes, learningRate },
          0,
        ).tensors;
        const found = await tracing.trace(current, objects);
        assert.equal(found.length, expected.length);
        for (const [node, tensor] of found.entries()) {
          const { opcode } = program.tapes[0][node]!;
          assert.deepEqual(plain(tensor), plain(expected[node]!), `node ${node}, ${opcode}`);
        }
        const witness = await nativeExecutor.predict(program, current, objects, options);
        assert.deepEqual(plain(witness), plain(expected[program.witness]!));
        await native.setState(current);
        await native.run([step]);
        current = await native.getState();
      }
      await native.close();
      await tracing.close();
    });
  }

  for (const name of ["mlp", "residual-cnn"] as const) {
    test(`E${bits} ${name}: native, WASM and reference end in one state`, async () => {
      const model = fixture(name, bits, name === "mlp" ? 8 : 2);
      const hashes = new Map<string, string>();
      for (const executor of [referenceExecutor, nativeExecutor, wasmExecutor]) {
        for (const microBatches of [1, 2]) {
          const found = await trained(executor, model, { microBatches }, 2);
          const expected = hashes.get(`${microBatches}`) ?? found;
          hashes.set(`${microBatches}`, expected);
          assert.equal(found, expected, `${executor.name}, ${microBatches} micro-batches`);
        }
      }
      assert.equal(new Set(hashes.values()).size, 2);
    });
  }
}

for (const microBatches of [1, 2]) {
  test(`the open graphs alone train as the fast one does, ${microBatches} micro-batches`, async () => {
    const { program, objectBytes, state, steps } = fixture("residual-cnn", 8, 4);
    const options = { objectBytes, microBatches };
    const inputs = steps(3, microBatches);
    const session = await nativeExecutor.open(program, options);
    await session.setState(state);
    const outputs = await session.run(inputs);
    const open = await openPlan(nativeEngine, program, options);
    const result = await open.run(open.start(state), inputs);
    assert.deepEqual(open.read(result.state), await session.getState());
    assert.deepEqual(
      result.outputs.map(({ witness }) => plain(witness)),
      outputs.map(({ witness }) => plain(witness)),
    );
    await session.close();
    await open.close();
  });
}

test("a program that the fast lowering does not cover is trained by the open graphs", async () => {
  const { program, objectBytes, state, steps } = fixture("mlp", 8, 4);
  // The first momentum's update is computed twice, which no fast rule knows.
  const [tape, reduction, optimizer] = program.tapes;
  const twice = optimizer.findIndex(({ opcode }) => opcode === "SGD_MOMENTUM");
  const last = optimizer.length;
  const changed = optimizer.map((node, i) =>
    node.opcode === "STORE" && node.inputs[0] === twice && i > twice ? { ...node, inputs: [last] } : node,
  );
  const stores = changed.filter(({ opcode }) => opcode === "STORE");
  const others = optimizer.map((node) => (node.opcode === "STORE" ? optimizer[twice]! : node));
  const odd: Program = { ...program, tapes: [tape, reduction, [...others, optimizer[twice]!, ...stores]] };
  assert.throws(() => lowerFast(odd, { objectBytes, microBatches: 1, steps: 1 }), NoFastRule);
  const states: Int32Array[][] = [];
  for (const each of [program, odd]) {
    const session = await nativeExecutor.open(each, { objectBytes, microBatches: 1 });
    await session.setState(state);
    await session.run(steps(2, 1));
    states.push(await session.getState());
    await session.close();
  }
  assert.deepEqual(states[1], states[0]);
});

test("LeNet-5 ends in one state with 1 and 2 threads and every optimisation", async () => {
  const model = fixture("lenet5", 8, 8);
  const hashes = new Set([await trained(wasmExecutor, model)]);
  for (const threads of [1, 2]) {
    for (const optimization of ["all", "basic", "disabled"] as const) {
      hashes.add(await trained(nativeExecutor, model, { threads, optimization }));
    }
  }
  assert.equal(hashes.size, 1);
});
