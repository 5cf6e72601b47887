import type { Layout } from "../tape/types.ts";

export type Shape4 = readonly [number, number, number, number];

/** Shape of a tensor of rank 4. */
export function shape4(layout: Layout): Shape4 {
  return layout.shape as unknown as Shape4;
}

/** Windows along an axis: ⌊(size + pads − kernel)/stride⌋ + 1; below 1 where the kernel does not fit. */
export function windowsAlong(
  size: number,
  kernel: number,
  stride: number,
  before: number,
  after: number,
): number {
  return Math.floor((size + before + after - kernel) / stride) + 1;
}

/** Row-major index in a tensor of rank 4. */
export function indexOf([, b, c, d]: Shape4, i: number, j: number, k: number, l: number): number {
  return ((i * b + j) * c + k) * d + l;
}

/** Coordinates of a row-major index in a tensor of rank 4. */
export function coordinates([, b, c, d]: Shape4, index: number): Shape4 {
  const rows = Math.floor(index / d);
  const planes = Math.floor(rows / c);
  return [Math.floor(planes / b), planes % b, rows % c, index % d];
}

/** The window position whose kernel offset `offset` falls on `position`: −1 where there is none. */
export function windowAt(
  position: number,
  offset: number,
  stride: number,
  before: number,
  count: number,
): number {
  const distance = position + before - offset;
  if (distance < 0 || distance % stride !== 0) return -1;
  const window = distance / stride;
  return window < count ? window : -1;
}
