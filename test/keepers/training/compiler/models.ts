import { attribute, GraphBuilder } from "../../../../keepers/src/training/onnx/builder.ts";
import type { OnnxAttribute, OnnxModel } from "../../../../keepers/src/training/onnx/types.ts";

/** Small forward models for tests, in ONNX layouts; parameters are graph inputs. */
export const batch = 4;

type Build = (
  graph: GraphBuilder,
  x: string,
  parameter: (...shape: number[]) => string,
) => [string, number[]];

export function model(shape: readonly number[], build: Build): OnnxModel {
  const graph = new GraphBuilder("test");
  const x = graph.input("x", "float32", [batch, ...shape]);
  let count = 0;
  const parameter = (...sizes: number[]) => graph.input(`p${count++}`, "float32", sizes);
  const [value, output] = build(graph, x, parameter);
  graph.output("y", value, "float32", [batch, ...output]);
  return graph.build();
}

export const gemm = { transB: attribute.int(1) };

export function window(
  kernel: readonly number[],
  stride: readonly number[] = [1, 1],
  pads: readonly number[] = [0, 0, 0, 0],
): Record<string, OnnxAttribute> {
  return {
    kernel_shape: attribute.ints(kernel),
    strides: attribute.ints(stride),
    pads: attribute.ints(pads),
  };
}

