import assert from "node:assert/strict";
import { test } from "node:test";
import { BadInputError } from "../../../../keepers/src/core/errors.ts";
import { handedSums } from "../../../../keepers/src/training/freivalds/contractions.ts";
import type { StepClaim, Verdict } from "../../../../keepers/src/training/freivalds/types.ts";
import { openVerifier, verifyStep } from "../../../../keepers/src/training/freivalds/verify.ts";
import { changed, contractionOf, type HonestStep, honestStep, seedOf, withMantissa } from "./support.ts";

function refused(verdict: Verdict): Extract<Verdict, { ok: false }> {
  assert.ok(!verdict.ok, "the claim was accepted");
  return verdict;
}

function opened({ program, objectBytes, microBatches }: HonestStep, tensors = false) {
  return openVerifier(program, { objectBytes, microBatches, tensors });
}

for (const bits of [8, 16] as const) {
  for (const [name, microBatch, microBatches] of [
    ["mlp", 8, 2],
    ["residual-cnn", 4, 1],
    ["lenet5", 2, 1],
  ] as const) {
    test(`E${bits} ${name}: an honest step passes, with the reference's tensors and state`, async () => {
      const step = await honestStep(name, bits, microBatch, microBatches);
      const { program, objectBytes, state, input, claim } = step;
      const verdict = await verifyStep({
        ...{ program, objectBytes, stateBefore: state, seed: seedOf(1) },
        ...input,
        ...claim,
      });
      assert.ok(verdict.ok, JSON.stringify(verdict));
      assert.ok(verdict.errorBits >= 60);
      const witness = claim.tensors.at(-1)![program.witness]!;
      assert.deepEqual(verdict.witness, witness);
    });
  }

  for (const name of ["mlp", "residual-cnn", "lenet5"] as const) {
    test(`E${bits} ${name}: one sum off by one is caught in every contraction, and named`, async () => {
      const step = await honestStep(name, bits, name === "lenet5" ? 1 : 4);
      const verifier = await opened(step);
      try {
        for (const [i, { index, node }] of handedSums(step.program).entries()) {
          const { length } = step.claim.accumulators[0]![i]!;
          for (const [at, by] of [
            [0, 1],
            [length - 1, -1],
            [Math.floor(length / 3), 1],
          ] as const) {
            const accumulators = changed(step.claim.accumulators, 0, i, new Map([[at, by]]));
            const claim = { ...step.claim, accumulators };
            const verdict = refused(await verifier.verify(step.state, step.input, claim, seedOf(i)));
            assert.deepEqual(verdict.node, { tape: 0, index, opcode: node.opcode, microBatch: 0 });
          }
        }
      } finally {
        await verifier.close();
      }
    });
  }
}

test("a wrong mantissa or exponent of any node is caught where it stands", async () => {
  const step = await honestStep("residual-cnn", 8, 2);
  const verifier = await opened(step, true);
  const [tensors] = step.claim.tensors;
  try {
    for (const [index, tensor] of tensors!.entries()) {
      const wrong =
        index % 2 === 0
          ? withMantissa(tensor, tensor.mantissas.length - 1, 1)
          : { ...tensor, exponent: tensor.exponent + 1 };
      const claim = { ...step.claim, tensors: [tensors!.with(index, wrong)] };
      const { node, reason } = refused(await verifier.verify(step.state, step.input, claim, seedOf(2)));
      assert.deepEqual([node.tape, node.index, node.microBatch], [0, index, 0]);
      assert.match(reason, index % 2 === 0 ? /mantissa \d+ is/ : /exponent is/);
    }
    const missing = { ...step.claim, tensors: [] };
    assert.match(
      refused(await verifier.verify(step.state, step.input, missing, seedOf(2))).reason,
      /tensor is missing/,
    );
  } finally {
    await verifier.close();
  }
});

test("a wrong gradient is caught at its node, in the micro-batch it belongs to", async () => {
  const step = await honestStep("mlp", 16, 4, 2);
  const { program, objectBytes, state, input, claim } = step;
  const index = program.tapes[0].findLastIndex(({ opcode }) => opcode === "STORE");
  const tensors = claim.tensors.with(
    1,
    claim.tensors[1]!.with(index, withMantissa(claim.tensors[1]![index]!, 3, -1)),
  );
  const { node } = refused(
    await verifyStep({
      ...{ program, objectBytes, stateBefore: state, seed: seedOf(3) },
      ...input,
      ...claim,
      tensors,
    }),
  );
  assert.deepEqual(node, { tape: 0, index, opcode: "STORE", microBatch: 1 });
});

