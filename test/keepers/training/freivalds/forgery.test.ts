import assert from "node:assert/strict";
import { test } from "node:test";
import { drawVectors } from "../../../../keepers/src/core/exact/freivalds/vectors.ts";
import { planChecks } from "../../../../keepers/src/training/freivalds/contractions.ts";
import { openVerifier } from "../../../../keepers/src/training/freivalds/verify.ts";
import { changed, contractionOf, honestStep, seedOf } from "./support.ts";

/** Four entries with the same sum as four others: a change of ±1 that a known vector does not see. */
function orthogonal(entries: Float64Array): Map<number, number> {
  const seen = new Map<number, readonly number[]>();
  for (let a = 0; a < entries.length; a++) {
    for (let b = a + 1; b < entries.length; b++) {
      for (let c = b + 1; c < entries.length; c++) {
        for (let d = c + 1; d < entries.length; d++) {
          const set = [a, b, c, d];
          const sum = set.reduce((total, i) => total + entries[i]!, 0);
          const other = seen.get(sum);
          if (other?.every((i) => !set.includes(i))) {
            return new Map([...set.map((i) => [i, 1] as const), ...other.map((i) => [i, -1] as const)]);
          }
          seen.set(sum, set);
        }
      }
    }
  }
  throw new Error("no four entries have the sum of four others");
}

test("sums forged to fit known vectors pass those, and no fresh ones", async () => {
  const step = await honestStep("mlp", 8, 64);
  const { program, objectBytes, state, input, claim } = step;
  const microBatches = 1;
  // One vector for each node: an error of 2^−20 is asked for.
  const errorBits = 20;
  const checks = planChecks(program, errorBits);
  const at = contractionOf(program, "MATMUL");
  const { sums, side, plan } = checks[at]!;
  assert.equal(plan.vectors, 1);
  assert.deepEqual([side.axis, plan.length], ["first", 64]);
  const known = seedOf(8);
  const [row] = [sums.shape[1]!];
  const relation = orthogonal(drawVectors(known, sums.index, plan));
  const changes = new Map([...relation].map(([i, by]) => [i * row!, by]));
  const forged = { ...claim, accumulators: changed(claim.accumulators, 0, at, changes) };
  const verifier = await openVerifier(program, { objectBytes, microBatches, errorBits });
  try {
    const deceived = await verifier.verify(state, input, forged, known);
    assert.ok(deceived.ok || deceived.node.index !== sums.index, "the known vector sees the forgery");
    for (let fresh = 100; fresh < 120; fresh++) {
      const verdict = await verifier.verify(state, input, forged, seedOf(fresh));
      assert.ok(!verdict.ok);
      assert.deepEqual([verdict.node.tape, verdict.node.index], [0, sums.index]);
    }
  } finally {
    await verifier.close();
  }
});
