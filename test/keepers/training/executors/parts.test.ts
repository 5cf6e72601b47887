import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runMicroBatch, runStep } from "../../../../keepers/src/core/exact/ops/step.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { addInto } from "../../../../keepers/src/training/executors/parts.ts";
import { wasmExecutor } from "../../../../keepers/src/training/executors/wasm.ts";
import { type Fixture, fixture, hash, plain } from "./support.ts";

/** A step put together from chunks of `size` micro-batches, next to the definition. */
async function compare(
  engine: typeof nativeExecutor,
  { program, objectBytes, state, steps }: Fixture,
  of: number,
  size: number,
) {
  const [{ objects, learningRate }] = steps(1, of) as [ReturnType<Fixture["steps"]>[number]];
  const sessions = await engine.openSums(program, { objectBytes, microBatches: size });
  const update = await engine.openUpdate(program, { objectBytes, microBatches: of });
  const bytes = size * program.microBatch * objectBytes;
  let sums: Float64Array[] | undefined;
  let witness: unknown;
  for (let at = 0; at < objects.length; at += bytes) {
    const part = await sessions.compute(state, objects.subarray(at, at + bytes));
    witness = plain(part.witness);
    if (sums === undefined) sums = [...part.sums];
    else for (const [slot, sum] of sums.entries()) addInto(sum, part.sums[slot]!);
  }
  const next = await update.next(state, sums!, learningRate);
  await sessions.close();
  await update.close();
  const parameters = { program, state, objects, objectBytes, learningRate };
  const expected = runStep(parameters);
  assert.equal(hash(next), hash(expected.state));
  assert.deepEqual(witness, plain(expected.microBatches.at(-1)![program.witness]!));
  for (const [slot, sum] of sums!.entries()) {
    const stored = Array.from(
      { length: of },
      (_, j) => runMicroBatch(parameters, j).stored.get(slot)!.mantissas,
    );
    for (const [element, value] of sum.entries()) {
      assert.equal(
        BigInt(value),
        stored.reduce((total, values) => total + BigInt(values[element]!), 0n),
      );
    }
  }
}

describe("parts of a step", () => {
  for (const bits of [8, 16] as const) {
    it(`add up to the step of the definition, E${bits}, for every way to cut it`, async () => {
      for (const size of [1, 2, 4]) await compare(nativeExecutor, fixture("mlp", bits, 4), 4, size);
    });
  }

  it("add up for convolutions and pools", async () => {
    await compare(nativeExecutor, fixture("lenet5", 8, 2), 2, 1);
    await compare(nativeExecutor, fixture("residual-cnn", 8, 2), 4, 2);
  });

  it("are the same on another engine", async () => {
    await compare(wasmExecutor, fixture("mlp", 8, 4), 4, 2);
  });
});
