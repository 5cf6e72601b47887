import { CompileError } from "../errors.ts";
import type { Four, Window } from "../graph.ts";
import type { NodeReader } from "./context.ts";

const none: Four = [0, 0, 0, 0];

/**
 * Reads kernel, strides and pads of a Conv or a pool; automatic pads are resolved for images of `size`.
 *
 * @param around pads of a Pad before it, which take the place of its own
 */
export function readWindow(
  reader: NodeReader,
  size: readonly [number, number],
  { weights, around = none }: { weights?: readonly [number, number]; around?: Four } = {},
): Window {
  const kernel = pair(reader, "kernel_shape", weights ?? [0, 0]);
  if (kernel.some((side) => side < 1) || (weights !== undefined && `${kernel}` !== `${weights}`))
    throw new CompileError(`${reader.label}: its kernel_shape is [${kernel}]`, {
      next: "The kernel must be that of the weights and at least 1 × 1; export the model again.",
    });
  const stride = pair(reader, "strides", [1, 1]);
  if (pair(reader, "dilations", [1, 1]).some((dilation) => dilation !== 1))
    throw reader.unsupported("it is dilated", "Use dilation 1, with a larger kernel or a stride.");
  const own = readPads(reader, size, kernel, stride);
  const padded = around.some((pad) => pad > 0);
  if (padded && own.some((pad) => pad > 0))
    throw reader.unsupported("a Pad stands before its own pads", "Pad in one of the two places.");
  const pads = padded ? around : own;
  if ([...stride, ...pads.map((pad) => pad + 1)].some((value) => value < 1))
    throw reader.unsupported(
      "it has a negative pad or no stride",
      "Use strides of at least 1 and pads of at least 0.",
    );
  if (pads.some((pad, i) => pad >= kernel[i % 2]!))
    throw reader.unsupported(
      `its pads [${pads}] are as large as its kernel [${kernel}]`,
      "Use pads smaller than the kernel.",
    );
  if (kernel.some((side, i) => size[i]! + pads[i]! + pads[i + 2]! < side))
    throw new CompileError(`${reader.label}: its kernel [${kernel}] is larger than the image [${size}]`, {
      next: "Use larger images, a smaller kernel or fewer pools before it.",
    });
  return { kernel, stride, pads };
}

function readPads(
  reader: NodeReader,
  size: readonly [number, number],
  kernel: readonly [number, number],
  stride: readonly [number, number],
): Four {
  const auto = reader.string("auto_pad", "NOTSET");
  if (auto === "NOTSET") {
    const pads = reader.ints("pads") ?? [0, 0, 0, 0];
    if (pads.length !== 4)
      throw reader.unsupported(
        `it has ${pads.length} pads`,
        "Only 2-D convolutions and pools are available.",
      );
    return [pads[0]!, pads[1]!, pads[2]!, pads[3]!];
  }
  if (auto === "VALID") return none;
  if (auto !== "SAME_UPPER" && auto !== "SAME_LOWER")
    throw reader.unsupported(`its auto_pad is ${JSON.stringify(auto)}`, "Give its pads as numbers.");
  const total = (axis: 0 | 1) =>
    Math.max(0, (Math.ceil(size[axis] / stride[axis]) - 1) * stride[axis] + kernel[axis] - size[axis]);
  const less = (axis: 0 | 1) => Math.floor(total(axis) / 2);
  const more = (axis: 0 | 1) => total(axis) - less(axis);
  return auto === "SAME_UPPER" ? [less(0), less(1), more(0), more(1)] : [more(0), more(1), less(0), less(1)];
}

function pair(reader: NodeReader, name: string, absent: readonly [number, number]): [number, number] {
  const values = reader.ints(name) ?? absent;
  if (values.length !== 2)
    throw reader.unsupported(
      `its ${name} is [${values}]`,
      "Only 2-D convolutions and pools over images are available.",
    );
  return [values[0]!, values[1]!];
}
