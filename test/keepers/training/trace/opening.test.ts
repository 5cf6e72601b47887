import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { bytesToHex, type Hex } from "viem";
import { runStep } from "../../../../keepers/src/core/exact/ops/step.ts";
import { initialState } from "../../../../keepers/src/core/exact/random/initialize.ts";
import { programRoot } from "../../../../keepers/src/core/exact/tape/descriptor.ts";
import type { MantissaBits, Program, Tensor } from "../../../../keepers/src/core/exact/tape/types.ts";
import { compile } from "../../../../keepers/src/training/compiler/compile.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { residualCnn } from "../../../../keepers/src/training/models/residual-cnn.ts";
import type { Claimant } from "../../../../keepers/src/training/trace/claimant.ts";
import { stateRootOf } from "../../../../keepers/src/training/trace/commitments.ts";
import { findDifference } from "../../../../keepers/src/training/trace/find.ts";
import { judgeOpening } from "../../../../keepers/src/training/trace/judge.ts";
import { type ElementOpening, openElement } from "../../../../keepers/src/training/trace/opening.ts";
import {
  nodeAt,
  type Place,
  placesOf,
  type StepTensors,
  tensorAt,
} from "../../../../keepers/src/training/trace/place.ts";
import { traceStep } from "../../../../keepers/src/training/trace/trace-step.ts";

const microBatches = 2;
const objectBytes = 37;
const options = { objectBytes, microBatches };
const learningRate = 2000;

/** Two micro-batches of two 6 × 6 images with labels, for a network with convolutions and a residual connection. */
function scene(bits: MantissaBits) {
  const microBatch = 2;
  const program = compile({
    model: residualCnn({ channels: 1, height: 6, width: 6, classes: 3, batch: microBatch }),
    bits,
    microBatch,
    input: {
      offset: 0,
      encoding: "u8",
      multiply: 1,
      add: -128,
      exponent: -7,
      layout: "NCHW",
      shape: [1, 6, 6],
    },
    target: { offset: 36, encoding: "u8", classes: 3 },
    loss: "softmax-cross-entropy",
    optimizer: { momentum: 58982, weightDecay: 100 },
  });
  const objects = Uint8Array.from({ length: microBatches * microBatch * objectBytes }, (_, i) =>
    i % objectBytes === 36 ? Math.floor(i / objectBytes) % 3 : (i * 89 + (i >> 2)) & 0xff,
  );
  return { program, objects, state: initialState(program, `0x${"05".repeat(32)}`) };
}

const nodesOf = ({ tapes }: Program) => tapes.reduce((sum, tape) => sum + tape.length, 0);
const rootOf = (program: Program) => ({
  programRoot: bytesToHex(programRoot(program)),
  nodes: nodesOf(program),
});

