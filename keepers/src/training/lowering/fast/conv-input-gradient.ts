import { flags, type TapeNode } from "../../../core/exact/tape/types.ts";
import { gated, rowOrder } from "./align.ts";
import { type Context, carrierFor, gatherRows, isPermutation, mantissaLimit } from "./context.ts";
import { chunkRows } from "./conv-weight-gradient.ts";
import { nativeConvolution } from "./convolution.ts";
import type { Carrier, Value } from "./emitter.ts";
import { NoFastRule } from "./errors.ts";
import { plus } from "./exponent.ts";
import { imageCover } from "./pooling.ts";
import { requantize } from "./requantize.ts";
import {
  type BatchTensor,
  type FastTensor,
  identity,
  inverse,
  largest,
  permuted,
  type SlotTensor,
  sameOrder,
} from "./tensors.ts";
import {
  type ConvShape,
  columnsOf,
  convShape,
  outputMap,
  type PooledWindows,
  wideKernel,
} from "./windows.ts";

type Image = readonly [number, number, number];

/** CONV_INPUT_GRAD. */
export function convInputGradient(
  ctx: Context,
  node: TapeNode<"CONV_INPUT_GRAD">,
  [d, w, gate]: readonly FastTensor[],
  size: Image,
  kernel: readonly [number, number],
): BatchTensor {
  if (d?.kind !== "batch" || w?.kind !== "slot" || !w.quantized || d.inner !== d.map.length)
    throw new NoFastRule("an input gradient of something else than the batch with a weight");
  const { attributes } = node;
  const image = node.output.shape.slice(1) as [number, number, number];
  const outputs = size[2];
  const before = [size[0], size[1]] as const;
  const hasGate = (attributes.flags & flags.gate) !== 0;
  const windows = d.unpooled?.windows;
  const pool = windows?.conv?.columns.shape.pool ?? 1;
  const joined = convShape(attributes, image, kernel, outputs, before, pool);
  const pooled =
    windows?.conv !== undefined &&
    windows.conv.kernel.slot === w.slot &&
    JSON.stringify(windows.conv.columns.shape) === JSON.stringify(joined) &&
    sameOrder(imageCover(windows, before), d.map) &&
    seenAsKernel(ctx, w, joined);
  const shape = pooled ? joined : convShape(attributes, image, kernel, outputs, before, 1);
  const result =
    turnedSums(ctx, d, w, shape) ??
    byTaps(ctx, d, w, shape, pooled ? windows : undefined, hasGate ? gate : undefined);
  const exponent = plus(ctx.e, d.exponent, ctx.slots.exponent(w.slot));
  const sums = { kind: "batch", inner: result.map.length, ...result } as const;
  const open = hasGate ? gated(ctx, sums, gate) : sums;
  const { value, map, inner } = open;
  const rounded = requantize(ctx, { value, exponent, bound: result.bound, factor: result.factor });
  return { kind: "batch", map, inner, ...rounded };
}

type InputSums = { value: Value; map: Int32Array; bound: number; factor: number };

/** The slot's kernel [(groups,) kh, kw, channel, output] through a weight turned to [channels, kh, kw, outputs]. */
function turnedOrder(shape: ConvShape): Int32Array {
  const { groups, kernel, channels, outputs } = shape;
  const area = kernel[0] * kernel[1];
  return permuted([groups, channels, area, outputs], [0, 2, 1, 3]);
}

function seenAsKernel(ctx: Context, w: SlotTensor, shape: ConvShape): boolean {
  const seen = ctx.slots.seenOrder(w);
  return seen !== undefined && sameOrder(seen, turnedOrder(shape));
}

/** Stride 1: a convolution of the gradient with the kernel turned round; undefined where that is not possible. */
function turnedSums(ctx: Context, d: BatchTensor, w: SlotTensor, shape: ConvShape): InputSums | undefined {
  const { e, bits, slots } = ctx;
  const { groups, kernel, channels, outputs, pad, size, stride, height, width, pool } = shape;
  const area = kernel[0] * kernel[1];
  const before = [kernel[0] - 1 - pad[0], kernel[1] - 1 - pad[1]] as const;
  const after = [height - size[0] + pad[0], width - size[1] + pad[1]];
  if (pool > 1 || stride[0] > 1 || stride[1] > 1 || [...before, ...after].some((n) => n < 0))
    return undefined;
  const turned: ConvShape = {
    ...shape,
    height: size[0],
    width: size[1],
    channels: outputs,
    outputs: channels,
    pad: before,
    size: [height, width],
  };
  const bound = area * outputs * mantissaLimit(bits) * largest(d.range);
  const carrier = carrierFor(ctx, `CONV_INPUT_GRAD over ${area * outputs} terms`, bound);
  if (carrier !== "float32" && groups > 1) return undefined;
  const taps = e.reshape(slots.read(e, w, turnedOrder(shape)), [groups, area, channels * outputs]);
  const lead = e.reshape(groups > 1 ? e.transpose(taps, [1, 0, 2]) : taps, [
    area,
    groups * channels * outputs,
  ]);
  const reversed = area === 1 ? lead : e.gather(lead, e.indices(identity(area).reverse()));
  if (carrier === "float32") {
    const weight = e.transpose(e.reshape(reversed, [area, groups * channels, outputs]), [1, 2, 0]);
    return { ...nativeConvolution(ctx, d, weight, turned), bound, factor: 1 };
  }
  const columns = columnsOf(ctx, d, d.map, turned, false);
  const matrix = e.reshape(e.transpose(e.reshape(reversed, [area, channels, outputs]), [1, 0, 2]), [
    channels,
    area * outputs,
  ]);
  const sums = e.matmul(e.cast(matrix, carrier), e.cast(columns.value, carrier));
  const map = outputMap(columns);
  return { value: e.reshape(sums, [map.length, ctx.batch]), map, bound, factor: 1 };
}

