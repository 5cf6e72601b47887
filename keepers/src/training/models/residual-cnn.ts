import { z } from "zod";
import type { OnnxModel } from "../onnx/types.ts";
import { ForwardBuilder } from "./layers.ts";
import { batch, classes, width } from "./options.ts";

/** Pooling halves the image once, so a side has at least two pixels. */
const side = z.int().min(2).max(1024).default(28);

export const residualCnnOptions = z.strictObject({
  channels: width(1024).default(1).describe("channels of the image"),
  height: side.describe("pixels"),
  width: side.describe("pixels"),
  classes,
  batch,
});
export type ResidualCnnOptions = z.input<typeof residualCnnOptions>;

/**
 * A small convolutional network with one residual block (He, Zhang, Ren, Sun: Deep residual learning for image
 * recognition, 2015), without normalisation: [batch, channels, height, width] → logits [batch, classes].
 */
export function residualCnn(options: ResidualCnnOptions = {}): OnnxModel {
  const { channels, height, width, classes, batch } = residualCnnOptions.parse(options);
  const model = new ForwardBuilder("residual-cnn", [batch, channels, height, width]);
  const entry = model.relu(model.conv(model.input, { name: "entry", channels: 16, kernel: 3, pad: 1 }));
  let x = model.relu(model.conv(entry, { name: "block.conv1", channels: 16, kernel: 3, pad: 1 }));
  x = model.conv(x, { name: "block.conv2", channels: 16, kernel: 3, pad: 1 });
  x = model.maxPool2(model.relu(model.add(x, entry)));
  x = model.relu(model.conv(x, { name: "exit", channels: 32, kernel: 3, stride: 2, pad: 1 }));
  x = model.flatten(model.globalAveragePool(x));
  return model.build(model.linear(x, "fc", classes));
}