test("a wrong element of any slot of the state after is caught, and the slot's store named", async () => {
  const step = await honestStep("mlp", 8, 4);
  const { program, claim } = step;
  const verifier = await opened(step);
  try {
    for (const [slot, values] of claim.stateAfter.entries()) {
      const wrong = values.slice();
      wrong[wrong.length - 1]! += 1;
      for (const stateAfter of [
        claim.stateAfter.with(slot, wrong),
        claim.stateAfter.with(slot, wrong.subarray(1)),
      ]) {
        const verdict = refused(
          await verifier.verify(step.state, step.input, { ...claim, stateAfter }, seedOf(4)),
        );
        assert.equal(verdict.node.tape, 2);
        const node = program.tapes[2][verdict.node.index]!;
        assert.ok(node.opcode === "STORE" && node.attributes.slot === slot);
        assert.ok(!("microBatch" in verdict.node));
      }
    }
  } finally {
    await verifier.close();
  }
});

test("sums out of range, missing, or no whole numbers are refused before anything is computed", async () => {
  for (const bits of [8, 16] as const) {
    const step = await honestStep("mlp", bits, 4);
    const verifier = await opened(step);
    const [sums] = handedSums(step.program);
    const first = step.claim.accumulators[0]!;
    const values = Float64Array.from(first[0]!);
    const verdictOf = async (accumulators: StepClaim["accumulators"]) =>
      refused(await verifier.verify(step.state, step.input, { ...step.claim, accumulators }, seedOf(5)));
    try {
      for (const [wrong, reason] of [
        [sums!.bound + 1, /outside ±/],
        [-sums!.bound - 1, /outside ±/],
        [Number.NaN, /outside ±/],
        [Number.POSITIVE_INFINITY, /outside ±/],
        [0.5, /no whole number/],
      ] as const) {
        const { node, reason: found } = await verdictOf([[values.with(2, wrong), ...first.slice(1)]]);
        assert.equal(node.index, sums!.index);
        assert.match(found, reason);
      }
      assert.match((await verdictOf([[values.subarray(1), ...first.slice(1)]])).reason, /not \d+/);
      assert.match((await verdictOf([first.slice(0, -1)])).reason, /no sums/);
      assert.match((await verdictOf([])).reason, /no sums/);
      // Whole numbers in a wider array are as good.
      const wide = [[values, ...first.slice(1)]];
      const claim = { ...step.claim, accumulators: wide };
      assert.ok((await verifier.verify(step.state, step.input, claim, seedOf(5))).ok);
    } finally {
      await verifier.close();
    }
  }
});

test("the validator's own input must have its form", async () => {
  const step = await honestStep("mlp", 8, 4);
  const { program, objectBytes, state, input, claim } = step;
  const all = { program, objectBytes, stateBefore: state, seed: seedOf(6), ...input, ...claim };
  await assert.rejects(verifyStep({ ...all, stateBefore: state.slice(1) }), BadInputError);
  await assert.rejects(verifyStep({ ...all, objects: input.objects.subarray(1) }), BadInputError);
  await assert.rejects(verifyStep({ ...all, learningRate: -1 }), BadInputError);
  await assert.rejects(verifyStep({ ...all, errorBits: 65 }), BadInputError);
  await assert.rejects(verifyStep({ ...all, seed: new Uint8Array(31) }), BadInputError);
});

test("a claim of another learning rate, other objects or another state is refused", async () => {
  const step = await honestStep("mlp", 8, 4);
  const { program, objectBytes, state, input, claim } = step;
  const all = { program, objectBytes, stateBefore: state, seed: seedOf(7), ...input, ...claim };
  const byRate = refused(await verifyStep({ ...all, learningRate: input.learningRate + 1 }));
  assert.equal(byRate.node.tape, 2);
  const objects = input.objects.slice();
  objects[0]! ^= 1;
  const { tensors: _, ...sumsAlone } = all;
  const first = contractionOf(program, "MATMUL");
  assert.equal(
    refused(await verifyStep({ ...sumsAlone, objects })).node.index,
    handedSums(program)[first]!.index,
  );
});
