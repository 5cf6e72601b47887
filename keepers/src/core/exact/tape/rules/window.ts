import { limits } from "../../limits.ts";
import { windowsAlong } from "../../ops/window.ts";
import { flags } from "../types.ts";
import type { NodeCheck } from "./node-check.ts";

type Convolution = "CONV" | "CONV_POOL_INDEX" | "CONV_INPUT_GRAD" | "CONV_WEIGHT_GRAD";
type Pool = "MAX_POOL" | "MAX_POOL_INDEX" | "MAX_POOL_GRAD" | "AVERAGE_POOL" | "AVERAGE_POOL_GRAD";
type Four = readonly [number, number, number, number];

/** Windows of an image of height × width, at least one each way. */
function windows(
  check: NodeCheck<Convolution | Pool>,
  [height, width]: readonly [number, number],
  [kernelH, kernelW]: readonly [number, number],
): [number, number] {
  check.require(
    kernelH * kernelW <= limits.windowArea,
    "limit",
    `a kernel of ${kernelH} × ${kernelW} has more than ${limits.windowArea} pixels`,
    "use smaller kernels or pools one after another",
  );
  check.within("strideH", 1, limits.stride);
  check.within("strideW", 1, limits.stride);
  for (const pad of ["padTop", "padLeft", "padBottom", "padRight"]) check.within(pad, 0, limits.pad);
  const { strideH, strideW, padTop, padLeft, padBottom, padRight } = check.node.attributes;
  const rows = windowsAlong(height, kernelH, strideH, padTop, padBottom);
  const columns = windowsAlong(width, kernelW, strideW, padLeft, padRight);
  check.require(
    rows >= 1 && columns >= 1,
    "shape",
    `a kernel of ${kernelH} × ${kernelW} does not fit into ${height} × ${width}`,
  );
  return [rows, columns];
}

function groups(check: NodeCheck<Convolution>, channels: number, outputs: number): number {
  const { groups } = check.node.attributes;
  check.require(
    groups >= 1 && channels % groups === 0 && outputs % groups === 0,
    "attribute",
    `${channels} channels and ${outputs} outputs do not make ${groups} groups`,
  );
  return groups;
}

export function convolution(check: NodeCheck<"CONV" | "CONV_POOL_INDEX">): void {
  const { opcode, attributes } = check.node;
  const { bias } = check.flagged(2, attributes.flags, flags.bias | flags.relu | flags.fixed);
  for (const i of [0, 1]) check.dtype(i, "I8", "I16");
  const [samples, height, width, channels] = check.rank(0, 4) as Four;
  const [outputs, kernelH, kernelW, perGroup] = check.rank(1, 4) as Four;
  check.rows(0, 2);
  check.rows(1, 3);
  const parts = groups(check, channels, outputs);
  check.shape(1, [outputs, kernelH, kernelW, channels / parts]);
  check.require(perGroup > 0, "shape", "its weights have no channels");
  check.bias(bias, outputs);
  const [rows, columns] = windows(check, [height, width], [kernelH, kernelW]);
  check.within("pool", opcode === "CONV" ? 1 : 2, Math.floor(Math.sqrt(limits.windowArea)));
  const [down, across] = [Math.floor(rows / attributes.pool), Math.floor(columns / attributes.pool)];
  check.require(
    down >= 1 && across >= 1,
    "shape",
    `${rows} × ${columns} sums make no block of ${attributes.pool}`,
  );
  check.output(opcode === "CONV" ? check.finished(attributes.flags) : "U8", [samples, down, across, outputs]);
}

export function convInputGrad(check: NodeCheck<"CONV_INPUT_GRAD">): void {
  const { gate } = check.flagged(2, check.node.attributes.flags, flags.gate);
  for (const i of [0, 1]) check.dtype(i, "I8", "I16");
  const [samples, , , outputs] = check.rank(0, 4) as Four;
  const [channels, kernelH, kernelW] = check.rank(1, 4) as Four;
  check.rows(0, 2);
  check.rows(1, 3);
  const parts = groups(check, channels, outputs);
  check.shape(1, [channels, kernelH, kernelW, outputs / parts]);
  const { shape } = check.node.output;
  check.require(shape.length === 4, "shape", `its output has rank ${shape.length}`);
  const [, height, width] = shape as Four;
  const [rows, columns] = windows(check, [height, width], [kernelH, kernelW]);
  check.shape(0, [samples, rows, columns, outputs]);
  check.output(check.mantissas, [samples, height, width, channels]);
  check.gate(gate);
}

export function convWeightGrad(check: NodeCheck<"CONV_WEIGHT_GRAD">): void {
  check.count(2);
  for (const i of [0, 1]) check.dtype(i, "I8", "I16");
  const [channels, samples, height, width] = check.rank(0, 4) as Four;
  const [outputs] = check.rank(1, 4) as Four;
  for (const i of [0, 1]) check.rows(i, 2);
  const parts = groups(check, channels, outputs);
  const { shape } = check.node.output;
  check.require(shape.length === 4, "shape", `its output has rank ${shape.length}`);
  const [, kernelH, kernelW] = shape as Four;
  check.shape(1, [outputs, samples, ...windows(check, [height, width], [kernelH, kernelW])]);
  check.output("I32", [outputs, kernelH, kernelW, channels / parts], 3);
}

/** Kernel of a pool; every window must hold at least one pixel of the image. */
function pool(check: NodeCheck<Pool>, image: Four): Four {
  const { kernelH, kernelW } = check.node.attributes;
  check.within("kernelH", 1, limits.windowArea);
  check.within("kernelW", 1, limits.windowArea);
  for (const pad of ["padTop", "padBottom"]) check.within(pad, 0, kernelH - 1);
  for (const pad of ["padLeft", "padRight"]) check.within(pad, 0, kernelW - 1);
  const [samples, height, width, channels] = image;
  return [samples, ...windows(check, [height, width], [kernelH, kernelW]), channels];
}

export function pooling(check: NodeCheck<"MAX_POOL" | "MAX_POOL_INDEX" | "AVERAGE_POOL">): void {
  check.count(1);
  check.dtype(0, check.mantissas);
  const image = check.rank(0, 4) as Four;
  check.rows(0, 2);
  check.output(check.node.opcode === "MAX_POOL_INDEX" ? "U8" : check.mantissas, pool(check, image));
}

export function poolGrad(check: NodeCheck<"MAX_POOL_GRAD" | "AVERAGE_POOL_GRAD">): void {
  const routed = check.node.opcode === "MAX_POOL_GRAD";
  const { gate } = check.flagged(routed ? 2 : 1, check.node.attributes.flags, flags.gate);
  check.dtype(0, check.mantissas);
  const { shape } = check.node.output;
  check.require(shape.length === 4, "shape", `its output has rank ${shape.length}`);
  const pooled = pool(check, shape as unknown as Four);
  for (const i of routed ? [0, 1] : [0]) {
    check.shape(i, pooled);
    check.rows(i, 2);
  }
  if (routed) check.dtype(1, "U8");
  check.output(check.mantissas, shape);
  check.gate(gate);
}
