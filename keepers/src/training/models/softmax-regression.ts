import { z } from "zod";
import type { OnnxModel } from "../onnx/types.ts";
import { ForwardBuilder } from "./layers.ts";
import { batch, classes, inputs } from "./options.ts";

export const softmaxRegressionOptions = z.strictObject({ inputs, classes, batch });
export type SoftmaxRegressionOptions = z.input<typeof softmaxRegressionOptions>;

/** One linear layer: [batch, inputs] → logits [batch, classes]. */
export function softmaxRegression(options: SoftmaxRegressionOptions = {}): OnnxModel {
  const { inputs, classes, batch } = softmaxRegressionOptions.parse(options);
  const model = new ForwardBuilder("softmax-regression", [batch, inputs]);
  return model.build(model.linear(model.input, "fc", classes));
}