/** Any stride and pool: the gradient of every patch, then for each element one Gather of the taps that read it. */
function byTaps(
  ctx: Context,
  d: BatchTensor,
  w: SlotTensor,
  shape: ConvShape,
  windows: PooledWindows | undefined,
  gate: FastTensor | undefined,
): InputSums {
  const { e, bits, batch, slots } = ctx;
  const { groups, channels, outputs, stride, pool } = shape;
  const [wideH, wideW] = wideKernel(shape);
  const factor = windows?.conv?.kernel.factor ?? 1;
  const count = wideH * wideW * channels;
  const terms = Math.ceil(wideH / (stride[0] * pool)) * Math.ceil(wideW / (stride[1] * pool));
  const bound = terms * outputs * mantissaLimit(bits) * largest(d.range);
  const carrier = carrierFor(ctx, `CONV_INPUT_GRAD over ${terms * outputs} terms`, bound * factor);
  const lead = groups > 1 ? [groups] : [];
  const taps =
    windows?.conv?.kernel.taps ?? e.reshape(slots.read(e, w, turnedOrder(shape)), [...lead, count, outputs]);
  const width = taps.shape.at(-1)!;
  const padded = e.concat([taps, e.filled(0, taps.type as Carrier, [...lead, 1, width])], lead.length);
  const positions = windows?.conv?.columns.positions ?? shape.size[0] * shape.size[1];
  const chunks = (shape.size[0] * shape.size[1]) / positions;
  const matrix =
    windows === undefined ? gatherRows(ctx, d.value, chunkRows({ shape, positions }, d.map)) : d.value;
  const right = e.reshape(matrix, [chunks, ...lead, width, positions * batch]);
  const product = e.matmul(e.cast(padded, carrier), e.cast(right, carrier));
  const patches = e.reshape(product, [chunks * groups * (count + 1) * positions, batch]);
  const order = elementOrder(ctx, shape, gate);
  const index = tapRows(shape, order, positions, terms);
  const rows = order.length;
  const gathered = e.gather(patches, e.indices(index, terms === 1 ? [rows] : [terms, rows]));
  const value =
    terms === 1
      ? gathered
      : e.reshape(e.matmul(e.filled(1, carrier, [1, terms]), e.reshape(gathered, [terms, rows * batch])), [
          rows,
          batch,
        ]);
  return { value, map: inverse(order), bound, factor };
}

/** The order in which the next node will want the elements: the gate's, or that of the image in forward. */
function elementOrder(ctx: Context, shape: ConvShape, gate: FastTensor | undefined): Int32Array {
  if (gate?.kind === "batch" && isPermutation(gate)) return rowOrder(gate);
  const size = shape.height * shape.width * shape.channels * shape.groups;
  const forward = ctx.columns.find(
    ({ rows, source }) => rows.length === size && source.value.shape[0] === size,
  );
  const order = forward === undefined ? undefined : inverse(forward.rows);
  return order === undefined || order.includes(-1) ? identity(size) : order;
}

/** [terms, rows]: the row of [chunk, group, tap, position] that each term of an element comes from. */
function tapRows(shape: ConvShape, order: Int32Array, positions: number, terms: number): Int32Array {
  const { groups, channels, stride, pad, pool, size, width } = shape;
  const [wideH, wideW] = wideKernel(shape);
  const count = wideH * wideW * channels;
  const [stepH, stepW] = [stride[0] * pool, stride[1] * pool];
  const across = Math.ceil(wideW / stepW);
  const all = channels * groups;
  // The row of zeros that the taps were given, at the first position.
  const index = new Int32Array(terms * order.length).fill(count * positions);
  order.forEach((feature, r) => {
    const channel = feature % all;
    const y = Math.floor(feature / all / width) + pad[0];
    const x = (Math.floor(feature / all) % width) + pad[1];
    for (let term = 0; term < terms; term++) {
      const outY = Math.floor(y / stepH) - Math.floor(term / across);
      const outX = Math.floor(x / stepW) - (term % across);
      const [kh, kw] = [y - outY * stepH, x - outX * stepW];
      if (outY < 0 || outY >= size[0] || outX < 0 || outX >= size[1] || kh >= wideH || kw >= wideW) continue;
      const position = outY * size[1] + outX;
      const lead = Math.floor(position / positions) * groups + Math.floor(channel / channels);
      const tap = (kh * wideW + kw) * channels + (channel % channels);
      index[term * order.length + r] = (lead * (count + 1) + tap) * positions + (position % positions);
    }
  });
  return index;
}
