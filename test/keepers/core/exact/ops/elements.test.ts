import assert from "node:assert/strict";
import { test } from "node:test";
import {
  candidatesOf,
  elementOf,
  evaluateNode,
  finishOf,
  partialSum,
  termsOf,
} from "../../../../../keepers/src/core/exact/ops/evaluate.ts";
import { elementCount, readerOf } from "../../../../../keepers/src/core/exact/ops/tensor.ts";
import { flags, type Opcode, opcodes } from "../../../../../keepers/src/core/exact/tape/types.ts";
import { contextOf, generateCases } from "../cases.ts";
import { committedCases } from "../cases-json.ts";

const all = Object.keys(opcodes) as Opcode[];

for (const opcode of all) {
  test(`${opcode}: a verifier who knows one element and the exponents accepts each mantissa and no other`, () => {
    for (const made of generateCases(opcode, 7, 40)) {
      const { node, inputs, bits, expected } = made;
      const readers = inputs.map(readerOf);
      const finish = finishOf(node);
      let largest = 0n;
      let least = 0;
      for (let index = 0; index < elementCount(node.output); index++) {
        const { accumulator, exponent } = elementOf(contextOf(made), node, readers, index);
        const mantissa = BigInt(expected.mantissas[index]!);
        const size = accumulator < 0n ? -accumulator : accumulator;
        if (size > largest) largest = size;
        least = Math.max(0, -512 - exponent);
        const s = expected.exponent - exponent;
        if (finish.kind === "exact") {
          assert.equal(mantissa, accumulator);
          assert.equal(s, 0);
        }
        if (finish.kind === "requantize") {
          assert.ok(s >= least);
          assert.ok(2n * size < (2n ** BigInt(bits) - 1n) * 2n ** BigInt(s), "the exponent is not too small");
          // Half-up: 2·m·2^s − 2^s ≤ 2·A < 2·m·2^s + 2^s.
          const unit = 2n ** BigInt(s);
          const distance = 2n * accumulator - 2n * mantissa * unit;
          assert.ok(s === 0 ? distance === 0n : -unit <= distance && distance < unit);
        }
        if (finish.kind === "fixed") {
          assert.equal(expected.exponent, finish.exponent);
          const limit = 2n ** 31n - 1n;
          if (s <= 0) {
            const exact = accumulator * 2n ** BigInt(Math.min(-s, 62));
            assert.equal(mantissa, exact > limit ? limit : exact < -limit ? -limit : exact);
          } else {
            const unit = 2n ** BigInt(Math.min(s, 62));
            const distance = 2n * accumulator - 2n * mantissa * unit;
            if (mantissa < limit && mantissa > -limit) assert.ok(-unit <= distance && distance < unit);
          }
        }
      }
      if (finish.kind !== "requantize") continue;
      const s = BigInt(expected.exponent) - BigInt(expectedExponent(made));
      if (Number(s) > least)
        assert.ok(2n * largest * 2n >= (2n ** BigInt(bits) - 1n) * 2n ** s, "nor too large");
    }
  });
}

function expectedExponent(made: ReturnType<typeof generateCases>[number]): number {
  return elementOf(contextOf(made), made.node, made.inputs.map(readerOf), 0).exponent;
}

test("partial sums over any ranges add up to the whole sum, and from it the element follows", () => {
  let sums = 0;
  for (const opcode of all) {
    for (const made of generateCases(opcode, 11, 20)) {
      const { node, inputs } = made;
      const readers = inputs.map(readerOf);
      const context = contextOf(made);
      const terms = termsOf(context, node, readers);
      if (terms === 0) continue;
      sums++;
      for (let index = 0; index < elementCount(node.output); index++) {
        for (let candidate = 0; candidate < candidatesOf(node); candidate++) {
          const whole = partialSum(context, node, readers, index, candidate, 0, terms);
          const cut = Math.floor(terms / 3);
          const middle = Math.ceil(terms / 2);
          const parts = [0, cut, middle, terms];
          let total = 0n;
          for (let i = 0; i < 3; i++) {
            total += partialSum(context, node, readers, index, candidate, parts[i]!, parts[i + 1]!);
          }
          assert.equal(total, whole);
          const flagBits = "flags" in node.attributes ? node.attributes.flags : 0;
          const plain = (flagBits & ~flags.fixed) === 0 && candidatesOf(node) === 1;
          const sumAlone = !["AVERAGE_POOL", "AVERAGE_POOL_GRAD", "ACCUMULATE"].includes(opcode);
          if (plain && sumAlone) assert.equal(elementOf(context, node, readers, index).accumulator, whole);
        }
      }
    }
  }
  assert.ok(sums > 150);
});

test("an element reads nothing but what its leaves would hold", () => {
  for (const opcode of ["MATMUL", "CONV", "CONV_INPUT_GRAD", "ROW_SUM"] as const) {
    for (const made of generateCases(opcode, 3, 10)) {
      const readers = made.inputs.map(readerOf);
      const read = made.inputs.map(() => new Set<number>());
      const recording = readers.map((reader, i) => ({
        ...reader,
        at: (index: number) => {
          read[i]!.add(index);
          return reader.at(index);
        },
      }));
      const last = elementCount(made.node.output) - 1;
      const whole = elementOf(contextOf(made), made.node, readers, last);
      elementOf(contextOf(made), made.node, recording, last);
      // With everything else unknown the element is the same.
      const opened = readers.map((reader, i) => ({
        ...reader,
        at: (index: number) => (read[i]!.has(index) ? reader.at(index) : Number.NaN),
      }));
      assert.deepEqual(elementOf(contextOf(made), made.node, opened, last), whole);
      const [first] = read as [Set<number>, ...Set<number>[]];
      assert.ok(first.size <= termsOf(contextOf(made), made.node, readers) * candidatesOf(made.node));
    }
  }
});

test("the committed cases are what the reference gives", () => {
  const cases = committedCases();
  for (const made of cases) {
    const { expected, node, inputs } = made;
    const tensor = evaluateNode(contextOf(made), node, inputs);
    assert.equal(tensor.exponent, expected.exponent);
    assert.deepEqual(Array.from(tensor.mantissas), Array.from(expected.mantissas));
  }
  for (const opcode of all) assert.ok(cases.filter(({ node }) => node.opcode === opcode).length >= 12);
});
