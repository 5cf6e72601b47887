/** Jobs whose one contraction is the weight gradient of a convolution with a stride. */
import type { Layout, TapeNode } from "../../../../keepers/src/core/exact/tape/types.ts";
import { objectsOf, program } from "./hand-made.ts";
import { Job } from "./story.ts";

/** An image of one channel, and the kernel that goes over it without pads. */
export type StridedSize = {
  readonly samples: number;
  readonly image: readonly [height: number, width: number];
  readonly kernel: readonly [height: number, width: number];
  readonly stride: readonly [down: number, along: number];
  readonly microBatches?: number;
};

const image = (shape: readonly number[]): Layout => ({ dtype: "I16", shape, rowAxes: 2 });

/** Image and gradient are inputs that fill 16 bits; the weights' gradient is the last node but one of tape 0. One step. */
export function stridedJob({ samples, image: size, kernel, stride, microBatches = 1 }: StridedSize): Job {
  const [height, width] = size;
  const rows = Math.floor((height - kernel[0]) / stride[0]) + 1;
  const columns = Math.floor((width - kernel[1]) / stride[1]) + 1;
  const input = (offset: number, h: number, w: number): TapeNode => ({
    opcode: "INPUT",
    inputs: [],
    output: image([samples, h, w, 1]),
    attributes: { offset, encoding: 1, multiply: 255, add: 7, exponent: -9, classes: 0 },
  });
  // Samples of one channel stand in the same order before and after.
  const turned = (node: number, h: number, w: number): TapeNode => ({
    opcode: "RELAYOUT",
    inputs: [node],
    output: image([1, samples, h, w]),
    attributes: { view0: 1, view1: samples, view2: h, view3: w, axis0: 0, axis1: 1, axis2: 2, axis3: 3 },
  });
  const weights: Layout = { dtype: "I32", shape: [1, ...kernel, 1], rowAxes: 3 };
  const tape: TapeNode[] = [
    input(0, height, width),
    input(height * width, rows, columns),
    turned(0, height, width),
    turned(1, rows, columns),
    {
      opcode: "CONV_WEIGHT_GRAD",
      inputs: [2, 3],
      output: weights,
      attributes: {
        ...{ exponent: -26, strideH: stride[0], strideW: stride[1] },
        ...{ padTop: 0, padLeft: 0, padBottom: 0, padRight: 0, groups: 1 },
      },
    },
    { opcode: "STORE", inputs: [4], output: weights, attributes: { space: 1, slot: 0 } },
  ];
  const bytes = height * width + rows * columns;
  return new Job(program(tape, weights, 5, samples), objectsOf(samples * microBatches, bytes), {
    microBatches,
    steps: 1,
    interval: 1,
  });
}
