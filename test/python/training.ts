import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stateRoot } from "../../keepers/src/core/exact/commitment.ts";
import { initialState } from "../../keepers/src/core/exact/random/initialize.ts";
import { learningRateAt } from "../../keepers/src/core/exact/schedule.ts";
import { programToJson } from "../../keepers/src/core/exact/tape/program.json.ts";
import {
  type GoldenRun,
  objectBytes,
  programOf,
  schedule,
  seed,
  stepsOf,
} from "../keepers/training/golden/runs.ts";
import { runPython } from "./python.ts";

/** Trains a golden run with `train.py`; the root of the state that it ends with, in hexadecimal. */
export function trainInPython(run: GoldenRun, env: Record<string, string> = {}): { final: string } {
  const program = programOf(run);
  const folder = mkdtempSync(join(tmpdir(), "assay-python-"));
  try {
    const steps = stepsOf(run);
    const file = (name: string) => join(folder, name);
    const state = initialState(program, seed);
    writeFileSync(file("state.bin"), Buffer.concat(state.map((m) => Buffer.from(m.buffer))));
    writeFileSync(file("objects.bin"), Buffer.concat(steps.map(({ objects }) => objects)));
    writeFileSync(
      file("run.json"),
      JSON.stringify({
        program: programToJson(program),
        objectBytes: objectBytes(run),
        learningRates: steps.map((_, step) => learningRateAt(schedule, step)),
        microBatches: run.microBatches,
      }),
    );
    runPython("train.py", [folder], { env });
    const bytes = Uint8Array.from(readFileSync(file("final.bin"))).buffer;
    const starts = state.map((_, slot) =>
      state.slice(0, slot).reduce((sum, { length }) => sum + 4 * length, 0),
    );
    const final = state.map(({ length }, slot) => new Int32Array(bytes, starts[slot]!, length));
    return { final: `0x${Buffer.from(stateRoot(program, final)).toString("hex")}` };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
