import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Drawing, rasterise } from "../../dapp/src/compute/raster.ts";

/** A drawing of these rows: # is ink. */
function drawn(rows: readonly string[], scale: number): Drawing {
  const width = rows[0]!.length * scale;
  const height = rows.length * scale;
  const ink = new Uint8ClampedArray(width * height);
  for (let i = 0; i < ink.length; i++) {
    const row = Math.floor(Math.floor(i / width) / scale);
    ink[i] = rows[row]![Math.floor((i % width) / scale)] === "#" ? 255 : 0;
  }
  return { ink, width, height };
}

describe("a drawing as a model sees it", () => {
  it("is nothing when nothing was drawn", () => {
    assert.equal(rasterise(drawn(["....", "...."], 10), 8, 16), undefined);
  });

  it("fills a small image, wherever and however large it was drawn", () => {
    const cross = ["#.#", ".#.", "#.#"];
    const expected = [16, 0, 16, 0, 16, 0, 16, 0, 16];
    assert.deepEqual([...rasterise(drawn(cross, 30), 3, 16)!], expected);
    const apart = [".......", "..#.#..", "...#...", "..#.#..", ".......", "......."];
    assert.deepEqual([...rasterise(drawn(apart, 7), 3, 16)!], expected);
  });

  it("keeps its proportions and stands in the middle", () => {
    const stroke = rasterise(drawn(["#", "#", "#", "#"], 20), 4, 255)!;
    // One pixel wide between the second and the third column, half in each.
    assert.deepEqual([...stroke], Array.from({ length: 4 }, () => [0, 128, 128, 0]).flat());
  });

  it("has a margin in an image as large as MNIST's", () => {
    const square = rasterise(drawn(["#"], 100), 28, 255)!;
    for (const [i, pixel] of square.entries()) {
      const inside = [i % 28, Math.floor(i / 28)].every((at) => at >= 4 && at < 24);
      assert.equal(pixel, inside ? 255 : 0, `pixel ${i}`);
    }
  });

  it("says how much of a pixel is ink", () => {
    const half = rasterise(drawn(["##", "##", "#.", "#."], 10), 2, 100)!;
    assert.deepEqual([...half], [50, 50, 50, 0]);
  });
});
