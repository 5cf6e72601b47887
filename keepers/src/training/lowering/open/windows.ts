import type { GraphBuilder } from "../../onnx/builder.ts";
import { elementCount } from "../../onnx/types.ts";
import { reshape, transpose } from "./arithmetic.ts";

/** How windows of an image lie: sizes of the image and of the grid of windows, kernel, strides, padding before. */
export type Windows = {
  readonly image: readonly [height: number, width: number];
  readonly grid: readonly [height: number, width: number];
  readonly kernel: readonly [height: number, width: number];
  readonly strideH: number;
  readonly strideW: number;
  readonly padTop: number;
  readonly padLeft: number;
};

/** Positions to gather, `taps` for each place; −1 where there is nothing. */
export type Taps = { readonly index: Int32Array; readonly places: number; readonly taps: number };

/** For every window (row-major): the pixels under it, kernel positions in row-major order. */
export function pixelsOfWindows({ image, grid, kernel, ...rest }: Windows): Taps {
  return taps(grid, kernel, (y, x, kh, kw) => {
    const row = y * rest.strideH + kh - rest.padTop;
    const column = x * rest.strideW + kw - rest.padLeft;
    return inside(row, column, image) ? row * image[1] + column : -1;
  });
}

/** For every pixel (row-major): the windows over it, by the kernel position at which it stands in them. */
export function windowsOfPixels({ image, grid, kernel, ...rest }: Windows): Taps {
  return taps(image, kernel, (y, x, kh, kw) => {
    const row = (y + rest.padTop - kh) / rest.strideH;
    const column = (x + rest.padLeft - kw) / rest.strideW;
    return Number.isInteger(row) && Number.isInteger(column) && inside(row, column, grid)
      ? row * grid[1] + column
      : -1;
  });
}

function inside(row: number, column: number, [height, width]: readonly [number, number]): boolean {
  return row >= 0 && row < height && column >= 0 && column < width;
}

function taps(
  [height, width]: readonly [number, number],
  [kernelH, kernelW]: readonly [number, number],
  position: (y: number, x: number, kh: number, kw: number) => number,
): Taps {
  const index = new Int32Array(height * width * kernelH * kernelW);
  let next = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let kh = 0; kh < kernelH; kh++) {
        for (let kw = 0; kw < kernelW; kw++) index[next++] = position(y, x, kh, kw);
      }
    }
  }
  return { index, places: height * width, taps: kernelH * kernelW };
}

/**
 * im2col: of float64 `image` [N, …positions, C] the values at `taps`, [N, places, taps, C]; `absent` where there are none.
 *
 * @param shape N, number of positions, C
 */
export function gatherTaps(
  builder: GraphBuilder,
  image: string,
  shape: readonly [number, number, number],
  { index, places, taps: count }: Taps,
  absent: number,
): string {
  const [n, positions, channels] = shape;
  let source = reshape(builder, image, shape);
  if (index.includes(-1)) {
    const fill = builder.constant(new Float64Array(n * channels).fill(absent), [n, 1, channels], "float64");
    source = builder.op("Concat", [source, fill], { axis: { type: "int", value: 1 } });
  }
  const positionsOf = builder.constant(
    index.map((position) => (position === -1 ? positions : position)),
    [places, count],
    "int32",
  );
  return builder.op("Gather", [source, positionsOf], { axis: { type: "int", value: 1 } });
}

/** Columns [N, places, taps, g·C'] as one matrix for each group: [g, N·places, taps·C']. */
export function groupColumns(
  builder: GraphBuilder,
  columns: string,
  shape: readonly [number, number, number, number],
  groups: number,
): string {
  const [n, places, count, channels] = shape;
  const split = reshape(builder, columns, [n * places, count, groups, channels / groups]);
  const grouped = transpose(builder, split, [2, 0, 1, 3]);
  return reshape(builder, grouped, [groups, n * places, (count * channels) / groups]);
}

/**
 * Products of columns [g, R, K] with weights [O, …K] of the same groups: [R, O].
 */
export function multiplyGroups(
  builder: GraphBuilder,
  columns: string,
  rows: number,
  weights: string,
  weightShape: readonly number[],
  groups: number,
): string {
  const outputs = weightShape[0]!;
  const inner = elementCount(weightShape.slice(1));
  const matrices = reshape(builder, weights, [groups, outputs / groups, inner]);
  const product = builder.op("MatMul", [columns, transpose(builder, matrices, [0, 2, 1])]);
  return reshape(builder, transpose(builder, product, [1, 0, 2]), [rows, outputs]);
}
