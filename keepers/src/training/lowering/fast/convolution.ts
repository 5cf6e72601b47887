import { flags, type TapeNode } from "../../../core/exact/tape/types.ts";
import { attribute } from "../../onnx/builder.ts";
import { biasAt } from "./bias.ts";
import { biasLimit, type Context, carrierFor, mantissaLimit, rowsInOrder } from "./context.ts";
import type { Carrier, Value } from "./emitter.ts";
import { NoFastRule } from "./errors.ts";
import { plus } from "./exponent.ts";
import { fix, requantize, type Sums } from "./requantize.ts";
import {
  type BatchTensor,
  type FastTensor,
  identity,
  inverse,
  largest,
  permuted,
  type SlotTensor,
} from "./tensors.ts";
import {
  type Columns,
  type ConvShape,
  columnsOf,
  convShape,
  type Kernel,
  outputMap,
  type PooledWindows,
  wideKernel,
} from "./windows.ts";

type Conv = TapeNode<"CONV">;

/** A convolution's result, and the windows that a pool after it chose from. */
export type ConvResult = { readonly tensor: BatchTensor; readonly windows?: PooledWindows };

/** CONV: patches by one Gather, then one product for each chunk of outputs; a pool of k × k joins in. */
export function convolution(
  ctx: Context,
  node: Conv | TapeNode<"CONV_POOL_INDEX">,
  [x, w, ...rest]: readonly FastTensor[],
  image: readonly [number, number, number],
  kernel: readonly [number, number],
): ConvResult {
  if (x?.kind !== "batch" || w?.kind !== "slot" || !w.quantized || x.inner !== x.map.length)
    throw new NoFastRule("a convolution of something else than the batch with a weight");
  const { e, bits, batch, slots } = ctx;
  const { attributes } = node;
  const { pool } = attributes;
  const outputs = node.output.shape[3]!;
  const shape = convShape(attributes, image, kernel, outputs, beforePool(attributes, image, kernel), pool);
  const hasBias = (attributes.flags & flags.bias) !== 0;
  const relu = (attributes.flags & flags.relu) !== 0;
  const terms = kernel[0] * kernel[1] * shape.channels;
  const bound = terms * mantissaLimit(bits) * largest(x.range) + (hasBias ? biasLimit(bits) : 0);
  const places = pool * pool;
  const factor = 2 ** Math.ceil(Math.log2(places));
  const carrier = carrierFor(ctx, `CONV over ${terms} terms`, bound * factor + places - 1);
  const exponent = plus(e, x.exponent, slots.exponent(w.slot));
  const bias = hasBias ? biasAt(ctx, rest[0], identity(outputs), exponent) : undefined;
  const sums = { exponent, bound, factor, coded: pool > 1 };
  if (pool === 1 && carrier === "float32") {
    const taps = e.reshape(slots.read(e, w, kernelOrder(shape)), [
      shape.groups,
      kernel[0] * kernel[1],
      shape.channels,
      shape.outputs,
    ]);
    const weight = e.reshape(e.transpose(taps, [0, 3, 2, 1]), [
      outputs,
      shape.channels,
      kernel[0] * kernel[1],
    ]);
    const { value, map } = nativeConvolution(ctx, x, weight, shape, bias, relu);
    return { tensor: finish(ctx, node, { value, map, inner: map.length }, { ...sums, positive: relu }) };
  }
  const columns = columnsOf(ctx, x, x.map, shape, hasBias);
  const taps = kernelTaps(ctx, w, shape, factor);
  const matrix = forwardMatrix(ctx, shape, columns, taps.taps, bias, factor, carrier);
  const candidates = e.reshape(e.matmul(matrix, e.cast(columns.value, carrier)), [
    columns.chunks * shape.groups,
    places,
    shape.outputs * columns.positions * batch,
  ]);
  const map = outputMap(columns);
  const top = pool === 1 ? candidates : e.reduce("ReduceMax", candidates, [1], true);
  const value = e.reshape(top, [map.length, batch]);
  const tensor = finish(ctx, node, { value, map, inner: map.length }, { ...sums, relu });
  return { tensor, ...windowsOf(columns, taps, candidates, top, tensor) };
}

