import assert from "node:assert/strict";
import { test } from "node:test";
import { type Opcode, opcodes, type Tensor } from "../../../../keepers/src/core/exact/tape/types.ts";
import { nativeEngine } from "../../../../keepers/src/training/executors/native.ts";
import type { Engine, SessionOptions } from "../../../../keepers/src/training/executors/ort.ts";
import { wasmEngine } from "../../../../keepers/src/training/executors/wasm.ts";
import { type EvaluatedCase, generateCases } from "../../core/exact/cases.ts";
import { runCases } from "./open-support.ts";

const names = Object.keys(opcodes) as Opcode[];
const seed = 31;
/** Cases of every opcode; more can be asked for. */
const count = Number(process.env.ASSAY_CASES ?? 60);
/** Opening a graph takes more than linear time in its nodes. */
const atOnce = 50;

/** Compares bit for bit: −0 is not 0, and the array's type is that of the dtype. */
function assertEqual(found: readonly Tensor[], cases: readonly EvaluatedCase[]): void {
  assert.equal(found.length, cases.length);
  for (const [i, { exponent, mantissas }] of found.entries()) {
    const { expected, ...operationCase } = cases[i]!;
    const context = () => `case ${i}: ${JSON.stringify(operationCase.node)}`;
    assert.equal(exponent, expected.exponent, context());
    assert.deepEqual(mantissas, expected.mantissas, context());
  }
}

async function check(
  engine: Engine,
  cases: readonly EvaluatedCase[],
  options: SessionOptions = {},
): Promise<void> {
  for (let first = 0; first < cases.length; first += atOnce) {
    const some = cases.slice(first, first + atOnce);
    assertEqual(await runCases(engine, some, options), some);
  }
}

for (const opcode of names) {
  test(`${opcode}: the open lowering computes what the reference does`, async () => {
    await check(nativeEngine, generateCases(opcode, seed, count));
  });
}

const few = names.flatMap((opcode) => generateCases(opcode, seed + 1, 4));

for (const optimization of ["all", "basic", "disabled"] as const) {
  test(`all opcodes alike with 2 threads and optimisation ${optimization}`, async () => {
    await check(nativeEngine, few, { optimization, threads: 2 });
  });
}

test("all opcodes alike on WASM", async () => {
  await check(wasmEngine, few);
});
