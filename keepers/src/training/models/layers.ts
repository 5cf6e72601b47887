import { attribute, GraphBuilder } from "../onnx/builder.ts";
import type { OnnxModel } from "../onnx/types.ts";

/** A value of the graph and its shape; the first dimension is the batch. */
export type Layer = { value: string; shape: number[] };

export type ConvOptions = { name: string; channels: number; kernel: number; stride?: number; pad?: number };

/**
 * Builds a forward model layer by layer, in ONNX's own operators and layouts (images are [batch, channels, height,
 * width]). A parameter is an input of the graph without a value, after the data, which is the first: whoever trains the
 * model draws it. An initialiser would be a parameter with a value.
 */
export class ForwardBuilder {
  readonly #graph: GraphBuilder;
  readonly input: Layer;

  constructor(name: string, shape: readonly number[]) {
    this.#graph = new GraphBuilder(name);
    this.input = { value: this.#graph.input("input", "float32", shape), shape: [...shape] };
  }

  /** x·Wᵀ + b: [batch, inputs] → [batch, outputs], W [outputs, inputs]. */
  linear(x: Layer, name: string, outputs: number): Layer {
    const [batch, inputs] = x.shape as [number, number];
    const weight = this.#graph.input(`${name}.weight`, "float32", [outputs, inputs]);
    const bias = this.#graph.input(`${name}.bias`, "float32", [outputs]);
    const value = this.#graph.op("Gemm", [x.value, weight, bias], {
      alpha: attribute.float(1),
      beta: attribute.float(1),
      transB: attribute.int(1),
    });
    return { value, shape: [batch, outputs] };
  }

  /** A square convolution with bias, the same padding on every side; W [channels, channels before, kernel, kernel]. */
  conv(x: Layer, { name, channels, kernel, stride = 1, pad = 0 }: ConvOptions): Layer {
    const [batch, before, height, width] = x.shape as [number, number, number, number];
    const weight = this.#graph.input(`${name}.weight`, "float32", [channels, before, kernel, kernel]);
    const bias = this.#graph.input(`${name}.bias`, "float32", [channels]);
    const value = this.#graph.op("Conv", [x.value, weight, bias], {
      dilations: attribute.ints([1, 1]),
      group: attribute.int(1),
      kernel_shape: attribute.ints([kernel, kernel]),
      pads: attribute.ints([pad, pad, pad, pad]),
      strides: attribute.ints([stride, stride]),
    });
    const size = (length: number) => Math.floor((length + 2 * pad - kernel) / stride) + 1;
    return { value, shape: [batch, channels, size(height), size(width)] };
  }

  relu(x: Layer): Layer {
    return { value: this.#graph.op("Relu", [x.value]), shape: x.shape };
  }

  /** Maxima of 2×2 squares; an odd last row or column is dropped. */
  maxPool2(x: Layer): Layer {
    const [batch, channels, height, width] = x.shape as [number, number, number, number];
    const value = this.#graph.op("MaxPool", [x.value], {
      ceil_mode: attribute.int(0),
      kernel_shape: attribute.ints([2, 2]),
      pads: attribute.ints([0, 0, 0, 0]),
      strides: attribute.ints([2, 2]),
    });
    return { value, shape: [batch, channels, Math.floor(height / 2), Math.floor(width / 2)] };
  }

  /** Mean over height and width: [batch, channels, h, w] → [batch, channels, 1, 1]. */
  globalAveragePool(x: Layer): Layer {
    const [batch, channels] = x.shape as [number, number];
    return { value: this.#graph.op("GlobalAveragePool", [x.value]), shape: [batch, channels, 1, 1] };
  }

  flatten(x: Layer): Layer {
    const [batch, ...rest] = x.shape as [number, ...number[]];
    const value = this.#graph.op("Flatten", [x.value], { axis: attribute.int(1) });
    return { value, shape: [batch, rest.reduce((product, size) => product * size, 1)] };
  }

  /** Sum of two values of one shape. */
  add(a: Layer, b: Layer): Layer {
    return { value: this.#graph.op("Add", [a.value, b.value]), shape: a.shape };
  }

  /** Ends the model: `x` are its logits. */
  build(x: Layer): OnnxModel {
    this.#graph.output("logits", x.value, "float32", x.shape);
    return this.#graph.build();
  }
}
