import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { stateRoot } from "../../../../keepers/src/core/exact/commitment.ts";
import { initialState } from "../../../../keepers/src/core/exact/random/initialize.ts";
import { nativeEngine, nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { openPlan } from "../../../../keepers/src/training/executors/open-plan.ts";
import { referenceExecutor } from "../../../../keepers/src/training/executors/reference.ts";
import type { Executor } from "../../../../keepers/src/training/executors/types.ts";
import { wasmExecutor } from "../../../../keepers/src/training/executors/wasm.ts";
import {
  type GoldenRun,
  goldenRuns,
  objectBytes,
  programOf,
  type Roots,
  seed,
  stepsOf,
  train,
} from "./runs.ts";

const golden = JSON.parse(
  readFileSync(new URL("../../../fixtures/exact/golden.json", import.meta.url), "utf8"),
) as Record<string, Roots>;

/** The tape node by node in float64, whatever the profile: other carriers than those of the fast graph. */
async function trainOpen(run: GoldenRun): Promise<string> {
  const program = programOf(run);
  const options = { objectBytes: objectBytes(run), microBatches: run.microBatches };
  const plan = await openPlan(nativeEngine, program, options);
  try {
    const { state } = await plan.run(plan.start(initialState(program, seed)), stepsOf(run));
    return `0x${Buffer.from(stateRoot(program, plan.read(state))).toString("hex")}`;
  } finally {
    await plan.close();
  }
}

const pick = (...names: string[]) => goldenRuns.filter(({ name }) => names.includes(name));

describe("golden roots after 100 steps (ATTACKS 28)", () => {
  it("are committed for every built-in model in both profiles", () => {
    assert.deepEqual(
      Object.keys(golden),
      goldenRuns.map(({ name }) => name),
    );
    assert.equal(
      new Set(Object.values(golden).flatMap(({ first, last }) => [first, last])).size,
      2 * goldenRuns.length,
    );
  });

  for (const run of goldenRuns) {
    it(`${run.name}: native, one thread`, async () => {
      assert.deepEqual(await train(nativeExecutor, run), golden[run.name]);
    });
  }

  for (const run of pick("lenet5 E8", "lenet5 E16", "residual-cnn E8", "mlp E16")) {
    it(`${run.name}: two threads`, async () => {
      assert.deepEqual(await train(nativeExecutor, run, { threads: 2 }), golden[run.name]);
    });
    for (const optimization of ["basic", "disabled"] as const) {
      it(`${run.name}: graph optimisation ${optimization}`, async () => {
        assert.deepEqual(await train(nativeExecutor, run, { optimization }), golden[run.name]);
      });
    }
    it(`${run.name}: WebAssembly`, async () => {
      assert.deepEqual(await train(wasmExecutor, run), golden[run.name]);
    });
    it(`${run.name}: taken out and put back at steps 13 and 50`, async () => {
      assert.deepEqual(await train(nativeExecutor, run, { pauses: [13, 50] }), golden[run.name]);
    });
  }

  for (const run of pick("mlp E8", "residual-cnn E8", "mlp E8, 4 micro-batches")) {
    it(`${run.name}: float64 carriers, node by node`, async () => {
      assert.equal(await trainOpen(run), golden[run.name]!.last);
    });
  }

  const short: Executor[] = [nativeExecutor, referenceExecutor];
  for (const run of pick("softmax-regression E16", "mlp E8")) {
    it(`${run.name}: the bigint definition`, async () => {
      const few = { ...run, steps: 3 };
      const [fast, defined] = await Promise.all(short.map((executor) => train(executor, few)));
      assert.equal(fast!.first, golden[run.name]!.first);
      assert.deepEqual(defined, fast);
    });
  }
});
