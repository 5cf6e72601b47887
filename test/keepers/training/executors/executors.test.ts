import assert from "node:assert/strict";
import { test } from "node:test";
import { runMicroBatch } from "../../../../keepers/src/core/exact/ops/step.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { referenceExecutor } from "../../../../keepers/src/training/executors/reference.ts";
import type { Executor, ExecutorOptions } from "../../../../keepers/src/training/executors/types.ts";
import { wasmExecutor } from "../../../../keepers/src/training/executors/wasm.ts";
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
      let current = state;
      for (const step of steps(name === "lenet5" ? 1 : 2, 1)) {
        const { objects, learningRate } = step;
        const expected = runMicroBatch(
          { program, state: current, objects, objectBytes, learningRate },
          0,
        ).tensors;
        const found = await nativeExecutor.trace(program, current, objects, options);
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
