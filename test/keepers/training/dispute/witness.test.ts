import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { evaluateNode } from "../../../../keepers/src/core/exact/ops/evaluate.ts";
import type { TrainingOrder } from "../../../../keepers/src/core/exact/order.ts";
import type { Layout, Program, TapeNode, Tensor } from "../../../../keepers/src/core/exact/tape/types.ts";
import { ComputedStep } from "../../../../keepers/src/training/dispute/computed-step.ts";
import { OpenNode } from "../../../../keepers/src/training/dispute/evidence.ts";
import { secondsOfWitness } from "../../../../keepers/src/training/dispute/witness-time.ts";
import { digitsModel } from "../trainer/fixture.ts";

const [rows, terms, columns] = [512, 1_017, 1_024];
const layout = (...shape: number[]): Layout => ({ dtype: "I8", shape, rowAxes: 1 });
const product: TapeNode = {
  opcode: "MATMUL",
  output: layout(rows, columns),
  inputs: [0, 1],
  attributes: { flags: 0, exponent: 0 },
} as TapeNode;
/** That the slowest machine computes, by which orders are refused. */
const termsPerSecond = 40e6;
const context = { bits: 8, microBatch: rows } as const;

/** Operands whose products all tie at 64 = 2^6, a quarter of the range, and of which the last alone needs their exponent. */
function operands(): Tensor[] {
  const [a, b] = [new Int32Array(rows * terms), new Int32Array(columns * terms)];
  for (const [matrix, count] of [
    [a, rows],
    [b, columns],
  ] as const)
    for (let row = 0; row < count; row++) matrix.fill(1, row * terms, (row + 1) * terms - 1);
  a[a.length - 1] = 4;
  b[b.length - 1] = 1;
  return [
    { layout: layout(rows, terms), exponent: 0, mantissas: a },
    { layout: layout(columns, terms), exponent: 0, mantissas: b },
  ];
}

/** A step that computed this product alone, with how often its node was looked at. */
function step(tensors: readonly Tensor[]) {
  let looks = 0;
  const computed = {
    program: { bits: 8 },
    context,
    places: [],
    tensors,
    operands: () => {
      looks++;
      return [0, 1];
    },
    node: () => product,
  } as unknown as ComputedStep;
  return { computed, looks: () => looks };
}

describe("the element that defends an exponent", { timeout: 60_000 }, () => {
  const inputs = operands();
  const small = inputs.map((tensor, i) => ({
    ...tensor,
    layout: layout(i === 0 ? 2 : 3, terms),
    mantissas: tensor.mantissas.subarray(-(i === 0 ? 2 : 3) * terms),
  }));
  const exponent = 4;
  const mantissas = new Int32Array(rows * columns).fill(64);

  it("is looked for among mantissas that the exact arithmetic gives", () => {
    const node = { ...product, output: layout(2, 3) } as TapeNode;
    const found = evaluateNode({ ...context, microBatch: 2 }, node, small);
    assert.equal(found.exponent, exponent);
    assert.deepEqual([...found.mantissas], Array(6).fill(64));
  });

  it("attack: keeps no other duty waiting where the last of many is the only one, and is looked for once", async () => {
    const { computed, looks } = step([...inputs, { layout: layout(rows, columns), exponent, mantissas }]);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 10);
    const began = performance.now();
    const asked = [0, 1].map(() => new OpenNode(computed, 2, () => []).neediest());
    assert.deepEqual(await Promise.all(asked), [rows * columns - 1, rows * columns - 1]);
    const seconds = (performance.now() - began) / 1_000;
    clearInterval(timer);
    assert.ok(ticks >= 5 * seconds, `${ticks} ticks in ${seconds} s`);
    const once = looks();
    assert.equal(await new OpenNode(computed, 2, () => []).neediest(), rows * columns - 1);
    assert.equal(looks(), once);
    assert.ok(seconds < (rows * columns * terms) / termsPerSecond, `${seconds} s`);
  });

  it("takes no longer than is reckoned with: all terms of the node that has most", () => {
    const { program } = digitsModel();
    const most = secondsOfWitness(program);
    const [inputs, hidden] = [64, 6];
    assert.ok(most >= (program.microBatch * inputs * hidden) / termsPerSecond, `${most} s`);
    assert.ok(most < 1, `${most} s`);
  });

  for (const [opcode, count, dtype] of [
    ["REQUANTIZE", 1, "I32"],
    ["ADD", 5, "I16"],
  ] as const) {
    it(`attack: takes no longer than is reckoned with where elements are many and their sums short: ${opcode}`, async () => {
      const [across, down] = [1_024, 256];
      const of = (type: Layout["dtype"]): Layout => ({ dtype: type, shape: [down, across], rowAxes: 1 });
      const operand: TapeNode = {
        opcode: "INPUT",
        inputs: [],
        output: of(dtype),
        attributes: { offset: 0, encoding: 0, multiply: 1, add: 0, exponent: 0, classes: 0 },
      };
      const inputs = Array.from({ length: count }, (_, i) => i);
      const attributes = opcode === "ADD" ? { flags: 0 } : {};
      const node = { opcode, inputs, output: of("I16"), attributes } as TapeNode;
      const program = {
        ...{ bits: 16, microBatch: 1, state: [], gradients: [], witness: 0, target: 0 },
        tapes: [[...inputs.map(() => operand), node], [], []],
      } as unknown as Program;
      // Every element rounds to the one mantissa that a smaller exponent may round to as well: none needs the exponent.
      const tensors = inputs.map((i): Tensor => {
        const values = dtype === "I32" ? new Int32Array(down * across) : new Int16Array(down * across);
        return {
          layout: of(dtype),
          exponent: 0,
          mantissas: values.fill([65_534, 32_766][dtype === "I32" ? 0 : 1]! * (i < 2 ? 1 : 0)),
        };
      });
      tensors.push({ layout: of("I16"), exponent: 2, mantissas: new Int16Array(down * across).fill(16_384) });
      const order = { microBatches: 1, schedule: { table: [1], every: 1 } } as unknown as TrainingOrder;
      const whole = new ComputedStep({ program, order, step: 0, tensors });
      const began = process.cpuUsage();
      assert.equal(await new OpenNode(whole, count, () => []).neediest(), undefined);
      const seconds = process.cpuUsage(began).user / 1e6;
      assert.ok(seconds < secondsOfWitness(program), `${seconds} s, not ${secondsOfWitness(program)} s`);
    });
  }

  it("is none where the exponent is larger than any needs, which one look shows", async () => {
    const larger = new Int32Array(rows * columns).fill(65);
    const { computed } = step([...inputs, { layout: layout(rows, columns), exponent, mantissas: larger }]);
    assert.equal(await new OpenNode(computed, 2, () => []).neediest(), undefined);
  });
});
