import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { type Opcode, opcodes } from "../../keepers/src/core/exact/tape/types.ts";
import { generateCases } from "../keepers/core/exact/cases.ts";
import { caseToJson } from "../keepers/core/exact/cases-json.ts";
import { goldenRuns, type Roots } from "../keepers/training/golden/runs.ts";
import { hasPython, runPython } from "./python.ts";
import { trainInPython } from "./training.ts";

const skip = !hasPython("numpy");
const casesPerOpcode = 200;

describe("the exact operations in Python", { skip }, () => {
  it("agree with the reference on thousands of generated cases", () => {
    const names = Object.keys(opcodes) as Opcode[];
    const lines = names.flatMap((opcode) => generateCases(opcode, 20_000, casesPerOpcode).map(caseToJson));
    const output = runPython("check_cases.py", [], { input: lines.join("\n") });
    assert.deepEqual(JSON.parse(output.trim().split("\n").at(-1)!), {
      cases: names.length * casesPerOpcode,
      wrong: 0,
    });
  });

  it("would tell a single wrong mantissa", () => {
    const [good] = generateCases("MATMUL", 1, 1);
    const wrong = JSON.parse(caseToJson(good!)) as { expected: { mantissas: number[] } };
    wrong.expected.mantissas[0]! += 1;
    const input = JSON.stringify(wrong);
    assert.throws(() => runPython("check_cases.py", [], { input }), /Command failed/);
  });

  const golden = JSON.parse(
    readFileSync(new URL("../fixtures/exact/golden.json", import.meta.url), "utf8"),
  ) as Record<string, Roots>;

  for (const run of goldenRuns) {
    it(`reach the golden root of ${run.name}`, () => {
      assert.equal(trainInPython(run).final, golden[run.name]!.last);
    });
  }
});
