import assert from "node:assert/strict";
import { test } from "node:test";
import { partialSum } from "../../../../keepers/src/core/exact/ops/evaluate.ts";
import { readerOf } from "../../../../keepers/src/core/exact/ops/tensor.ts";
import type { Layout, Program, TapeNode } from "../../../../keepers/src/core/exact/tape/types.ts";
import { handedSums, planChecks } from "../../../../keepers/src/training/freivalds/contractions.ts";
import { BoundError } from "../../../../keepers/src/training/freivalds/errors.ts";
import { accumulatorsOf } from "../../../../keepers/src/training/freivalds/provide.ts";
import type { Accumulators } from "../../../../keepers/src/training/freivalds/types.ts";
import { openVerifier } from "../../../../keepers/src/training/freivalds/verify.ts";
import { type EvaluatedCase, generateCases } from "../../core/exact/cases.ts";
import { changed, seedOf } from "./support.ts";

/** A program that contracts two slots of its state, drawn as B-bit tensors, and leaves the state as it is. */
function programOf({ bits, microBatch, node, inputs }: EvaluatedCase): Program {
  const operands = inputs.slice(0, 2).map(({ layout }) => layout);
  const state = operands.map(({ shape, rowAxes }, slot) => ({
    name: `operand ${slot}`,
    role: "weight" as const,
    layout: { dtype: "I32" as const, shape, rowAxes },
    exponent: -28,
    initializer: { kind: "zero" } as const,
  }));
  const load = (slot: number): TapeNode => ({
    opcode: "LOAD",
    inputs: [],
    output: state[slot]!.layout,
    attributes: { space: 0, slot },
  });
  const dtype = bits === 8 ? "I8" : "I16";
  const requantize = (slot: number): TapeNode => ({
    opcode: "REQUANTIZE",
    inputs: [slot],
    output: { ...state[slot]!.layout, dtype },
    attributes: {},
  });
  const flags = { flags: (node.attributes as { flags?: number }).flags ?? 0 };
  const plain = {
    ...node,
    inputs: [2, 3],
    attributes: { ...node.attributes, ...("flags" in node.attributes ? { flags: flags.flags & 12 } : {}) },
  } as TapeNode;
  const stores = [0, 1].map(
    (slot): TapeNode => ({
      opcode: "STORE",
      inputs: [slot],
      output: state[slot]!.layout,
      attributes: { space: 0, slot },
    }),
  );
  return {
    bits,
    microBatch,
    state,
    gradients: [],
    tapes: [[load(0), load(1), requantize(0), requantize(1), plain], [], [load(0), load(1), ...stores]],
    witness: 4,
    target: 4,
    loss: "mean-squared-error",
  };
}

for (const opcode of ["MATMUL", "CONV", "CONV_POOL_INDEX", "CONV_INPUT_GRAD", "CONV_WEIGHT_GRAD"] as const) {
  test(`${opcode}: sums of any shape, stride, padding and groups are the reference's, and checked`, async () => {
    for (const each of generateCases(opcode, 77, 8)) {
      const program = programOf(each);
      const options = { objectBytes: 1, microBatches: 1 };
      const objects = new Uint8Array(program.microBatch);
      const operands = each.inputs.slice(0, 2);
      // The largest mantissa is that of the profile, so REQUANTIZE keeps all of them.
      const most = 2 ** (each.bits - 1) - 1;
      const state = operands.map(({ mantissas }) =>
        Int32Array.from(mantissas, (m, i) => (i === 0 ? most : Math.max(-most, Math.min(most, m)))),
      );
      const accumulators = await accumulatorsOf(program, state, objects, options);
      assert.deepEqual(
        accumulators.map(({ length }) => length),
        [1],
      );
      const sums = accumulators[0]![0];
      const [info] = handedSums(program);
      const readers = state.map((mantissas, i) =>
        readerOf({ layout: operands[i]!.layout, exponent: 0, mantissas }),
      );
      const context = { bits: program.bits, microBatch: program.microBatch };
      const whole = unpooled(program.tapes[0][4]!, info!.shape);
      for (let i = 0; i < sums!.length; i++) {
        const expected = partialSum(context, whole, readers, i, 0, 0, info!.terms);
        assert.equal(BigInt(sums![i]!), expected, `sum ${i} of ${JSON.stringify(each.node)}`);
      }
      for (const errorBits of [60, 12]) {
        const verifier = await openVerifier(program, { ...options, errorBits });
        const input = { objects, learningRate: 0 };
        const verify = (accumulators: Accumulators) =>
          verifier.verify(state, input, { accumulators, stateAfter: state }, seedOf(errorBits));
        const verdict = await verify(accumulators);
        assert.ok(verdict.ok, JSON.stringify(verdict));
        for (const at of new Set([0, Math.floor(sums!.length / 2), sums!.length - 1])) {
          const by = sums![at]! > 0 ? -1 : 1;
          assert.ok(!(await verify(changed(accumulators, 0, 0, new Map([[at, by]])))).ok);
        }
        await verifier.close();
      }
    }
  });
}

/** The node whose elements are the sums before pooling. */
function unpooled(node: TapeNode, shape: readonly number[]): TapeNode {
  if (node.opcode !== "CONV" && node.opcode !== "CONV_POOL_INDEX") return node;
  const output: Layout = { ...node.output, shape };
  return { ...node, opcode: "CONV", output, attributes: { ...node.attributes, pool: 1 } };
}

test("sums that could reach 2^52 are refused before a graph is made", () => {
  const layout = (shape: number[]): Layout => ({ dtype: "I16", shape, rowAxes: 1 });
  const input = (shape: number[]): TapeNode => ({
    opcode: "INPUT",
    inputs: [],
    output: layout(shape),
    attributes: { offset: 0, encoding: 2, multiply: 1, add: 0, exponent: 0, classes: 0 },
  });
  const product: TapeNode = {
    opcode: "MATMUL",
    inputs: [0, 1],
    output: layout([4, 4]),
    attributes: { flags: 0, exponent: 0 },
  };
  const tape = (terms: number) => [input([4, terms]), input([4, terms]), product];
  const program = (terms: number): Program => ({
    ...{ bits: 16, microBatch: 4, state: [], gradients: [], witness: 2, target: 2 },
    loss: "mean-squared-error",
    tapes: [tape(terms), [], []],
  });
  assert.throws(() => planChecks(program(2 ** 22), 60), BoundError);
  assert.throws(() => handedSums(program(2 ** 22)), /node 2 \(MATMUL\)/);
  assert.equal(planChecks(program(2 ** 21), 60).length, 1);
});