/** Finish Q, or F where the node's flags say so. */
function finish(
  ctx: Context,
  { attributes }: Pick<Conv, "attributes">,
  sums: Pick<BatchTensor, "value" | "map" | "inner">,
  rest: Omit<Sums, "value">,
): BatchTensor {
  const { value, ...place } = sums;
  if ((attributes.flags & flags.fixed) === 0)
    return { kind: "batch", ...place, ...requantize(ctx, { value, ...rest }) };
  const { e } = ctx;
  const { factor = 1, relu = false, exponent } = rest;
  const whole = factor === 1 ? value : e.unary("Floor", e.mul(value, e.numbers([1 / factor], value.type)));
  const fixed = fix(ctx, relu ? e.unary("Relu", whole) : whole, exponent, attributes.exponent);
  const [max, at] = [2 ** 31 - 1, attributes.exponent];
  return { kind: "batch", ...place, value: fixed, range: { min: -max, max }, exponent: { lo: at, hi: at } };
}

/**
 * A convolution by ONNX Runtime's own operator, which needs no patches in memory. Channels, height and width are axes, and
 * the batch is a third spatial axis that the kernel does not reach along.
 * @param weight [outputs, channels of a group, taps]
 */
export function nativeConvolution(
  ctx: Context,
  x: BatchTensor,
  weight: Value,
  shape: ConvShape,
  bias?: Value,
  relu = false,
): Pick<BatchTensor, "value" | "map"> {
  const { e, batch } = ctx;
  const { groups, channels, outputs, kernel, stride, pad, size, height, width } = shape;
  const all = channels * groups;
  const planes = rowsInOrder(ctx, x, permuted([height * width, all], [1, 0]));
  const after = [0, 1].map((axis) => {
    const reach = (size[axis]! - 1) * stride[axis]! + kernel[axis]!;
    return Math.max(0, reach - [height, width][axis]! - pad[axis]!);
  });
  const inputs = [
    e.reshape(planes, [1, all, height, width, batch]),
    e.reshape(weight, [outputs * groups, channels, ...kernel, 1]),
    ...(bias === undefined ? [] : [e.cast(bias, "float32")]),
  ];
  const sums = e.op("Conv", inputs, [1, outputs * groups, ...size, batch], "float32", {
    kernel_shape: attribute.ints([...kernel, 1]),
    strides: attribute.ints([...stride, 1]),
    pads: attribute.ints([...pad, 0, after[0]!, after[1]!, 0]),
    group: attribute.int(groups),
  });
  const area = size[0] * size[1];
  const rows = outputs * groups * area;
  const value = e.reshape(relu ? e.unary("Relu", sums) : sums, [rows, batch]);
  return { value, map: inverse(permuted([area, outputs * groups], [1, 0])) };
}

/** Output size before the pool. */
export function beforePool(
  a: Conv["attributes"],
  [height, width]: readonly [number, number, number],
  kernel: readonly [number, number],
): [number, number] {
  return [
    Math.floor((height + a.padTop + a.padBottom - kernel[0]) / a.strideH) + 1,
    Math.floor((width + a.padLeft + a.padRight - kernel[1]) / a.strideW) + 1,
  ];
}

/** Position of a kernel in the graph: [(groups,) kh, kw, channel, output] → logical element of [outputs, kh, kw, channels]. */
export function kernelOrder({ groups, kernel, channels, outputs }: ConvShape): Int32Array {
  const [kh, kw] = kernel;
  const area = kh * kw;
  const order = new Int32Array(groups * area * channels * outputs);
  for (let p = 0; p < order.length; p++) {
    const o = p % outputs;
    const c = Math.floor(p / outputs) % channels;
    const tap = Math.floor(p / outputs / channels) % area;
    const group = Math.floor(p / outputs / channels / area);
    order[p] = ((group * outputs + o) * area + tap) * channels + c;
  }
  return order;
}

