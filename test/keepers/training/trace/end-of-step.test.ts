import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runTape, stateTensors } from "../../../../keepers/src/core/exact/ops/step.ts";
import { elementCount, newMantissas, readerOf } from "../../../../keepers/src/core/exact/ops/tensor.ts";
import { type Program, spaces, type Tensor } from "../../../../keepers/src/core/exact/tape/types.ts";
import { endOfStep, GradientSums } from "../../../../keepers/src/training/trace/end-of-step.ts";
import { storeNode } from "../../../../keepers/src/training/trace/trace-step.ts";
import { fixture } from "../executors/support.ts";

const { program, state: first } = fixture("mlp", 16, 4);
const most = 2 ** 31 - 1;
const plain = ({ layout, exponent, mantissas }: Tensor) => ({ layout, exponent, mantissas: [...mantissas] });

/** Integers of ±(2^31 − 1), the ends and what is beside zero among them, the same every time. */
function numbers(seed: number): () => number {
  const special = [0, 1, -1, most, -most, 2 ** 16, -(2 ** 16)];
  let x = seed;
  return () => {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0;
    const value = x % 5 === 0 ? special[(x >>> 8) % special.length]! : (x | 0) >> ((x >>> 3) % 31);
    return Math.max(-most, value);
  };
}

/** Tensors of tape 0 of which only the stored gradients hold something. */
function gradientsOf({ tapes, gradients }: Program, next: () => number): Tensor[] {
  const tensors: Tensor[] = [];
  for (const [slot, layout] of gradients.entries()) {
    const mantissas = newMantissas(layout).map(next) as Tensor["mantissas"];
    tensors[storeNode(tapes[0], spaces.microBatchGradient, slot)] = { layout, exponent: -26, mantissas };
  }
  return tensors;
}

describe("the end of a step", () => {
  for (const [microBatches, factors] of [
    [
      1,
      { momentum: 58_982, momentumShift: 16, weightDecay: 33, weightDecayShift: 16, learningRateShift: 16 },
    ],
    [
      8,
      { momentum: 65_535, momentumShift: 0, weightDecay: 65_535, weightDecayShift: 0, learningRateShift: 0 },
    ],
    [64, { momentum: 1, momentumShift: 32, weightDecay: 3, weightDecayShift: 32, learningRateShift: 32 }],
  ] as const) {
    it(`is what the definition gives, up to its ends: ${microBatches} micro-batches`, async () => {
      const { learningRateShift, ...rest } = factors;
      const optimizer = program.tapes[2].map((node) => {
        if (node.opcode === "SGD_MOMENTUM") return { ...node, attributes: { ...rest } };
        return node.opcode === "SGD_WEIGHT" ? { ...node, attributes: { learningRateShift } } : node;
      });
      const changed = { ...program, tapes: [program.tapes[0], program.tapes[1], optimizer] } as Program;
      const next = numbers(microBatches);
      const state = first.map((values) => values.map(next));
      const traced = Array.from({ length: microBatches }, () => gradientsOf(changed, next));
      const gradients = new GradientSums(changed);
      for (const tensors of traced) gradients.add(tensors);
      const learningRate = 65_535;
      const found = await endOfStep({ program: changed, state, gradients, microBatches, learningRate });
      const { bits, microBatch, tapes } = changed;
      const stored = (slot: number) => storeNode(tapes[0], spaces.microBatchGradient, slot);
      const reduction = runTape(
        { bits, microBatch, gradients: (slot) => traced.map((tensors) => readerOf(tensors[stored(slot)]!)) },
        tapes[1],
      );
      const slots = stateTensors(changed, state);
      const slot = (space: number, at: number) =>
        readerOf(space === spaces.state ? slots[at]! : reduction.stored.get(at)!);
      const expected = runTape({ bits, microBatch, slot, learningRate }, tapes[2]);
      assert.deepEqual(found.reduction.map(plain), reduction.tensors.map(plain));
      assert.deepEqual(found.optimizer.map(plain), expected.tensors.map(plain));
      assert.equal(found.optimizer.length, tapes[2].length);
      assert.ok(elementCount(changed.gradients[0]!) > 100);
    });
  }

  it("attack: of many weights takes a fraction of what a move may take, and shares what it only copies", async () => {
    const shape = [1_000, 1_000];
    const wide = { dtype: "I32", shape, rowAxes: 1 } as const;
    const [load, velocity, kept] = program.tapes[2];
    const layouts = program.tapes[2].slice(0, 7).map((node) => ({ ...node, output: wide }));
    assert.deepEqual([load!.opcode, velocity!.opcode, kept!.opcode], ["LOAD", "LOAD", "LOAD"]);
    const slots = [program.state[0]!, program.state[program.gradients.length]!];
    const renamed = layouts.map((node) => {
      const { attributes } = node as { attributes: { slot?: number; space?: number } };
      const isMomentum = attributes.space === spaces.state && attributes.slot! >= program.gradients.length;
      return isMomentum ? { ...node, attributes: { ...attributes, slot: 1 } } : node;
    });
    const large = {
      ...program,
      gradients: [wide],
      state: slots.map((slot) => ({ ...slot, layout: wide })),
      tapes: [
        program.tapes[0],
        program.tapes[1].slice(0, 2).map((node) => ({ ...node, output: wide })),
        renamed,
      ],
    } as unknown as Program;
    const next = numbers(3);
    const state = [0, 1].map(() => new Int32Array(1_000_000).map(next));
    const gradients = new GradientSums(large);
    const began = performance.now();
    const found = await endOfStep({ program: large, state, gradients, microBatches: 1, learningRate: 3_000 });
    const seconds = (performance.now() - began) / 1_000;
    assert.ok(seconds < 2, `${seconds} s for a million weights`);
    assert.equal(found.optimizer[2]!.mantissas, state[0]);
    assert.equal(found.optimizer[6]!.mantissas, found.optimizer[5]!.mantissas);
  });
});
