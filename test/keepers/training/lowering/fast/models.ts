import { attribute, GraphBuilder } from "../../../../../keepers/src/training/onnx/builder.ts";
import type { OnnxModel } from "../../../../../keepers/src/training/onnx/types.ts";

/** Builds small forward models of shapes that the built-in ones do not have. */
export class TestModel {
  readonly graph = new GraphBuilder("test");
  #weights = 0;

  input(shape: readonly number[]): string {
    return this.graph.input("input", "float32", shape);
  }

  weight(shape: readonly number[]): string {
    return this.graph.input(`weight${this.#weights++}`, "float32", shape);
  }

  conv(
    x: string,
    shape: readonly [number, number, number, number],
    { stride = [1, 1], pads = [0, 0, 0, 0], group = 1, bias = true } = {},
  ): string {
    const inputs = [x, this.weight(shape), ...(bias ? [this.weight([shape[0]])] : [])];
    return this.graph.op("Conv", inputs, {
      dilations: attribute.ints([1, 1]),
      group: attribute.int(group),
      kernel_shape: attribute.ints(shape.slice(2)),
      pads: attribute.ints(pads),
      strides: attribute.ints(stride),
    });
  }

  pool(
    kind: "MaxPool" | "AveragePool",
    x: string,
    kernel: number[],
    strides: number[],
    pads = [0, 0, 0, 0],
  ): string {
    return this.graph.op(kind, [x], {
      kernel_shape: attribute.ints(kernel),
      strides: attribute.ints(strides),
      pads: attribute.ints(pads),
      ...(kind === "AveragePool" ? { count_include_pad: attribute.int(1) } : {}),
    });
  }

  relu(x: string): string {
    return this.graph.op("Relu", [x]);
  }

  add(a: string, b: string): string {
    return this.graph.op("Add", [a, b]);
  }

  globalAverage(x: string): string {
    return this.graph.op("GlobalAveragePool", [x]);
  }

  linear(x: string, inputs: number, outputs: number, bias = true): string {
    const operands = [x, this.weight([outputs, inputs]), ...(bias ? [this.weight([outputs])] : [])];
    return this.graph.op("Gemm", operands, {
      alpha: attribute.float(1),
      beta: attribute.float(1),
      transB: attribute.int(1),
    });
  }

  flatten(x: string): string {
    return this.graph.op("Flatten", [x], { axis: attribute.int(1) });
  }

  build(x: string, shape: readonly number[]): OnnxModel {
    this.graph.output("logits", x, "float32", shape);
    return this.graph.build();
  }
}

export type ModelCase = {
  name: string;
  shape: [number, number, number];
  outputs: number;
  model(batch: number): OnnxModel;
};

function image(
  name: string,
  shape: [number, number, number],
  outputs: number,
  build: (m: TestModel, x: string) => string,
): ModelCase {
  return {
    name,
    shape,
    outputs,
    model: (batch) => {
      const m = new TestModel();
      const x = m.input([batch, ...shape]);
      return m.build(build(m, x), [batch, outputs]);
    },
  };
}

export const modelCases: ModelCase[] = [
  image("a pooled convolution, odd image, padding", [2, 9, 7], 3, (m, x) => {
    const a = m.pool("MaxPool", m.relu(m.conv(x, [4, 2, 3, 3], { pads: [1, 1, 1, 1] })), [2, 2], [2, 2]);
    const b = m.pool("MaxPool", m.conv(a, [5, 4, 2, 2], { pads: [0, 0, 1, 1] }), [2, 2], [2, 2]);
    return m.linear(m.flatten(b), 10, 3);
  }),
  image("a 3 × 3 block pool with stride, no bias", [1, 14, 13], 3, (m, x) => {
    const a = m.pool("MaxPool", m.relu(m.conv(x, [3, 1, 3, 3], { bias: false })), [3, 3], [3, 3]);
    const b = m.pool("MaxPool", m.conv(a, [4, 3, 1, 1], { bias: false }), [3, 3], [3, 3]);
    return m.linear(m.flatten(b), 4, 3, false);
  }),
  image("groups, strides", [4, 8, 8], 4, (m, x) => {
    const a = m.relu(m.conv(x, [8, 2, 3, 3], { group: 2, stride: [2, 2], pads: [1, 1, 1, 1] }));
    const b = m.pool(
      "MaxPool",
      m.relu(m.conv(a, [8, 2, 3, 3], { group: 4, pads: [1, 1, 1, 1] })),
      [2, 2],
      [2, 2],
    );
    const c = m.relu(m.conv(b, [8, 1, 2, 2], { group: 8 }));
    return m.linear(m.flatten(c), 8, 4);
  }),
  image("overlapping maximum pool with padding", [2, 8, 7], 3, (m, x) => {
    const a = m.relu(m.conv(x, [4, 2, 3, 3], { pads: [1, 1, 1, 1] }));
    const b = m.pool("MaxPool", a, [3, 3], [2, 2], [1, 1, 1, 1]);
    const c = m.pool("MaxPool", m.conv(b, [4, 4, 2, 2]), [2, 2], [1, 1]);
    return m.linear(m.flatten(c), 4 * 2 * 2, 3);
  }),
  image("average pools", [1, 9, 9], 3, (m, x) => {
    const a = m.pool("AveragePool", m.relu(m.conv(x, [4, 1, 2, 2])), [2, 2], [2, 2]);
    const b = m.pool(
      "AveragePool",
      m.relu(m.conv(a, [6, 4, 3, 3], { pads: [1, 1, 1, 1] })),
      [3, 3],
      [1, 1],
      [1, 1, 1, 1],
    );
    const c = m.pool("AveragePool", m.relu(m.conv(b, [6, 6, 1, 1])), [3, 3], [2, 2], [1, 1, 1, 1]);
    return m.linear(m.flatten(m.globalAverage(m.relu(m.conv(c, [6, 6, 1, 1])))), 6, 3);
  }),
  image("residual sums of several readers", [3, 6, 6], 3, (m, x) => {
    const a = m.relu(m.conv(x, [4, 3, 3, 3], { pads: [1, 1, 1, 1] }));
    const b = m.conv(a, [4, 4, 3, 3], { pads: [1, 1, 1, 1] });
    const c = m.add(b, m.conv(a, [4, 4, 1, 1]));
    const d = m.relu(m.add(c, a));
    const e = m.relu(m.add(d, m.relu(m.conv(d, [4, 4, 3, 3], { pads: [1, 1, 1, 1] }))));
    return m.linear(m.flatten(m.globalAverage(e)), 4, 3);
  }),
];
