import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { initialState } from "../../keepers/src/core/exact/random/initialize.ts";
import { learningRateAt } from "../../keepers/src/core/exact/schedule.ts";
import { goldenRuns, programOf, schedule, seed, stepsOf } from "../keepers/training/golden/runs.ts";
import { hasPython, runPython } from "./python.ts";
import { trainInPython } from "./training.ts";

const skip = !hasPython("numpy", "torch") || process.arch !== "x64";
const steps = 30;
const lenet = { ...goldenRuns.find(({ name }) => name === "lenet5 E8")!, steps };

/** The same machine under three instruction sets: kernels of BLAS, and of PyTorch's own loops. */
const machines = [
  { OPENBLAS_CORETYPE: "Prescott", ATEN_CPU_CAPABILITY: "default" },
  { OPENBLAS_CORETYPE: "Haswell", ATEN_CPU_CAPABILITY: "avx2" },
  { OPENBLAS_CORETYPE: "Prescott", ATEN_CPU_CAPABILITY: "avx2" },
];

/** Hash of LeNet-5's weights after some steps of PyTorch float32, from the golden run's start and batches. */
function trainFloat32(env: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), "assay-float32-"));
  try {
    const file = (name: string) => join(folder, name);
    const program = programOf(lenet);
    const weights = initialState(program, seed).filter((_, i) => program.state[i]!.role === "weight");
    const inputs = stepsOf(lenet);
    writeFileSync(file("state.bin"), Buffer.concat(weights.map((m) => Buffer.from(m.buffer))));
    writeFileSync(file("training.bin"), Buffer.concat(inputs.map(({ objects }) => objects)));
    const places = Uint32Array.from({ length: steps * lenet.microBatch }, (_, i) => i);
    writeFileSync(file("order.bin"), Buffer.from(places.buffer));
    const run = {
      batch: lenet.microBatch,
      stepsPerEpoch: steps + 1,
      learningRates: inputs.map((_, step) => learningRateAt(schedule, step)),
      momentum: 58_982,
    };
    writeFileSync(file("run.json"), JSON.stringify(run));
    return runPython("../../bench/peers/float32.py", [folder, "--hash", String(steps)], { env }).trim();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe("instruction sets", { skip }, () => {
  it("change the bits of float32 training", () => {
    assert.ok(new Set(machines.map(trainFloat32)).size > 1);
  });

  it("change no bit of exact training (ATTACKS 28)", () => {
    const few = { ...lenet, steps: 3 };
    assert.equal(new Set(machines.map((env) => trainInPython(few, env).final)).size, 1);
  });
});
