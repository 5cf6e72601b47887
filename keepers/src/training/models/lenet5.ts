import { z } from "zod";
import type { OnnxModel } from "../onnx/types.ts";
import { ForwardBuilder } from "./layers.ts";
import { batch } from "./options.ts";

export const lenet5Options = z.strictObject({ batch });
export type Lenet5Options = z.input<typeof lenet5Options>;

/**
 * LeNet-5 (LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition, 1998) as it is used
 * today: ReLU and max-pooling, full connections between the feature maps. [batch, 1, 28, 28] → logits [batch, 10];
 * 61,706 parameters.
 */
export function lenet5(options: Lenet5Options = {}): OnnxModel {
  const { batch } = lenet5Options.parse(options);
  const model = new ForwardBuilder("lenet5", [batch, 1, 28, 28]);
  let x = model.input;
  x = model.maxPool2(model.relu(model.conv(x, { name: "conv1", channels: 6, kernel: 5, pad: 2 })));
  x = model.maxPool2(model.relu(model.conv(x, { name: "conv2", channels: 16, kernel: 5 })));
  x = model.relu(model.linear(model.flatten(x), "fc1", 120));
  x = model.relu(model.linear(x, "fc2", 84));
  return model.build(model.linear(x, "fc3", 10));
}