/** The kernel at every place of the pool's block, side by side: [(groups,) taps, places·outputs]. */
function kernelTaps(ctx: Context, w: SlotTensor, shape: ConvShape, factor: number): Kernel {
  const { e, slots } = ctx;
  const { groups, kernel, stride, channels, outputs, pool } = shape;
  const lead = groups > 1 ? [groups] : [];
  const whole = [...lead, ...kernel, channels, outputs];
  const value = e.reshape(slots.read(e, w, kernelOrder(shape)), whole);
  const [wideH, wideW] = wideKernel(shape);
  const scaled = factor === 1 ? value : e.mul(value, e.numbers([factor], ctx.carrier));
  const none = lead.map(() => 0);
  const shifted: Value[] = [];
  for (let place = 0; place < pool * pool; place++) {
    const [y, x] = [Math.floor(place / pool) * stride[0], (place % pool) * stride[1]];
    const after = [wideH - kernel[0] - y, wideW - kernel[1] - x];
    shifted.push(e.pad(scaled, [...none, y, x, 0, 0], [...none, ...after, 0, 0]));
  }
  const wide = e.concat(shifted, lead.length + 3);
  const taps = e.reshape(wide, [...lead, wideH * wideW * channels, pool * pool * outputs]);
  return { slot: w.slot, taps, factor };
}

/** [(groups,) places·outputs, taps + extra]: the kernel, and what the row of ones brings in: bias and code. */
function forwardMatrix(
  ctx: Context,
  { groups, outputs, pool }: ConvShape,
  { extra }: Columns,
  taps: Value,
  bias: Value | undefined,
  factor: number,
  carrier: Carrier,
): Value {
  const { e } = ctx;
  const lead = groups > 1 ? [groups] : [];
  const rank = taps.shape.length;
  const turned = e.transpose(taps, rank === 3 ? [0, 2, 1] : [1, 0]);
  if (extra === 0) return e.cast(turned, carrier);
  const places = pool * pool;
  const rows = places * outputs;
  const whole = [...lead, 1, outputs];
  const brought = bias === undefined ? e.filled(0, carrier, whole) : e.reshape(e.cast(bias, carrier), whole);
  const scaled = factor === 1 || bias === undefined ? brought : e.mul(brought, e.numbers([factor], carrier));
  const codes = Array.from({ length: places }, (_, place) => places - 1 - place);
  const coded = places === 1 ? scaled : e.add(scaled, e.numbers(codes, carrier, [places, 1]));
  const column = e.reshape(coded, [...lead, rows, 1]);
  const columns = [e.cast(turned, carrier), column];
  if (extra > 1) columns.push(e.filled(0, carrier, [...lead, rows, extra - 1]));
  return e.concat(columns, rank - 1);
}

function windowsOf(
  columns: Columns,
  kernel: Kernel,
  candidates: Value,
  top: Value,
  pooled: BatchTensor,
): { windows?: PooledWindows } {
  const { shape, positions } = columns;
  const { pool, size, outputs, groups } = shape;
  if (pool === 1) return {};
  const all = outputs * groups;
  // Rows of candidates lie as [chunk, group, place, output, position]; the image before the pool may be larger than the
  // blocks cover.
  const [height, width] = [size[0] * pool, size[1] * pool];
  const map = new Int32Array(height * width * all);
  for (let f = 0; f < map.length; f++) {
    const channel = f % all;
    const x = Math.floor(f / all) % width;
    const y = Math.floor(f / all / width);
    const block = Math.floor(y / pool) * size[1] + Math.floor(x / pool);
    const place = (y % pool) * pool + (x % pool);
    const chunk = Math.floor(block / positions);
    const lead = chunk * groups + Math.floor(channel / outputs);
    map[f] = ((lead * pool * pool + place) * outputs + (channel % outputs)) * positions + (block % positions);
  }
  return {
    windows: {
      candidates,
      top,
      pooled,
      image: [height, width],
      overlap: 1,
      cover: map,
      conv: { columns, kernel },
    },
  };
}
