import { z } from "zod";
import type { OnnxModel } from "../onnx/types.ts";
import { ForwardBuilder } from "./layers.ts";
import { batch, classes, inputs, width } from "./options.ts";

export const mlpOptions = z.strictObject({
  inputs,
  hidden: z.array(width(65_536)).max(32).default([64]).describe("units of each hidden layer"),
  classes,
  batch,
});
export type MlpOptions = z.input<typeof mlpOptions>;

/** Linear layers with ReLU between: [batch, inputs] → logits [batch, classes]. */
export function mlp(options: MlpOptions = {}): OnnxModel {
  const { inputs, hidden, classes, batch } = mlpOptions.parse(options);
  const model = new ForwardBuilder("mlp", [batch, inputs]);
  let x = model.input;
  for (const [i, units] of hidden.entries()) x = model.relu(model.linear(x, `fc${i + 1}`, units));
  return model.build(model.linear(x, `fc${hidden.length + 1}`, classes));
}
