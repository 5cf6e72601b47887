import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ticks } from "../../../../keepers/src/training/report/chart.ts";
import { trainingReport } from "../../../../keepers/src/training/report/report.ts";

const chunks = Array.from({ length: 2000 }, (_, i) => ({
  step: i + 1,
  samples: 64,
  lossSum: 64 / (1 + i),
  correct: 50,
  seconds: 1,
}));
const epochs = [1, 2].map((epoch) => ({
  epoch,
  step: 1000 * epoch,
  training: { loss: 1 / epoch, accuracy: 0.8 },
  validation: { loss: 1 / epoch, accuracy: 0.75 },
  seconds: 1,
}));

describe("the report of a run", () => {
  const report = (name: string, changes = {}) =>
    trainingReport({ name, stepsPerEpoch: 1000, chunks, epochs, ...changes });

  it("is one SVG document that refers to nothing outside and cannot be broken by a name", () => {
    const svg = report('<script>&"');
    assert.match(svg, /^<svg [^>]*viewBox="0 0 640 600"/);
    assert.ok(!/<script|href=|url\(|@import/.test(svg));
    const opened = [...svg.matchAll(/<(svg|g|title|text)\b/g)].length;
    assert.equal([...svg.matchAll(/<\/(svg|g|title|text)>/g)].length, opened);
    assert.ok(!/NaN|Infinity|undefined/.test(svg));
  });

  it("draws every line inside its chart, thinned to what a screen shows", () => {
    const lines = [...report("x").matchAll(/points="([^"]+)"/g)].map(([, points]) =>
      points!.split(" ").map((point) => point.split(",").map(Number)),
    );
    assert.equal(lines.length, 4);
    for (const line of lines) {
      assert.ok(line.length <= 600);
      for (const [x, y] of line) assert.ok(x! >= 0 && x! <= 640 && y! >= 0 && y! <= 300);
    }
    // Losses fall, so the line goes down the page.
    const loss = lines[0]!;
    assert.ok(loss[0]![1]! < loss.at(-1)![1]!);
  });

  it("leaves accuracy out where there are no classes, and validation where there is none", () => {
    const svg = report("x", {
      epochs: epochs.map(({ epoch, step, seconds }) => ({ epoch, step, seconds, training: { loss: 1 } })),
    });
    assert.ok(!svg.includes("accuracy"));
    assert.ok(!svg.includes("validation"));
  });

  it("has round numbers at its axes that cover the range", () => {
    assert.deepEqual(ticks([0, 1]), [0, 0.2, 0.4, 0.6, 0.8, 1]);
    assert.deepEqual(ticks([0.3, 9.7]), [0, 2, 4, 6, 8, 10]);
    for (const range of [
      [1e-7, 3e-7],
      [-5, 123],
      [97.1, 97.3],
    ] as const) {
      const found = ticks(range);
      assert.ok(found[0]! <= range[0] && found.at(-1)! >= range[1] && found.length <= 9);
    }
  });
});
