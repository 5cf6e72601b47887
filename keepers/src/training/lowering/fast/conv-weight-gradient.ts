import type { TapeNode } from "../../../core/exact/tape/types.ts";
import { type Context, carrierFor, carrierLimits, gatherRows } from "./context.ts";
import { kernelOrder } from "./convolution.ts";
import type { Value } from "./emitter.ts";
import { NoFastRule } from "./errors.ts";
import { plus, scaleTo } from "./exponent.ts";
import { imageCover } from "./pooling.ts";
import {
  type BatchTensor,
  type FastTensor,
  type GradientTensor,
  inverse,
  largest,
  permuted,
  sameOrder,
} from "./tensors.ts";
import {
  type Columns,
  type ConvShape,
  columnsOf,
  convShape,
  findColumns,
  outputMap,
  wideKernel,
} from "./windows.ts";

type Image = readonly [number, number, number];

/** CONV_WEIGHT_GRAD: patches times gradients in chunks whose sums are exact; float64 adds the chunks. */
export function convWeightGradient(
  ctx: Context,
  node: TapeNode<"CONV_WEIGHT_GRAD">,
  [x, d]: readonly FastTensor[],
  image: Image,
  size: readonly [number, number],
): GradientTensor {
  const [height, width, channels] = image;
  if (
    x?.kind !== "batch" ||
    d?.kind !== "batch" ||
    x.inner !== height * width ||
    d.inner !== size[0] * size[1]
  )
    throw new NoFastRule("a weight gradient of something else than channels-first batches");
  const { e, batch } = ctx;
  const [outputs, kernelH, kernelW] = node.output.shape as [number, number, number, number];
  const kernel = [kernelH, kernelW] as const;
  const rows = channelsLast(x.map, channels);
  const dRows = channelsLast(d.map, outputs);
  const wide = d.unpooled?.windows;
  const pool = wide?.conv?.columns.shape.pool ?? 1;
  const joined = convShape(node.attributes, image, kernel, outputs, size, pool);
  const pooled =
    wide?.conv !== undefined &&
    JSON.stringify(wide.conv.columns.shape) === JSON.stringify(joined) &&
    sameOrder(imageCover(wide, size), dRows);
  const shape = pooled ? joined : convShape(node.attributes, image, kernel, outputs, size, 1);
  const split = pooled
    ? undefined
    : byRows(ctx, { value: x.value, map: rows }, { value: d.value, map: dRows }, shape, [x, d]);
  const exponent = plus(e, x.exponent, d.exponent);
  const scale = scaleTo(e, exponent, node.attributes.exponent, "float64");
  if (split !== undefined)
    return { kind: "gradient", value: e.mul(split, scale), order: kernelOrder(shape), rounded: false };
  const columns = columnsOf(ctx, x, rows, shape, false);
  const { chunks, positions } = columns;
  // At most one place of a block holds a gradient, so a pooled position is one term for each sample.
  const sum = positions * batch * largest(x.range) * largest(d.range);
  const carrier = carrierFor(ctx, "CONV_WEIGHT_GRAD", sum);
  const lead = shape.groups > 1 ? [chunks, shape.groups] : [chunks];
  const places = shape.pool ** 2;
  const matrix = pooled ? d.value : gatherRows(ctx, d.value, chunkRows(columns, dRows));
  const right = e.reshape(matrix, [...lead, places * shape.outputs, positions * batch]);
  const product = e.matmulTransposed(e.cast(columns.value, carrier), e.cast(right, carrier));
  const folded = e.cast(fold(ctx, product, columns), "float64");
  const total = chunks === 1 ? folded : e.reduce("ReduceSum", folded, [0]);
  return { kind: "gradient", value: e.mul(e.flat(total), scale), order: kernelOrder(shape), rounded: false };
}

/** Rows in the order (y, x, c) of a map in the order (c, y, x). */
function channelsLast(map: Int32Array, channels: number): Int32Array {
  return permuted([channels, map.length / channels], [1, 0]).map((source) => map[source]!);
}

/** The rows of an image (y, x, c) in the order of a product's result: [chunk, channel, position]. */
export function chunkRows(columns: Pick<Columns, "shape" | "positions">, rows: Int32Array): Int32Array {
  const order = inverse(outputMap(columns));
  return order.map((feature) => rows[feature]!);
}

