import { limits } from "../../../core/exact/limits.ts";
import { type Four, type Window, windowPlaces } from "../graph.ts";
import type { DataValue, ImportContext, NodeReader } from "./context.ts";
import { readWindow } from "./window.ts";

/** `MaxPool`, whose absent pixels never win. */
export function importMaxPool(context: ImportContext, reader: NodeReader): DataValue {
  if (reader.node.outputs.length > 1)
    throw reader.unsupported("its indices are an output", "Use its values alone.");
  const { value, size } = context.image(reader, 0);
  return pool(context, reader, "maxPool", value, readWindow(reader, [size[1], size[2]]));
}

/** `AveragePool`; absent pixels count as 0, so pads of its own need count_include_pad = 1. */
export function importAveragePool(context: ImportContext, reader: NodeReader): DataValue {
  const { value, size, pads } = context.paddedImage(reader);
  const window = readWindow(reader, [size[1], size[2]], { around: pads });
  const counted = pads.some((pad) => pad > 0) || reader.int("count_include_pad", 0) === 1;
  if (!counted && window.pads.some((pad) => pad > 0))
    throw reader.unsupported(
      "it divides by fewer places at the edge (count_include_pad = 0)",
      "Use count_include_pad=True, or no padding.",
    );
  return pool(context, reader, "averagePool", value, window);
}

/** `GlobalAveragePool`: the average over each channel; of a large image over its columns first, then over what is left. */
export function importGlobalAveragePool(context: ImportContext, reader: NodeReader): DataValue {
  const { value, size } = context.image(reader, 0);
  const [, height, width] = size;
  const over = (x: DataValue, kernel: [number, number]) =>
    pool(context, reader, "averagePool", x, { kernel, stride: [1, 1], pads: [0, 0, 0, 0] });
  if (height * width <= limits.windowArea) return over(value, [height, width]);
  return over(over(value, [height, 1]), [1, width]);
}

function pool(
  context: ImportContext,
  reader: NodeReader,
  kind: "maxPool" | "averagePool",
  value: DataValue,
  window: Window,
): DataValue {
  const [, channels, height, width] = value.shape as Four;
  const [rows, columns] = windowPlaces([height, width], window);
  const { kernel, stride, pads } = window;
  const area = kernel[0] * kernel[1];
  if (area > limits.windowArea)
    throw reader.unsupported(
      `its window of ${kernel[0]} × ${kernel[1]} has more than ${limits.windowArea} places`,
      "Pool in two steps, for instance first 4 × 4 with stride 4.",
    );
  if (reader.int("ceil_mode", 0) !== 0) {
    const rest = [height, width].map(
      (side, axis) => (side + pads[axis]! + pads[axis + 2]! - kernel[axis]!) % stride[axis]!,
    );
    if (rest.some((value) => value !== 0))
      throw reader.unsupported(
        "it has windows that leave the image (ceil_mode = 1)",
        "Use ceil_mode=False, or pads.",
      );
  }
  const op = context.push({
    kind,
    label: reader.label,
    shape: [context.microBatch, rows, columns, channels],
    x: value.op,
    window,
  });
  return { op, shape: [context.microBatch, channels, rows, columns], image: undefined };
}
