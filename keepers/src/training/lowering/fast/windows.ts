import type { Attributes } from "../../../core/exact/tape/types.ts";
import { type Context, carrierLimits, mantissaLimit } from "./context.ts";
import type { Carrier, Value } from "./emitter.ts";
import { type BatchTensor, largest, sameOrder } from "./tensors.ts";

/** A convolution, its pool included: the kernel of k × k outputs at once, moved by k outputs. */
export type ConvShape = {
  readonly height: number;
  readonly width: number;
  /** Channels of one group, before and after. */
  readonly channels: number;
  readonly outputs: number;
  readonly groups: number;
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly pad: readonly [number, number];
  readonly pool: number;
  /** Size of the output, after the pool. */
  readonly size: readonly [number, number];
};

type WindowAttributes = Pick<
  Attributes<"CONV_WEIGHT_GRAD">,
  "strideH" | "strideW" | "padTop" | "padLeft" | "groups"
>;

/** @param size of the output before the pool */
export function convShape(
  attributes: WindowAttributes,
  image: readonly [number, number, number],
  kernel: readonly [number, number],
  outputs: number,
  size: readonly [number, number],
  pool: number,
): ConvShape {
  const { strideH, strideW, padTop, padLeft, groups } = attributes;
  return {
    height: image[0],
    width: image[1],
    channels: image[2] / groups,
    outputs: outputs / groups,
    groups,
    kernel,
    stride: [strideH, strideW],
    pad: [padTop, padLeft],
    pool,
    size: [Math.floor(size[0] / pool), Math.floor(size[1] / pool)],
  };
}

/** Kernel that covers all places of a pool's block. */
export function wideKernel({ kernel, stride, pool }: ConvShape): [number, number] {
  return [kernel[0] + (pool - 1) * stride[0], kernel[1] + (pool - 1) * stride[1]];
}

/** Patches of an image: [chunks, (groups,) taps + extra, positions·N]. */
export type Columns = {
  readonly source: BatchTensor;
  /** The source's rows in the order (y, x, c). */
  readonly rows: Int32Array;
  readonly shape: ConvShape;
  readonly value: Value;
  /** Outputs (after the pool) of one chunk: few enough that the sums of a weight gradient over it are exact. */
  readonly positions: number;
  readonly chunks: number;
  readonly taps: number;
  /** Rows of ones after the taps: for bias and codes, and so that every shifted kernel is a contiguous range. */
  readonly extra: number;
};

/** Maxima over blocks or windows: candidates·factor + code, the code larger for an earlier place. */
export type PooledWindows = {
  /** [groups of rows, places, features·N] */
  readonly candidates: Value;
  readonly top: Value;
  /** The pooled tensor. */
  readonly pooled: BatchTensor;
  /** Height and width of the image, as far as the windows cover it. */
  readonly image: readonly [number, number];
  /** Windows that can cover one element. */
  readonly overlap: number;
  /** [overlap, elements (y, x, c)]: rows of the candidates' matrix that stand for the element; −1 for none. */
  readonly cover: Int32Array;
  /** The convolution before the pool, where it was computed together with it. */
  readonly conv?: { readonly columns: Columns; readonly kernel: Kernel };
};

/** The kernel as a matrix [(groups,) taps, outputs of all places], times a power of two. */
export type Kernel = { readonly slot: number; readonly taps: Value; readonly factor: number };

/**
 * Outputs of one chunk: the most that divide all and keep the sums of a weight gradient exact; all of them where not even
 * one output keeps within the limit.
 */
export function chunkPositions(
  ctx: Context,
  x: BatchTensor,
  [height, width]: readonly [number, number],
): number {
  const all = height * width;
  const perPosition = ctx.batch * mantissaLimit(ctx.bits) * largest(x.range);
  for (let positions = all; positions > 0; positions--) {
    if (all % positions === 0 && positions * perPosition < carrierLimits[ctx.carrier]) return positions;
  }
  return all;
}

/** Patches of these rows that were gathered before. */
export function findColumns(
  ctx: Context,
  source: Value,
  rows: Int32Array,
  shape: ConvShape,
): Columns | undefined {
  return ctx.columns.find(
    (c) => c.source.value === source && sameShapeOf(c.shape, shape) && sameOrder(c.rows, rows),
  );
}

/** The patches that a convolution multiplies with its kernel, gathered once for forward and backward. */
export function columnsOf(
  ctx: Context,
  x: BatchTensor,
  rows: Int32Array,
  shape: ConvShape,
  ones: boolean,
): Columns {
  const known = findColumns(ctx, x.value, rows, shape);
  if (known !== undefined && (known.extra > 0 || !ones)) return known;
  const { e, batch } = ctx;
  const { groups, channels, pool, stride, size } = shape;
  const [kernelH, kernelW] = wideKernel(shape);
  const taps = kernelH * kernelW * channels;
  const all = size[0] * size[1];
  const positions = chunkPositions(ctx, x, size);
  const chunks = all / positions;
  const extra = pool > 1 ? (pool - 1) * stride[1] * channels : Number(ones);
  const type = x.value.type as Carrier;
  const count = x.value.shape[0]!;
  const index = new Int32Array(chunks * groups * (taps + extra) * positions).fill(count + 1);
  let padded = false;
  let at = 0;
  for (let chunk = 0; chunk < chunks; chunk++) {
    for (let group = 0; group < groups; group++) {
      for (let tap = 0; tap < taps; tap++) {
        const c = group * channels + (tap % channels);
        const kw = Math.floor(tap / channels) % kernelW;
        const kh = Math.floor(tap / channels / kernelW);
        for (let i = 0; i < positions; i++) {
          const output = chunk * positions + i;
          const y = Math.floor(output / size[1]) * stride[0] * pool + kh - shape.pad[0];
          const px = (output % size[1]) * stride[1] * pool + kw - shape.pad[1];
          const inside = y >= 0 && y < shape.height && px >= 0 && px < shape.width;
          const row = inside ? rows[(y * shape.width + px) * channels * groups + c]! : -1;
          if (row < 0) padded = true;
          index[at++] = row < 0 ? count : row;
        }
      }
      at += extra * positions;
    }
  }
  const tail = [padded ? 0 : undefined, extra > 0 ? 1 : undefined].filter((v) => v !== undefined);
  const oneRow = count + Number(padded);
  for (let i = 0; i < index.length; i++) if (index[i] === count + 1) index[i] = oneRow;
  const constants = tail.map((v) => e.filled(v, type, [1, batch]));
  const table = constants.length === 0 ? x.value : e.concat([x.value, ...constants], 0);
  const lead = groups > 1 ? [chunks, groups] : [chunks];
  const gathered = e.gather(table, e.indices(index, [...lead, taps + extra, positions]));
  const value = e.reshape(gathered, [...lead, taps + extra, positions * batch]);
  const columns: Columns = { source: x, rows, shape, value, positions, chunks, taps, extra };
  ctx.columns.push(columns);
  return columns;
}

/** Row of an output (Y, X, o): rows lie as [chunk, channel, position]. */
export function outputMap({ shape, positions }: Pick<Columns, "shape" | "positions">): Int32Array {
  const outputs = shape.outputs * shape.groups;
  const map = new Int32Array(shape.size[0] * shape.size[1] * outputs);
  for (let f = 0; f < map.length; f++) {
    const place = Math.floor(f / outputs);
    map[f] = (Math.floor(place / positions) * outputs + (f % outputs)) * positions + (place % positions);
  }
  return map;
}

function sameShapeOf(a: ConvShape, b: ConvShape): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