for (const bits of [8, 16] as const) {
  const { program, objects, state } = scene(bits);
  const tensors: StepTensors = await traceStep({
    executor: nativeExecutor,
    program,
    options,
    state,
    input: { objects, learningRate },
  });
  const open = (place: Place, element: number, claimed: Tensor) =>
    openElement({ program, place, element, tensors, claimed, state, objects, objectBytes, learningRate });

  describe(`openings of a step in E${bits}`, () => {
    it("come from the tensors that the definition gives", () => {
      const expected = runStep({ program, state, objects, objectBytes, learningRate });
      assert.deepEqual(tensors.microBatches, expected.microBatches);
      assert.deepEqual(tensors.reduction, expected.reduction);
      assert.deepEqual(tensors.optimizer, expected.optimizer);
    });

    it("of every node: the right element is found right, a wrong mantissa and a wrong exponent are not", () => {
      const root = rootOf(program);
      for (const place of placesOf(program, microBatches)) {
        const right = tensorAt(tensors, place);
        const node = nodeAt(program, place);
        const element = (place.node * 7919) % right.mantissas.length;
        const honest = judgeOpening(open(place, element, right), root);
        assert.equal(honest.right, true, `${node.opcode} of tape ${place.tape}`);
        const mantissas = right.mantissas.slice();
        mantissas[element]! += mantissas[element]! > 0 ? -1 : 1;
        const wrong = judgeOpening(open(place, element, { ...right, mantissas }), root);
        assert.equal(wrong.right, false, `${node.opcode} of tape ${place.tape}`);
        assert.equal(wrong.expected.mantissa, BigInt(right.mantissas[element]!));
        let largest = 0;
        right.mantissas.forEach((mantissa, i) => {
          if (Math.abs(mantissa) > Math.abs(right.mantissas[largest]!)) largest = i;
        });
        if (right.mantissas[largest] === 0) continue;
        const small = judgeOpening(open(place, largest, { ...right, exponent: right.exponent - 1 }), root);
        assert.equal(small.right, false, `${node.opcode} with an exponent that is too small`);
      }
    });

    it("prove nothing when a leaf, a proof, a commitment or the descriptor is another one", () => {
      const place = placesOf(program, 1).find((each) => nodeAt(program, each).opcode === "CONV")!;
      const good = open(place, 1, tensorAt(tensors, place));
      const root = rootOf(program);
      const other = (hex: Hex): Hex => `0x${hex[2] === "0" ? "1" : "0"}${hex.slice(3)}`;
      const [input] = good.inputs;
      const changed = (changes: object): ElementOpening => ({
        ...good,
        inputs: [{ ...input!, ...changes }, ...good.inputs.slice(1)],
      });
      const leaf = input!.leaves[0]!;
      const bad: [string, ElementOpening][] = [
        ["descriptor", { ...good, descriptor: { ...good.descriptor, index: good.descriptor.index + 1 } }],
        ["exponent", changed({ exponent: input!.exponent + 1 })],
        ["data root", changed({ dataRoot: other(input!.dataRoot) })],
        ["commitment", changed({ commitment: other(input!.commitment) })],
        ["leaf", changed({ leaves: [{ ...leaf, bytes: other(leaf.bytes) }] })],
        ["place of a leaf", changed({ leaves: [{ ...leaf, leaf: leaf.leaf + 1 }] })],
        ["no leaf", changed({ leaves: [] })],
      ];
      for (const [what, opening] of bad) {
        assert.throws(() => judgeOpening(opening, root), { name: "BadOpeningError" }, what);
      }
      assert.throws(() => judgeOpening(good, { ...root, programRoot: other(root.programRoot) }), {
        name: "BadOpeningError",
      });
    });
  });
}

describe("finding the first wrong node of a step", () => {
  const { program, objects, state } = scene(8);

  it("names micro-batch, node and element of a provider who computes one tensor wrongly", async () => {
    const honest = await traceStep({
      executor: nativeExecutor,
      program,
      options,
      state,
      input: { objects, learningRate },
    });
    const places = placesOf(program, microBatches);
    const at = places.find(
      ({ microBatch, node }) => microBatch === 1 && program.tapes[0][node]!.opcode === "CONV_WEIGHT_GRAD",
    )!;
    const claimant: Claimant = {
      stateRoot: () => Promise.resolve(stateRootOf(program, state)),
      witness: () => Promise.resolve(undefined),
      tensor: (_step, place) => {
        const tensor = tensorAt(honest, place);
        if (place.tape === 0 && (place.microBatch === 0 || place.node < at.node))
          return Promise.resolve(tensor);
        const mantissas = tensor.mantissas.slice();
        mantissas[mantissas.length - 1]! ^= 1;
        return Promise.resolve({ ...tensor, mantissas });
      },
    };
    const difference = await findDifference({
      program,
      executor: nativeExecutor,
      options,
      claimant,
      from: 4,
      to: 5,
      state,
      input: () => Promise.resolve({ objects, learningRate }),
    });
    assert.deepEqual([difference?.firstStep, difference?.lastStep], [4, 4]);
    assert.deepEqual(difference?.element?.place, at);
    assert.equal(difference.element.element, tensorAt(honest, at).mantissas.length - 1);
    assert.equal(difference.element.judgement.right, false);
  });
});
