import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { stateRoot } from "../../keepers/src/core/exact/commitment.ts";
import { initialState } from "../../keepers/src/core/exact/random/initialize.ts";
import { learningRateAt } from "../../keepers/src/core/exact/schedule.ts";
import { programToJson } from "../../keepers/src/core/exact/tape/program.json.ts";
import { type Opcode, opcodes } from "../../keepers/src/core/exact/tape/types.ts";
import { generateCases } from "../keepers/core/exact/cases.ts";
import { caseToJson } from "../keepers/core/exact/cases-json.ts";
import {
  goldenRuns,
  objectBytes,
  programOf,
  type Roots,
  schedule,
  seed,
  stepsOf,
} from "../keepers/training/golden/runs.ts";
import { hasPython, runPython } from "./python.ts";

const skip = !hasPython();
const casesPerOpcode = 200;

describe("the exact operations in Python", { skip }, () => {
  it("agree with the reference on thousands of generated cases", () => {
    const names = Object.keys(opcodes) as Opcode[];
    const lines = names.flatMap((opcode) => generateCases(opcode, 20_000, casesPerOpcode).map(caseToJson));
    const output = runPython("check_cases.py", [], lines.join("\n"));
    assert.deepEqual(JSON.parse(output.trim().split("\n").at(-1)!), {
      cases: names.length * casesPerOpcode,
      wrong: 0,
    });
  });

  it("would tell a single wrong mantissa", () => {
    const [good] = generateCases("MATMUL", 1, 1);
    const wrong = JSON.parse(caseToJson(good!)) as { expected: { mantissas: number[] } };
    wrong.expected.mantissas[0]! += 1;
    assert.throws(() => runPython("check_cases.py", [], JSON.stringify(wrong)), /Command failed/);
  });

  const golden = JSON.parse(
    readFileSync(new URL("../fixtures/exact/golden.json", import.meta.url), "utf8"),
  ) as Record<string, Roots>;

  for (const run of goldenRuns) {
    it(`reach the golden root of ${run.name}`, () => {
      const program = programOf(run);
      const folder = mkdtempSync(join(tmpdir(), "assay-python-"));
      try {
        const steps = stepsOf(run);
        const file = (name: string) => join(folder, name);
        const state = initialState(program, seed);
        writeFileSync(
          file("state.bin"),
          Buffer.concat(state.map((m) => Buffer.from(m.buffer, m.byteOffset, m.byteLength))),
        );
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
        runPython("train.py", [folder]);
        const bytes = Uint8Array.from(readFileSync(file("final.bin"))).buffer;
        const starts = state.map((_, slot) =>
          state.slice(0, slot).reduce((sum, { length }) => sum + 4 * length, 0),
        );
        const final = state.map(({ length }, slot) => new Int32Array(bytes, starts[slot]!, length));
        assert.equal(`0x${Buffer.from(stateRoot(program, final)).toString("hex")}`, golden[run.name]!.last);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });
  }
});
