import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as ort from "onnxruntime-node";
import { initialState } from "../../../../keepers/src/core/exact/random/initialize.ts";
import { readDigits } from "../../../../keepers/src/storage/readers/digits.ts";
import { compileModel } from "../../../../keepers/src/training/compiler/compile.ts";
import { gatherObjects } from "../../../../keepers/src/training/data/gather.ts";
import { evaluateExact } from "../../../../keepers/src/training/evaluate/evaluate.ts";
import { evaluateFloat, floatInput } from "../../../../keepers/src/training/evaluate/evaluate-float.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { exportModel } from "../../../../keepers/src/training/export/export.ts";
import { mlp } from "../../../../keepers/src/training/models/mlp.ts";
import { residualCnn } from "../../../../keepers/src/training/models/residual-cnn.ts";
import { readOnnx } from "../../../../keepers/src/training/onnx/read.ts";
import { writeOnnx } from "../../../../keepers/src/training/onnx/write.ts";

const { source } = await gatherObjects(await readDigits(), { spool: "unused", memoryBytes: 2 ** 20 });
const microBatch = 16;
const options = { objectBytes: 65, microBatches: 1 };

const models = [
  {
    name: "mlp",
    model: mlp({ inputs: 64, hidden: [12], classes: 10, batch: microBatch }),
    layout: "flat",
    shape: [64],
  },
  {
    name: "residual-cnn",
    model: residualCnn({ channels: 1, height: 8, width: 8, classes: 10, batch: microBatch }),
    layout: "NCHW",
    shape: [1, 8, 8],
  },
] as const;

for (const { name, model, layout, shape } of models) {
  describe(`the exported ${name}`, () => {
    const compiled = compileModel({
      model,
      bits: 16,
      microBatch,
      input: { offset: 0, encoding: "u8", multiply: 1, add: -8, exponent: -3, layout, shape },
      target: { offset: 64, encoding: "u8", classes: 10 },
      loss: "softmax-cross-entropy",
      optimizer: { momentum: 58982 },
    });
    const { program } = compiled;

    it("gives in float32 what the exact program gives, on any number of samples", async () => {
      const session = await nativeExecutor.open(program, options);
      await session.setState(initialState(program, `0x${"09".repeat(32)}`));
      for (let step = 0; step < 30; step++) {
        const indices = Array.from(
          { length: microBatch },
          (_, row) => (step * microBatch + row) % source.count,
        );
        await session.run([{ objects: await source.read(indices), learningRate: 3000 }]);
      }
      const state = await session.getState();
      await session.close();
      const bytes = writeOnnx(readOnnx(writeOnnx(exportModel(compiled, state))));
      const exported = await ort.InferenceSession.create(bytes);
      const objects = await source.read(Array.from({ length: microBatch }, (_, row) => 1000 + row));
      const { mantissas, exponent } = await nativeExecutor.predict(program, state, objects, options);
      const values = floatInput(program, objects, 65);
      for (const rows of [microBatch, 3]) {
        const feed = new ort.Tensor("float32", values.subarray(0, rows * 64), [rows, ...shape]);
        const outputs = await exported.run({ [exported.inputNames[0]!]: feed });
        const logits = outputs[exported.outputNames[0]!]!.data as Float32Array;
        assert.equal(logits.length, rows * 10);
        const spread = Math.max(...logits.map(Math.abs));
        logits.forEach((logit, i) => {
          assert.ok(
            Math.abs(logit - mantissas[i]! * 2 ** exponent) < 0.002 * spread,
            `logit ${i} of ${rows} samples`,
          );
        });
      }
      const samples = { source, count: 200, index: (sample: number) => 1000 + sample };
      const exact = await evaluateExact(nativeExecutor, program, state, samples, options);
      const float = await evaluateFloat(ort, bytes, program, samples);
      assert.equal(float.samples, 200);
      assert.ok(Math.abs(float.accuracy! - exact.accuracy!) <= 0.02);
      assert.ok(Math.abs(float.loss - exact.loss) <= 0.01 * exact.loss);
    });

    it("has its weights as values, not as inputs", () => {
      const { graph } = exportModel(compiled, initialState(program, `0x${"09".repeat(32)}`));
      assert.equal(graph.inputs.length, 1);
      assert.deepEqual(graph.inputs[0]!.shape, ["batch", ...shape]);
      for (const { name: parameter, slot, onnxShape } of compiled.parameters) {
        const tensor = graph.initializers.get(parameter);
        assert.deepEqual(tensor?.shape, onnxShape);
        assert.equal(program.state[slot]!.name, parameter);
      }
    });
  });
}
