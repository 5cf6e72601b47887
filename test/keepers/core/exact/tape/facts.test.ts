import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { openingBytes } from "../../../../../keepers/src/core/exact/tape/bounds.ts";
import { tapeFacts } from "../../../../../keepers/src/core/exact/tape/facts.ts";
import type { Program } from "../../../../../keepers/src/core/exact/tape/types.ts";
import { opcodes } from "../../../../../keepers/src/core/exact/tape/types.ts";
import { validateProgram } from "../../../../../keepers/src/core/exact/tape/validate.ts";
import { everyOpcode } from "../every-opcode.ts";

const file = join(import.meta.dirname, "facts.json");

/** What is known of every node before it runs, and the bytes that open one of its elements. */
function factsOf(program: Program): string[] {
  return program.tapes.flatMap((nodes, tape) =>
    tapeFacts(program, nodes).map(({ range, exponents, accumulatorExponents, bound }, node) =>
      [
        `${tape}.${node} ${nodes[node]!.opcode}: ${range.min} to ${range.max}`,
        `exponents ${exponents.join(" to ")}, of sums ${accumulatorExponents.join(" to ")}`,
        `sums to ${bound}`,
        `${openingBytes(program, tape, node)} bytes`,
      ].join("; "),
    ),
  );
}

describe("what is known of a program before it runs", () => {
  // ASSAY_RECORD_FACTS=1 writes the file: look at the difference before it is committed.
  it("is what it was, for every opcode and in both profiles", () => {
    const programs = ([8, 16] as const).map((bits) => everyOpcode(bits));
    for (const program of programs) validateProgram(program);
    const seen = new Set(programs[0]!.tapes.flat().map(({ opcode }) => opcode));
    assert.deepEqual([...seen].sort(), Object.keys(opcodes).sort());
    const found = { E8: factsOf(programs[0]!), E16: factsOf(programs[1]!) };
    if (process.env.ASSAY_RECORD_FACTS !== undefined)
      writeFileSync(file, `${JSON.stringify(found, null, 2)}\n`);
    assert.deepEqual(found, JSON.parse(readFileSync(file, "utf8")));
  });
});