/** Sums of the gradients of the kernel at every place: [chunks, parameters]. */
function fold(ctx: Context, product: Value, { shape, chunks, taps }: Columns): Value {
  const { e } = ctx;
  const { groups, kernel, stride, channels, outputs, pool } = shape;
  const [, wideW] = wideKernel(shape);
  const size = groups * kernel[0] * kernel[1] * channels * outputs;
  const rank = product.shape.length;
  const axes = [rank - 2, rank - 1];
  if (pool === 1) return e.reshape(e.slice(product, [rank - 2], [0], [taps]), [chunks, size]);
  const length = kernel[0] * wideW * channels;
  const parts = Array.from({ length: pool * pool }, (_, place) => {
    const first = (Math.floor(place / pool) * stride[0] * wideW + (place % pool) * stride[1]) * channels;
    const column = place * outputs;
    return e.slice(product, axes, [first, column], [first + length, column + outputs]);
  });
  const sum = e.op("Sum", parts, parts[0]!.shape);
  const kernels = e.reshape(sum, [chunks * groups, kernel[0], wideW, channels * outputs]);
  return e.reshape(e.slice(kernels, [2], [0], [kernel[1]]), [chunks, size]);
}

type Rows = Pick<BatchTensor, "value" | "map">;

/**
 * Stride 1 without patches at hand: patches of one row of the image against the gradients of all output rows that read it,
 * [rows, kw·channels, …] · [rows, kh·outputs, …]ᵀ. Each operand is gathered as often as the kernel has columns or rows, not as
 * often as it has taps. Undefined where that is no less.
 */
function byRows(
  ctx: Context,
  x: Rows,
  d: Rows,
  shape: ConvShape,
  tensors: readonly [BatchTensor, BatchTensor],
): Value | undefined {
  const { e, batch } = ctx;
  const { kernel, stride, groups, channels, outputs, height, width, size, pad } = shape;
  const [kernelH, kernelW] = kernel;
  const fewer = kernelW * channels + kernelH * outputs < kernelH * kernelW * channels;
  if (groups > 1 || stride[0] > 1 || stride[1] > 1 || !fewer) return undefined;
  if (findColumns(ctx, tensors[0].value, x.map, shape) !== undefined) return undefined;
  const perPosition = batch * largest(tensors[0].range) * largest(tensors[1].range);
  const limit = carrierLimits[ctx.carrier];
  let positions = size[1];
  while (positions > 1 && (size[1] % positions !== 0 || positions * perPosition >= limit)) positions--;
  const carrier = carrierFor(ctx, "CONV_WEIGHT_GRAD", positions * perPosition);
  const parts = size[1] / positions;
  const patches = new Int32Array(height * parts * kernelW * channels * positions);
  const shifted = new Int32Array(height * parts * kernelH * outputs * positions);
  let [atX, atD] = [0, 0];
  for (let row = 0; row < height; row++) {
    for (let part = 0; part < parts; part++) {
      for (let i = 0; i < kernelW * channels * positions; i++) {
        const c = Math.floor(i / positions) % channels;
        const column = part * positions + (i % positions) + Math.floor(i / positions / channels) - pad[1];
        const inside = column >= 0 && column < width;
        patches[atX++] = inside ? x.map[(row * width + column) * channels + c]! : -1;
      }
      for (let i = 0; i < kernelH * outputs * positions; i++) {
        const o = Math.floor(i / positions) % outputs;
        const out = row + pad[0] - Math.floor(i / positions / outputs);
        const column = part * positions + (i % positions);
        const inside = out >= 0 && out < size[0];
        shifted[atD++] = inside ? d.map[(out * size[1] + column) * outputs + o]! : -1;
      }
    }
  }
  const terms = positions * batch;
  const operand = (value: Value, rows: Int32Array, features: number) =>
    e.cast(e.reshape(gatherRows(ctx, value, rows), [height * parts, features, terms]), carrier);
  const product = e.matmulTransposed(
    operand(x.value, patches, kernelW * channels),
    operand(d.value, shifted, kernelH * outputs),
  );
  const total = e.reduce("ReduceSum", e.cast(product, "float64"), [0]);
  return e.flat(e.transpose(e.reshape(total, [kernelW, channels, kernelH, outputs]), [2, 0, 1, 3]));
}
