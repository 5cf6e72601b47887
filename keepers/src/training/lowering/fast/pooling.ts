import { type Attributes, flags, type TapeNode } from "../../../core/exact/tape/types.ts";
import { gated } from "./align.ts";
import { type Context, carrierFor, gatherRows, rowsInOrder } from "./context.ts";
import type { Carrier, Value } from "./emitter.ts";
import { NoFastRule } from "./errors.ts";
import { offset } from "./exponent.ts";
import { requantize } from "./requantize.ts";
import { type BatchTensor, type FastTensor, identity, inverse, largest } from "./tensors.ts";
import type { PooledWindows } from "./windows.ts";

type Image = readonly [number, number, number];
type Window = Attributes<"MAX_POOL">;

/** [places, outputs (Y, X, c)]: the element (y, x, c) at each place of each window; −1 outside the image. */
function windowElements(
  a: Window,
  [height, width, channels]: Image,
  [outH, outW]: readonly number[],
): Int32Array {
  const outputs = outH! * outW! * channels;
  const elements = new Int32Array(a.kernelH * a.kernelW * outputs).fill(-1);
  for (let i = 0; i < elements.length; i++) {
    const place = Math.floor(i / outputs);
    const c = i % channels;
    const out = Math.floor((i % outputs) / channels);
    const y = Math.floor(out / outW!) * a.strideH + Math.floor(place / a.kernelW) - a.padTop;
    const x = (out % outW!) * a.strideW + (place % a.kernelW) - a.padLeft;
    if (y >= 0 && y < height && x >= 0 && x < width) elements[i] = (y * width + x) * channels + c;
  }
  return elements;
}

/** [overlap, elements]: which of the windows' places stand for each element; −1 for none. */
function coverOf(places: Int32Array, elements: number): { overlap: number; cover: Int32Array } {
  const found = Array.from({ length: elements }, (): number[] => []);
  places.forEach((element, i) => {
    if (element >= 0) found[element]!.push(i);
  });
  const overlap = found.reduce((most, list) => Math.max(most, list.length), 1);
  const cover = new Int32Array(overlap * elements).fill(-1);
  found.forEach((list, element) => {
    list.forEach((i, term) => {
      cover[term * elements + element] = i;
    });
  });
  return { overlap, cover };
}

/** The order that the pooled rows lie in: that of the image's rows, so that neighbours stay neighbours. */
function outputOrder(x: BatchTensor, places: Int32Array, outputs: number): Int32Array {
  const first = (output: number) => {
    for (let i = output; i < places.length; i += outputs) if (places[i]! >= 0) return x.map[places[i]!]!;
    return -1;
  };
  const rows = Array.from({ length: outputs }, (_, output) => first(output));
  return identity(outputs).sort((a, b) => rows[a]! - rows[b]! || a - b);
}

/** MAX_POOL: windows by one Gather; the first of equal maxima by a code below the value. */
export function maxPool(
  ctx: Context,
  node: TapeNode<"MAX_POOL"> | TapeNode<"MAX_POOL_INDEX">,
  [x]: readonly FastTensor[],
  image: Image,
): PooledWindows {
  if (x?.kind !== "batch" || x.inner !== x.map.length)
    throw new NoFastRule("a pool of something else than a batch");
  const { e, batch } = ctx;
  const a = node.attributes;
  const [, outH, outW, channels] = node.output.shape as [number, number, number, number];
  const outputs = outH * outW * channels;
  const places = a.kernelH * a.kernelW;
  const factor = 2 ** Math.ceil(Math.log2(places));
  const lowest = -largest(x.range) - 1;
  const carrier = carrierFor(ctx, "MAX_POOL", -lowest * factor + places);
  const elements = windowElements(a, image, [outH, outW]);
  const order = outputOrder(x, elements, outputs);
  const count = x.value.shape[0]!;
  const ordered = elements.map((_, i) => elements[Math.floor(i / outputs) * outputs + order[i % outputs]!]!);
  const rows = ordered.map((element) => (element < 0 ? -1 : x.map[element]!));
  // −1 is a place outside the image and never the largest; −2 is an element that is 0.
  const index = rows.map((row, i) => (row >= 0 ? row : ordered[i]! < 0 ? count : count + 1));
  const constants = e.numbers(
    [lowest, 0].flatMap((v) => new Array<number>(batch).fill(v)),
    x.value.type,
    [2, batch],
  );
  const table = rows.includes(-1) ? e.concat([x.value, constants], 0) : x.value;
  const windows = e.cast(
    e.reshape(e.gather(table, e.indices(index, [places, outputs])), [1, places, outputs * batch]),
    carrier,
  );
  const codes = Array.from({ length: places }, (_, place) => places - 1 - place);
  const candidates = e.affine(windows, e.filled(factor, carrier, [places]), e.numbers(codes, carrier));
  const top = e.reduce("ReduceMax", candidates, [1], true);
  const value = e.cast(
    e.unary("Floor", e.mul(e.reshape(top, [outputs, batch]), e.numbers([1 / factor], carrier))),
    ctx.carrier,
  );
  const { range, exponent } = x;
  const pooled: BatchTensor = { kind: "batch", value, map: inverse(order), inner: outputs, range, exponent };
  const { overlap, cover } = coverOf(ordered, x.map.length);
  return { candidates, top, pooled, image: [image[0], image[1]], overlap, cover };
}