/** Every supported operator, with the shape of a sample and the number of outputs. */
export const cases: Record<string, { shape: number[]; outputs: number; model: OnnxModel }> = {
  "Gemm with transposed weights and bias": entry([5], 3, (graph, x, p) => [
    graph.op("Gemm", [x, p(3, 5), p(3)], gemm),
    [3],
  ]),
  "Gemm without bias, then MatMul and bias Add": entry([5], 3, (graph, x, p) => {
    const h = graph.op("Relu", [graph.op("Gemm", [x, p(5, 7)])]);
    return [graph.op("Add", [p(1, 3), graph.op("MatMul", [h, p(7, 3)])]), [3]];
  }),
  "MatMul with transposed parameter, Identity and Dropout": entry([5], 3, (graph, x, p) => {
    const turned = graph.op("Transpose", [p(3, 5)], { perm: attribute.ints([1, 0]) });
    const y = graph.op("MatMul", [graph.op("Identity", [x]), turned]);
    return [graph.op("Dropout", [y]), [3]];
  }),
  "Conv with groups, strides and uneven pads, flattened": entry([4, 6, 5], 3, (graph, x, p) => {
    const attributes = { ...window([3, 2], [2, 1], [1, 0, 2, 1]), group: attribute.int(2) };
    const h = graph.op("Relu", [graph.op("Conv", [x, p(6, 2, 3, 2), p(6)], attributes)]);
    return [graph.op("Gemm", [graph.op("Flatten", [h]), p(3, 6 * 4 * 5), p(3)], gemm), [3]];
  }),
  "Conv on Conv in groups, bias by Add": entry([2, 5, 5], 3, (graph, x, p) => {
    const a = graph.op("Add", [graph.op("Conv", [x, p(4, 2, 3, 3)], window([3, 3])), p(1, 4, 1, 1)]);
    const grouped = { ...window([2, 2], [2, 2], [1, 1, 0, 0]), group: attribute.int(2) };
    const b = graph.op("Relu", [graph.op("Conv", [graph.op("Relu", [a]), p(6, 2, 2, 2), p(6)], grouped)]);
    const flat = graph.op("Reshape", [b, graph.int64([0, -1])]);
    return [graph.op("Gemm", [flat, p(3, 24)], gemm), [3]];
  }),
  "Conv with automatic pads and fused pools that drop a rest": entry([1, 7, 7], 3, (graph, x, p) => {
    const same = { auto_pad: attribute.string("SAME_UPPER"), strides: attribute.ints([1, 1]) };
    const a = graph.op("Conv", [x, p(2, 1, 2, 2), p(2)], same);
    const b = graph.op("MaxPool", [graph.op("Relu", [a])], window([2, 2], [2, 2]));
    const c = graph.op("MaxPool", [graph.op("Conv", [b, p(3, 2, 2, 2), p(3)])], window([2, 2], [2, 2]));
    return [graph.op("Gemm", [graph.op("Flatten", [graph.op("Relu", [c])]), p(3, 3), p(3)], gemm), [3]];
  }),
  "MaxPool with overlapping windows and pads": entry([2, 6, 6], 3, (graph, x, p) => {
    const a = graph.op("Relu", [graph.op("Conv", [x, p(3, 2, 3, 3), p(3)])]);
    const b = graph.op("MaxPool", [a], window([3, 3], [2, 2], [1, 1, 1, 1]));
    return [graph.op("Gemm", [graph.op("Flatten", [b]), p(3, 12), p(3)], gemm), [3]];
  }),
  "AveragePool and Conv after Pad, as PyTorch writes them": entry([2, 6, 6], 3, (graph, x, p) => {
    const a = graph.op("Pad", [x, graph.int64([0, 0, 1, 0, 0, 0, 1, 1])]);
    const b = graph.op("Relu", [graph.op("Conv", [a, p(4, 2, 2, 2), p(4)], window([2, 2]))]);
    const c = graph.op("Pad", [b, graph.int64([0, 0, 1, 1, 0, 0, 0, 0])]);
    const d = graph.op("AveragePool", [c], window([2, 3], [2, 2]));
    const e = graph.op("Pad", [d, graph.int64([0, 0, 0, 0, 0, 0, 0, 0])]);
    const f = graph.op("Flatten", [graph.op("AveragePool", [e], window([2, 2]))]);
    return [graph.op("Gemm", [f, p(3, 24), p(3)], gemm), [3]];
  }),
  "AveragePool with pads, GlobalAveragePool": entry([2, 6, 6], 3, (graph, x, p) => {
    const a = graph.op("Relu", [graph.op("Conv", [x, p(4, 2, 2, 2), p(4)])]);
    const attributes = { ...window([3, 2], [2, 1], [1, 1, 1, 0]), count_include_pad: attribute.int(1) };
    const b = graph.op("Conv", [graph.op("AveragePool", [a], attributes), p(5, 4, 1, 1), p(5)]);
    const pooled = graph.op("Flatten", [graph.op("GlobalAveragePool", [graph.op("Relu", [b])])]);
    return [graph.op("Gemm", [pooled, p(3, 5), p(3)], gemm), [3]];
  }),
  "residual Add with Relu and a skip connection": entry([2, 4, 4], 3, (graph, x, p) => {
    const pad = window([3, 3], [1, 1], [1, 1, 1, 1]);
    const entryBlock = graph.op("Relu", [graph.op("Conv", [x, p(3, 2, 3, 3), p(3)], pad)]);
    const inner = graph.op("Relu", [graph.op("Conv", [entryBlock, p(3, 3, 3, 3), p(3)], pad)]);
    const sum = graph.op("Add", [graph.op("Conv", [inner, p(3, 3, 3, 3), p(3)], pad), entryBlock]);
    const flat = graph.op("Flatten", [graph.op("Relu", [sum])]);
    return [graph.op("Gemm", [flat, p(3, 48), p(3)], gemm), [3]];
  }),
  "a value that seven operations read": entry([5], 3, (graph, x, p) => {
    const h = graph.op("Relu", [graph.op("Gemm", [x, p(6, 5), p(6)], gemm)]);
    let total = h;
    for (let i = 0; i < 6; i++) total = graph.op("Add", [graph.op("Gemm", [h, p(6, 6)], gemm), total]);
    return [graph.op("Gemm", [total, p(3, 6), p(3)], gemm), [3]];
  }),
  "Relu apart from its layer, read twice": entry([5], 3, (graph, x, p) => {
    const a = graph.op("Gemm", [x, p(3, 5), p(3)], gemm);
    return [graph.op("Add", [graph.op("Relu", [a]), a]), [3]];
  }),
  "Transpose of an image, a linear layer over its last axis order": entry([2, 3, 4], 3, (graph, x, p) => {
    const a = graph.op("Relu", [graph.op("Conv", [x, p(3, 2, 2, 2), p(3)])]);
    const turned = graph.op("Transpose", [a], { perm: attribute.ints([0, 2, 3, 1]) });
    return [graph.op("Gemm", [graph.op("Flatten", [turned]), p(3, 18), p(3)], gemm), [3]];
  }),
  "GlobalAveragePool of an image of more than 255 pixels": entry([1, 17, 16], 3, (graph, x, p) => {
    const a = graph.op("Relu", [graph.op("Conv", [x, p(2, 1, 1, 1), p(2)])]);
    const pooled = graph.op("Flatten", [graph.op("GlobalAveragePool", [a])]);
    return [graph.op("Gemm", [pooled, p(3, 2), p(3)], gemm), [3]];
  }),
  "a convolution as last layer, averaged": entry([2, 4, 4], 3, (graph, x, p) => {
    const a = graph.op("Conv", [x, p(3, 2, 2, 2), p(3)]);
    return [graph.op("Flatten", [graph.op("GlobalAveragePool", [a])]), [3]];
  }),
  "a convolution as last layer, flattened": entry([2, 2, 2], 12, (graph, x, p) => {
    const a = graph.op("Conv", [x, p(3, 2, 1, 1), p(3)]);
    return [graph.op("Flatten", [a]), [12]];
  }),
  "pool, Relu and Add on the data itself": entry([2, 4, 4], 3, (graph, x, p) => {
    const a = graph.op("MaxPool", [graph.op("Add", [graph.op("Relu", [x]), x])], window([2, 2], [2, 2]));
    return [graph.op("Gemm", [graph.op("Flatten", [a]), p(3, 8), p(3)], gemm), [3]];
  }),
};

function entry(shape: number[], outputs: number, build: Build) {
  return { shape, outputs, model: model(shape, build) };
}
