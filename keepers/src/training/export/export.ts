import type { CompiledModel } from "../compiler/compile.ts";
import type { OnnxModel, OnnxTensor, ValueInfo } from "../onnx/types.ts";

/** Operators that treat every sample alike whatever their number, as they are used in models of this compiler. */
const batchFree: ReadonlySet<string> = new Set([
  "Gemm",
  "MatMul",
  "Conv",
  "Add",
  "Relu",
  "MaxPool",
  "AveragePool",
  "GlobalAveragePool",
  "Flatten",
  "Identity",
]);

/**
 * The forward model with trained weights in float32 (mantissa·2^−28, rounded once), which any ONNX runtime loads. Its data
 * input takes (raw·multiply + add)·2^exponent of the training configuration. The first dimension is free where no operator
 * depends on it, else the micro-batch.
 *
 * @param state one array per slot, as training leaves it
 */
export function exportModel({ parameters, onnx }: CompiledModel, state: readonly Int32Array[]): OnnxModel {
  const trained = new Map(
    parameters.map(({ name, slot, onnxShape, toOnnx }): [string, OnnxTensor] => [
      name,
      { dtype: "float32", shape: [...onnxShape], data: toOnnx(state[slot]!) },
    ]),
  );
  const { graph } = onnx;
  const free = graph.nodes.every(({ opType }) => batchFree.has(opType));
  const sized = (values: readonly ValueInfo[]) =>
    free ? values.map((value) => ({ ...value, shape: ["batch", ...value.shape.slice(1)] })) : [...values];
  return {
    ...onnx,
    graph: {
      ...graph,
      initializers: new Map([...graph.initializers, ...trained]),
      inputs: sized(graph.inputs.filter(({ name }) => !trained.has(name))),
      outputs: sized(graph.outputs),
    },
  };
}
