import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BadInputError } from "../../../../../keepers/src/core/errors.ts";
import { elementOf, partialSum } from "../../../../../keepers/src/core/exact/ops/evaluate.ts";
import { inputBytes } from "../../../../../keepers/src/core/exact/ops/input.ts";
import { stateTensors } from "../../../../../keepers/src/core/exact/ops/step.ts";
import { readerOf } from "../../../../../keepers/src/core/exact/ops/tensor.ts";
import type { OperationContext } from "../../../../../keepers/src/core/exact/ops/types.ts";
import { encodeState } from "../../../../../keepers/src/core/exact/result-files.ts";
import type { TapeNode } from "../../../../../keepers/src/core/exact/tape/types.ts";
import { recordedRefusals } from "../../refusals.ts";
import { layoutOf } from "../cases-random.ts";
import { places, validProgram } from "../validate-program.ts";

const throws = recordedRefusals("exact/ops/missing");
const program = validProgram(16);
const [tape, reduction, optimizer] = program.tapes;
const nothing: OperationContext = { bits: 16, microBatch: 4 };
const tensor = readerOf({ layout: layoutOf("I32", [3]), exponent: -26, mantissas: Int32Array.of(1, 2, 3) });
const element = (node: TapeNode, context: Partial<OperationContext> = {}) =>
  elementOf({ ...nothing, ...context }, node, [tensor, tensor, tensor], 0);

describe("an operation without what it reads", () => {
  it("says which objects, slot, gradients or rate it lacks", () => {
    throws(() => element(tape[places.input]!), BadInputError);
    throws(() => element(tape[places.loadBias]!), BadInputError);
    throws(() => element(tape[places.loadBias]!, { slot: () => undefined as never }), BadInputError);
    throws(() => element(reduction[0]!), BadInputError);
    for (const count of [0, 3]) {
      throws(() => element(reduction[0]!, { gradients: () => new Array(count).fill(tensor) }), BadInputError);
    }
    throws(() => element(optimizer[5]!), BadInputError);
    throws(() => partialSum(nothing, tape[places.relu]!, [tensor], 0, 0, 0, 1), TypeError);
    throws(() => stateTensors(program, []), /slot 0 \(weight 0\)/);
    throws(() => encodeState(program, []), /6 slots here, not 0/);
  });

  it("reads values to their last byte, and no further", () => {
    const node = tape[places.input] as TapeNode<"INPUT">;
    assert.equal(inputBytes(node), 36);
    const wide = { ...node, attributes: { ...node.attributes, offset: 5, encoding: 3 } };
    assert.equal(inputBytes(wide), 5 + 4 * 36);
    const object = (length: number) => ({ object: () => new Uint8Array(length).fill(1) });
    assert.equal(elementOf({ ...nothing, ...object(36) }, node, [], 35).accumulator, 1n - 33n);
    throws(() => elementOf({ ...nothing, ...object(35) }, node, [], 35), /ends before byte 36/);
    const labels = tape[places.labels] as TapeNode<"INPUT">;
    const label = (value: number) => ({ object: () => new Uint8Array(37).fill(value) });
    assert.equal(elementOf({ ...nothing, ...label(2) }, labels, [], 1).accumulator, 2n);
    throws(() => elementOf({ ...nothing, ...label(3) }, labels, [], 1), /label 3 in row 1/);
  });
});