/** The windows' cover of a whole image (y, x, c), where they cover a part of it or all; one term only. */
export function imageCover(windows: PooledWindows, [height, width]: readonly [number, number]): Int32Array {
  const { image, cover, overlap } = windows;
  if (overlap !== 1) return new Int32Array(0);
  if (image[0] === height && image[1] === width) return cover;
  const channels = cover.length / (image[0] * image[1]);
  return Int32Array.from({ length: height * width * channels }, (_, i) => {
    const x = Math.floor(i / channels) % width;
    const y = Math.floor(i / channels / width);
    return y < image[0] && x < image[1] ? cover[(y * image[1] + x) * channels + (i % channels)]! : -1;
  });
}

/** MAX_POOL_GRAD: the candidates are distinct integers, so max(candidate − top + 1, 0) is 1 at the maximum, else 0. */
export function maxPoolGradient(
  ctx: Context,
  node: TapeNode<"MAX_POOL_GRAD">,
  [d, index, gate]: readonly FastTensor[],
): BatchTensor {
  if (d?.kind !== "batch" || index?.kind !== "index" || d.inner !== d.map.length)
    throw new NoFastRule("an un-pooling of something else than a batch");
  const { e, batch } = ctx;
  const { windows } = index;
  const { candidates, top, overlap } = windows;
  const [, height, width] = node.output.shape as [number, number, number, number];
  const carrier = candidates.type as Carrier;
  const one = e.numbers([1], carrier);
  const hit = e.cast(e.unary("Relu", e.sub(candidates, e.sub(top, one))), ctx.carrier);
  const rows = rowsInOrder(ctx, d, inverse(windows.pooled.map));
  const spread = e.mul(hit, e.reshape(rows, top.shape));
  const count = candidates.shape[0]! * candidates.shape[1]! * (candidates.shape[2]! / batch);
  const all = e.reshape(spread, [count, batch]);
  const hasGate = (node.attributes.flags & flags.gate) !== 0;
  const { range, exponent } = d;
  if (overlap === 1) {
    const map = imageCover(windows, [height, width]);
    const whole = { kind: "batch", value: all, map, inner: map.length, range, exponent } as const;
    const open: BatchTensor = hasGate ? gated(ctx, whole, gate) : whole;
    const { value, ...rest } = requantize(ctx, { value: open.value, exponent, bound: largest(range) });
    const tensor: BatchTensor = { ...open, value, ...rest };
    return hasGate || value !== all ? tensor : { ...tensor, unpooled: { windows, pooled: { ...d } } };
  }
  const [coverH, coverW] = windows.image;
  if (coverH !== height || coverW !== width)
    throw new NoFastRule("overlapping windows over a part of an image");
  const elements = windows.cover.length / overlap;
  const sum = sumRows(ctx, all, windows.cover, overlap, overlap * largest(range));
  const tensor = { kind: "batch", value: sum, map: identity(elements), inner: elements } as const;
  const open = hasGate ? gated(ctx, tensor, gate) : tensor;
  return { ...open, ...requantize(ctx, { value: open.value, exponent, bound: overlap * largest(range) }) };
}

