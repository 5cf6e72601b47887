import { flags, type TapeNode } from "../../../core/exact/tape/types.ts";
import {
  divided,
  double,
  firstMaximumOver,
  gated,
  integer,
  maximumOver,
  requantized,
  reshape,
  scalar,
  sumOver,
} from "./arithmetic.ts";
import type { Lowering, Value } from "./lowering.ts";
import { shape4 } from "./products.ts";
import { gatherTaps, pixelsOfWindows, type Windows, windowsOfPixels } from "./windows.ts";

/** Below every mantissa that a pool takes: what stands where a window leaves the image. */
const belowAll = -(2 ** 40);

type Pool = TapeNode<"MAX_POOL" | "MAX_POOL_INDEX" | "MAX_POOL_GRAD" | "AVERAGE_POOL" | "AVERAGE_POOL_GRAD">;

export function lowerMaxPool(
  lowering: Lowering,
  node: TapeNode<"MAX_POOL">,
  inputs: readonly Value[],
): Value {
  const [x] = inputs as [Value];
  const pixels = pixelsUnderWindows(lowering, node, x, belowAll);
  const largest = maximumOver(lowering.builder, pixels, 2);
  return ofOutput(lowering, node, largest, x.exponent);
}

export function lowerMaxPoolIndex(
  lowering: Lowering,
  node: TapeNode<"MAX_POOL_INDEX">,
  inputs: readonly Value[],
): Value {
  const [x] = inputs as [Value];
  const first = firstMaximumOver(lowering.builder, pixelsUnderWindows(lowering, node, x, belowAll), 2);
  return ofOutput(lowering, node, first, integer(lowering.builder, 0));
}

export function lowerMaxPoolGrad(
  lowering: Lowering,
  node: TapeNode<"MAX_POOL_GRAD">,
  inputs: readonly Value[],
): Value {
  const { builder } = lowering;
  const [d, index, gate] = inputs as [Value, Value, Value?];
  const { kernelH, kernelW } = node.attributes;
  const count = kernelH * kernelW;
  const names = double(
    builder,
    Array.from({ length: count }, (_, tap) => tap),
    [count, 1],
  );
  const named = builder.op("Equal", [windowsOverPixels(lowering, node, index, -1), names]);
  const chosen = builder.op("Where", [named, windowsOverPixels(lowering, node, d, 0), scalar(builder, 0)]);
  const sums = reshape(builder, sumOver(builder, chosen, 2), node.output.shape);
  return requantizedGrad(lowering, node, sums, d.exponent, gate);
}

export function lowerAveragePool(
  lowering: Lowering,
  node: TapeNode<"AVERAGE_POOL">,
  inputs: readonly Value[],
): Value {
  const { builder, bits } = lowering;
  const [x] = inputs as [Value];
  const { kernelH, kernelW } = node.attributes;
  const sums = sumOver(builder, pixelsUnderWindows(lowering, node, x, 0), 2);
  const means = divided(builder, { mantissas: sums, exponent: x.exponent }, kernelH * kernelW);
  const { mantissas, exponent } = requantized(builder, bits, means);
  return ofOutput(lowering, node, mantissas, exponent);
}

export function lowerAveragePoolGrad(
  lowering: Lowering,
  node: TapeNode<"AVERAGE_POOL_GRAD">,
  inputs: readonly Value[],
): Value {
  const { builder } = lowering;
  const [d, gate] = inputs as [Value, Value?];
  const { kernelH, kernelW } = node.attributes;
  const sums = sumOver(builder, windowsOverPixels(lowering, node, d, 0), 2);
  const means = divided(builder, { mantissas: sums, exponent: d.exponent }, kernelH * kernelW);
  const shaped = reshape(builder, means.mantissas, node.output.shape);
  return requantizedGrad(lowering, node, shaped, means.exponent, gate);
}

function requantizedGrad(
  lowering: Lowering,
  node: TapeNode<"MAX_POOL_GRAD" | "AVERAGE_POOL_GRAD">,
  sums: string,
  exponent: string,
  gate: Value | undefined,
): Value {
  const { builder, bits } = lowering;
  const open = (node.attributes.flags & flags.gate) !== 0;
  const mantissas = open ? gated(builder, sums, gate!) : sums;
  return { ...requantized(builder, bits, { mantissas, exponent }), layout: node.output };
}

/** [N, windows, kernel positions, C]. */
function pixelsUnderWindows(lowering: Lowering, node: Pool, x: Value, absent: number): string {
  const [, height, width] = shape4(x.layout.shape);
  const [, gridH, gridW] = shape4(node.output.shape);
  const taps = pixelsOfWindows(windowsOf(node, [height, width], [gridH, gridW]));
  return gatherTaps(lowering.builder, x.mantissas, flatShape(x), taps, absent);
}

/** [N, pixels, kernel positions, C]: the windows' values, by pixel. */
function windowsOverPixels(lowering: Lowering, node: Pool, d: Value, absent: number): string {
  const [, height, width] = shape4(node.output.shape);
  const [, gridH, gridW] = shape4(d.layout.shape);
  const taps = windowsOfPixels(windowsOf(node, [height, width], [gridH, gridW]));
  return gatherTaps(lowering.builder, d.mantissas, flatShape(d), taps, absent);
}

function windowsOf(node: Pool, image: readonly [number, number], grid: readonly [number, number]): Windows {
  const { kernelH, kernelW } = node.attributes;
  return { image, grid, kernel: [kernelH, kernelW], ...node.attributes };
}

function flatShape({ layout }: Value): [number, number, number] {
  const [n, height, width, channels] = shape4(layout.shape);
  return [n, height * width, channels];
}

function ofOutput({ builder }: Lowering, node: Pool, mantissas: string, exponent: string): Value {
  return { mantissas: reshape(builder, mantissas, node.output.shape), exponent, layout: node.output };
}
