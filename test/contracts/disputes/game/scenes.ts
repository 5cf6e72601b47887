import type { TrainingOrder } from "../../../../keepers/src/core/exact/order.ts";
import type { Program, Tensor } from "../../../../keepers/src/core/exact/tape/types.ts";
import { compile } from "../../../../keepers/src/training/compiler/compile.ts";
import { buildModel } from "../../../../keepers/src/training/models/built-in.ts";
import { Job } from "./story.ts";

const microBatch = 2;

/** Objects of so many value bytes and a label. */
function objectsOf(count: number, values: number, classes: number): Uint8Array[] {
  return Array.from({ length: count }, (_, object) =>
    Uint8Array.from({ length: values + 1 }, (_, i) =>
      i === values ? object % classes : ((object * 31 + i * 89) ^ (i >> 2)) & 0xff,
    ),
  );
}

function classifier(
  name: "mlp" | "residual-cnn" | "lenet5",
  options: Record<string, unknown>,
  shape: number[],
  bits: 8 | 16,
): Program {
  const values = shape.reduce((a, b) => a * b, 1);
  return compile({
    model: buildModel(name, { ...options, batch: microBatch }),
    bits,
    microBatch,
    input: {
      offset: 0,
      encoding: "u8",
      multiply: 1,
      add: -128,
      exponent: -7,
      layout: shape.length === 1 ? "flat" : "NCHW",
      shape,
    },
    target: { offset: values, encoding: "u8", classes: (options.classes as number) ?? 10 },
    loss: "softmax-cross-entropy",
    optimizer: { momentum: 58_982, weightDecay: 100 },
  });
}

/** Two layers; 5 steps in intervals of 2 by default. */
export function mlpJob(bits: 8 | 16 = 16, steps = 5, interval = 2): Job {
  const program = classifier("mlp", { inputs: 12, hidden: [9], classes: 5 }, [12], bits);
  return new Job(program, objectsOf(21, 12, 5), { microBatches: 2, steps, interval });
}

/** Convolutions, pools, a residual connection; 3 steps in intervals of 2 by default. */
export function cnnJob(bits: 8 | 16 = 16, steps = 3, interval = 2): Job {
  const program = classifier(
    "residual-cnn",
    { channels: 1, height: 6, width: 6, classes: 3 },
    [1, 6, 6],
    bits,
  );
  return new Job(program, objectsOf(17, 36, 3), { microBatches: 2, steps, interval });
}

/** Another mantissa in the middle of a tensor, within the range of its type. */
export function otherMantissa(tensor: Tensor): Tensor {
  const mantissas = tensor.mantissas.slice();
  const at = Math.floor(mantissas.length / 2);
  mantissas[at] = mantissas[at]! > 0 ? mantissas[at]! - 1 : mantissas[at]! + 1;
  return { ...tensor, mantissas };
}

export const otherExponent =
  (delta: number) =>
  (tensor: Tensor): Tensor => ({ ...tensor, exponent: tensor.exponent + delta });

/** LeNet-5 on images like MNIST's, batches of 64: ten epochs of 60,000 images by default. */
export function lenetJob(
  steps = 9_370,
  bits: 8 | 16 = 16,
  interval = 32,
  more: Partial<Pick<TrainingOrder, "initialRoot" | "datasetId">> = {},
): Job {
  const batch = 64;
  const program = compile({
    model: buildModel("lenet5", { batch }),
    bits,
    microBatch: batch,
    input: {
      offset: 0,
      encoding: "u8",
      multiply: 1,
      add: -128,
      exponent: -7,
      layout: "NCHW",
      shape: [1, 28, 28],
    },
    target: { offset: 784, encoding: "u8", classes: 10 },
    loss: "softmax-cross-entropy",
    optimizer: { momentum: 58_982, weightDecay: 33 },
  });
  return new Job(program, objectsOf(128, 784, 10), { microBatches: 1, steps, interval, ...more });
}
