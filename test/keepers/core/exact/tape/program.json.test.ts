import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BadInputError } from "../../../../../keepers/src/core/errors.ts";
import { programRoot } from "../../../../../keepers/src/core/exact/tape/descriptor.ts";
import { programFromJson, programToJson } from "../../../../../keepers/src/core/exact/tape/program.json.ts";
import { recordedRefusals } from "../../refusals.ts";
import { sampleProgram } from "../sample-program.ts";

const throws = recordedRefusals("exact/tape/program.json");

type Path = readonly (string | number)[];

/** The sample as JSON with one value replaced, or left out. */
function changed(path: Path, value: unknown): unknown {
  const json: unknown = JSON.parse(JSON.stringify(programToJson(sampleProgram)));
  let at = json as Record<string | number, unknown>;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string | number, unknown>;
  if (value === undefined) delete at[path.at(-1)!];
  else at[path.at(-1)!] = value;
  return json;
}

describe("program as JSON", () => {
  it("comes back whole from its text", () => {
    const restored = programFromJson(JSON.parse(JSON.stringify(programToJson(sampleProgram))));
    assert.deepEqual(restored, sampleProgram);
    assert.deepEqual(programRoot(restored), programRoot(sampleProgram));
  });

  it("writes given mantissas as big-endian int32", () => {
    assert.deepEqual(programToJson(sampleProgram).state[1]!.initializer, {
      kind: "given",
      mantissas: "0x7fffffff80000001fffffff9",
    });
  });

  it("takes a tensor of a million given weights", () => {
    const mantissas = Int32Array.from({ length: 1_000_000 }, (_, i) => i - 500_000);
    const layout = { dtype: "I32", shape: [mantissas.length], rowAxes: 1 } as const;
    const slot = { ...sampleProgram.state[1]!, layout, initializer: { kind: "given", mantissas } } as const;
    const program = { ...sampleProgram, state: [slot] };
    assert.deepEqual(programFromJson(programToJson(program)).state[0], slot);
  });

  it("refuses every field that is wrong, and names it", () => {
    const node = ["tapes", 0, 5] as const;
    const wrong: [Path, unknown, RegExp][] = [
      [["format"], "assay/program/v2", /format/],
      [["extra"], 1, /extra/],
      [["bits"], 12, /bits/],
      [["microBatch"], 3, /microBatch/],
      [["microBatch"], 0, /microBatch/],
      [["loss"], "hinge", /loss/],
      [["witness"], -1, /witness/],
      [["target"], undefined, /target/],
      [["tapes"], [[], []], /tapes/],
      [[...node, "opcode"], "SORT", /tapes\[0\]\[5\]\.opcode/],
      [[...node, "inputs"], [0, 1, 2, 3, 4, 5], /inputs/],
      [[...node, "inputs"], [0.5], /inputs/],
      [[...node, "output", "dtype"], "F32", /dtype/],
      [[...node, "output", "shape"], [], /shape/],
      [[...node, "output", "shape"], [1, 1, 1, 1, 1], /shape/],
      [[...node, "output", "shape"], [65536, 65536], /too many elements/],
      [[...node, "output", "rowAxes"], 3, /more axes/],
      [[...node, "attributes", "exponent"], undefined, /needs the attribute exponent/],
      [[...node, "attributes", "exponent"], 2 ** 31, /exponent/],
      [[...node, "attributes", "exponent"], 0.5, /exponent/],
      [[...node, "attributes", "stride"], 1, /no attribute stride/],
      [["state", 0, "initializer"], { kind: "uniform", fanIn: 0 }, /fanIn/],
      [["state", 0, "initializer"], { kind: "normal" }, /initializer/],
      [["state", 0, "role"], "bias", /role/],
      [["state", 0, "name"], "n".repeat(257), /name/],
      [["state", 1, "initializer", "mantissas"], "0x7fffffff", /state\[1\] has 3 elements, but 1/],
      [["state", 1, "initializer", "mantissas"], "0x7fffff", /mantissas/],
      [["state", 1, "initializer", "mantissas"], `0x${"0g".repeat(12)}`, /mantissas/],
      [["state", 1, "initializer", "mantissas"], `0x80000000${"00".repeat(8)}`, /-2\^31/],
    ];
    for (const [path, value, message] of wrong) {
      const json = changed(path, value);
      throws(() => programFromJson(json), message, path.join("."));
      throws(() => programFromJson(json), BadInputError);
    }
    for (const value of [null, 7, "program", [], {}]) throws(() => programFromJson(value), BadInputError);
  });
});