/** Sums of rows by index [terms, rows]; −1 adds nothing. */
function sumRows(ctx: Context, value: Value, index: Int32Array, terms: number, bound: number): Value {
  const { e, batch } = ctx;
  const rows = index.length / terms;
  const carrier = carrierFor(ctx, `a sum of ${terms} terms`, bound);
  const gathered = e.cast(gatherRows(ctx, value, index), carrier);
  if (terms === 1) return e.reshape(gathered, [rows, batch]);
  const sums = e.matmul(e.filled(1, carrier, [1, terms]), e.reshape(gathered, [terms, rows * batch]));
  return e.reshape(sums, [rows, batch]);
}

/** Divide of `docs/exact-ops.md`, section 1. */
export function divide(
  ctx: Context,
  { value, bound, exponent }: Pick<BatchTensor, "value" | "exponent"> & { bound: number },
  n: number,
): Pick<BatchTensor, "value" | "exponent"> & { bound: number } {
  if (Number.isInteger(Math.log2(n))) return { value, bound, exponent: offset(exponent, -Math.log2(n)) };
  const { e } = ctx;
  const guard = 8;
  carrierFor(ctx, "a division", 2 * bound * 2 ** guard + n);
  const scaled = e.add(
    e.mul(e.cast(value, "float64"), e.numbers([2 ** (guard + 1)], "float64")),
    e.numbers([n], "float64"),
  );
  const quotient = e.unary("Floor", e.binary("Div", scaled, e.numbers([2 * n], "float64")));
  return {
    value: quotient,
    bound: Math.ceil((bound * 2 ** guard) / n) + 1,
    exponent: offset(exponent, -guard),
  };
}

/** AVERAGE_POOL. */
export function averagePool(
  ctx: Context,
  node: TapeNode<"AVERAGE_POOL">,
  [x]: readonly FastTensor[],
  image: Image,
): BatchTensor {
  if (x?.kind !== "batch" || x.inner !== x.map.length)
    throw new NoFastRule("a pool of something else than a batch");
  const a = node.attributes;
  const [, outH, outW, channels] = node.output.shape as [number, number, number, number];
  const outputs = outH * outW * channels;
  const area = a.kernelH * a.kernelW;
  const elements = windowElements(a, image, [outH, outW]);
  const order = outputOrder(x, elements, outputs);
  const rows = elements.map((_, i) => {
    const element = elements[Math.floor(i / outputs) * outputs + order[i % outputs]!]!;
    return element < 0 ? -1 : x.map[element]!;
  });
  const bound = area * largest(x.range);
  const sums = sumRows(ctx, x.value, rows, area, bound);
  const quotient = divide(ctx, { value: sums, bound, exponent: x.exponent }, area);
  const rounded = requantize(ctx, { ...quotient, positive: x.range.min >= 0 });
  return { kind: "batch", map: inverse(order), inner: outputs, ...rounded };
}

/** AVERAGE_POOL_GRAD: division before the spreading where no two windows meet, as it is then the same and smaller. */
export function averagePoolGradient(
  ctx: Context,
  node: TapeNode<"AVERAGE_POOL_GRAD">,
  [d, gate]: readonly FastTensor[],
  size: readonly [number, number],
): BatchTensor {
  if (d?.kind !== "batch" || d.inner !== d.map.length)
    throw new NoFastRule("a pool of something else than a batch");
  const a = node.attributes;
  const [, height, width, channels] = node.output.shape as [number, number, number, number];
  const area = a.kernelH * a.kernelW;
  const elements = height * width * channels;
  const places = windowElements(a, [height, width, channels], size);
  const { overlap, cover } = coverOf(places, elements);
  const outputs = size[0] * size[1] * channels;
  const sources = cover.map((place) => (place < 0 ? -1 : d.map[place % outputs]!));
  const hasGate = (a.flags & flags.gate) !== 0;
  const bound = overlap * largest(d.range);
  const before = { value: d.value, bound, exponent: d.exponent };
  const { value, map, ...sums } =
    overlap === 1
      ? { ...divide(ctx, before, area), map: sources }
      : {
          ...divide(ctx, { ...before, value: sumRows(ctx, d.value, sources, overlap, bound) }, area),
          map: identity(elements),
        };
  const tensor = { value, map, inner: elements };
  const open = hasGate ? gated(ctx, tensor, gate) : tensor;
  return { kind: "batch", ...open, ...requantize(ctx, { ...sums, value: open.value }) };
}
