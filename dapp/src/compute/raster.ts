/** What was drawn: ink of each pixel, 0 to 255, row by row. */
export type Drawing = { readonly ink: Uint8ClampedArray; readonly width: number; readonly height: number };

/** Images of this side and larger are drawn with a margin, as MNIST's are: 20 pixels of 28. */
const marginFrom = 20;
const margin = 4 / 28;

/**
 * A drawing as a model's samples are: what was drawn is fitted into a square image, its sides kept in proportion, and each
 * pixel says how much of it is ink.
 * @returns bytes, 0 to `fullScale`, or undefined when nothing was drawn
 */
export function rasterise(drawing: Drawing, side: number, fullScale: number): Uint8Array | undefined {
  const box = boxOf(drawing);
  if (box === undefined) return undefined;
  const inner = side >= marginFrom ? side * (1 - 2 * margin) : side;
  const scale = Math.max(box.width, box.height) / inner;
  const left = box.left + box.width / 2 - (side / 2) * scale;
  const top = box.top + box.height / 2 - (side / 2) * scale;
  return Uint8Array.from({ length: side * side }, (_, i) => {
    const x = left + (i % side) * scale;
    const y = top + Math.floor(i / side) * scale;
    return Math.round((inkIn(drawing, x, y, scale) / 255) * fullScale);
  });
}

type Box = { readonly left: number; readonly top: number; readonly width: number; readonly height: number };

/** The smallest box around the ink. */
function boxOf({ ink, width, height }: Drawing): Box | undefined {
  let [left, right, top, bottom] = [width, -1, height, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (ink[y * width + x]! < 32) continue;
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
  }
  return right < 0 ? undefined : { left, top, width: right - left + 1, height: bottom - top + 1 };
}

/** Mean ink of a square of the drawing; what lies outside is blank. */
function inkIn({ ink, width, height }: Drawing, left: number, top: number, size: number): number {
  let sum = 0;
  for (let y = Math.floor(top); y < top + size; y++) {
    const high = Math.min(y + 1, top + size) - Math.max(y, top);
    for (let x = Math.floor(left); x < left + size; x++) {
      if (x < 0 || y < 0 || x >= width || y >= height) continue;
      const wide = Math.min(x + 1, left + size) - Math.max(x, left);
      sum += ink[y * width + x]! * wide * high;
    }
  }
  return sum / (size * size);
}
