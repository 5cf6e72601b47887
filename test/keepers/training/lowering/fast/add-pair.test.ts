import assert from "node:assert/strict";
import { it } from "node:test";
import * as ort from "onnxruntime-node";
import { evaluateNode } from "../../../../../keepers/src/core/exact/ops/evaluate.ts";
import type { Program, TapeNode, Tensor } from "../../../../../keepers/src/core/exact/tape/types.ts";
import type { Context } from "../../../../../keepers/src/training/lowering/fast/context.ts";
import { add } from "../../../../../keepers/src/training/lowering/fast/elementwise.ts";
import { Emitter, type Value } from "../../../../../keepers/src/training/lowering/fast/emitter.ts";
import type { SlotValues } from "../../../../../keepers/src/training/lowering/fast/slots.ts";
import { type BatchTensor, identity } from "../../../../../keepers/src/training/lowering/fast/tensors.ts";
import { GraphBuilder } from "../../../../../keepers/src/training/onnx/builder.ts";
import { writeOnnx } from "../../../../../keepers/src/training/onnx/write.ts";
import { randomSource } from "./compare.ts";

const batch = 4;
const features = 3;
const lowest = -60;
const highest = 20;

function addNode(relu: boolean): TapeNode<"ADD"> {
  const output = { dtype: "I8", shape: [batch, features], rowAxes: 1 } as const;
  return { opcode: "ADD", inputs: [0, 1], output, attributes: { flags: relu ? 4 : 0 } };
}

async function addGraph(relu: boolean): Promise<ort.InferenceSession> {
  const graph = new GraphBuilder("add");
  const e = new Emitter(graph);
  const value = (name: string): Value => ({
    name: graph.input(name, "float32", [features, batch]),
    shape: [features, batch],
    type: "float32",
  });
  const exponent = (name: string): Value => ({
    name: graph.input(name, "int64", [1]),
    shape: [1],
    type: "int64",
  });
  const tensor = (i: number): BatchTensor => ({
    kind: "batch",
    value: value(`x${i}`),
    map: identity(features),
    inner: features,
    range: { min: -127, max: 127 },
    exponent: { lo: lowest, hi: highest, above: exponent(`e${i}`) },
  });
  const ctx: Context = {
    program: {} as Program,
    slots: {} as SlotValues,
    bits: 8,
    batch,
    carrier: "float32",
    e,
    columns: [],
  };
  const sum = add(ctx, addNode(relu), [tensor(0), tensor(1)]);
  graph.output("sum", sum.value.name, "float32", sum.value.shape);
  graph.output(
    "exponent",
    e.add(sum.exponent.above!, e.numbers([sum.exponent.lo], "int64")).name,
    "int64",
    [1],
  );
  return ort.InferenceSession.create(writeOnnx(graph.build()), { intraOpNumThreads: 1 });
}

for (const relu of [false, true]) {
  it(`two 8-bit tensors add in float32 at any two exponents, relu ${relu}`, async () => {
    const session = await addGraph(relu);
    const random = randomSource(relu ? 2 : 1);
    const mantissa = (kind: number) => {
      if (kind === 0) return 0;
      if (kind === 1) return random() < 0.5 ? -127 : 127;
      if (kind === 2) return Math.floor(random() * 3) - 1;
      return Math.floor(random() * 255) - 127;
    };
    for (let round = 0; round < 1500; round++) {
      const first = Math.floor(random() * (highest - lowest - 45)) + lowest;
      const second = first + Math.floor(random() * 45);
      const exponents = random() < 0.5 ? [first, second] : [second, first];
      const tensors = exponents.map((exponent): Tensor => {
        const kind = Math.floor(random() * 5);
        const mantissas = Int8Array.from({ length: batch * features }, () =>
          mantissa(kind === 4 ? Math.floor(random() * 4) : kind),
        );
        return { layout: addNode(relu).output, exponent, mantissas };
      });
      const expected = evaluateNode({ bits: 8, microBatch: batch }, addNode(relu), tensors);
      const feeds = Object.fromEntries(
        tensors.flatMap(({ mantissas, exponent }, i) => [
          [`x${i}`, new ort.Tensor("float32", Float32Array.from(transposed(mantissas)), [features, batch])],
          [`e${i}`, new ort.Tensor("int64", BigInt64Array.of(BigInt(exponent - lowest)), [1])],
        ]),
      );
      const { sum, exponent } = await session.run(feeds);
      const actual = Array.from(sum!.data as Float32Array, (v) => v + 0);
      assert.deepEqual(actual, transposed(expected.mantissas), `round ${round}, exponents ${exponents}`);
      assert.equal(Number((exponent!.data as BigInt64Array)[0]), expected.exponent, `round ${round}`);
    }
    await session.release();
  });
}

/** [batch, features] as [features, batch]. */
function transposed(values: ArrayLike<number>): number[] {
  return Array.from(
    { length: batch * features },
    (_, i) => values[(i % batch) * features + Math.floor(i / batch)]! + 0,
  );
}
