import { cut, drawing, element, text } from "./svg.ts";
import type { CurvePicture, HealthPicture } from "./types.ts";

/** Points over an axis, with lines through those that belong together. */
export function curve(picture: CurvePicture, width: number): string {
  const height = 300;
  const margin = { left: 64, right: 12, top: 12, bottom: 50 };
  const points = picture.runs.flat();
  const xs = ticks(points.map(([x]) => x));
  const ys = ticks([...points.map(([, y]) => y), 0]);
  const x = scale(xs, margin.left, width - margin.right);
  const y = scale(ys, height - margin.bottom, margin.top);
  const grid = ys.flatMap((value) => [
    element("line", { x1: margin.left, y1: y(value), x2: width - margin.right, y2: y(value), class: "grid" }),
    text(margin.left - 10, y(value) + 4, String(value), { class: "small", anchor: "end" }),
  ]);
  const marks = xs.map((value) =>
    text(x(value), height - margin.bottom + 20, String(value), { class: "small", anchor: "middle" }),
  );
  const lines = picture.runs.map((run) =>
    run.length === 1
      ? element("circle", { cx: x(run[0]![0]), cy: y(run[0]![1]), r: 3.5, class: "ink-accent" })
      : element("polyline", {
          points: run.map(([px, py]) => `${x(px).toFixed(1)},${y(py).toFixed(1)}`).join(" "),
          class: "curve",
        }),
  );
  return drawing(picture, width, height, [
    ...grid,
    ...marks,
    ...lines,
    text((margin.left + width) / 2, height - 6, picture.xLabel, { class: "small", anchor: "middle" }),
    element(
      "g",
      { transform: `translate(14 ${height / 2 - 20}) rotate(-90)` },
      text(0, 0, picture.yLabel, { class: "small", anchor: "middle" }),
    ),
  ]);
}

/** A grid: a row for each holder, a column for each epoch. */
export function health(picture: HealthPicture, width: number): string {
  const left = 220;
  const { columns, rows } = picture;
  const cell = Math.min(40, (width - left) / Math.max(1, columns.length));
  const high = 24;
  const words = { answered: "good", missed: "bad", none: "muted" } as const;
  const marks = { answered: "✓", missed: "✕", none: "" } as const;
  const head = columns.map((label, i) =>
    text(left + i * cell + cell / 2, 14, cut(label, 5), { class: "small", anchor: "middle" }),
  );
  const body = rows.flatMap(({ label, cells }, row) => {
    const y = 24 + row * (high + 4);
    return [
      text(0, y + 17, cut(label, 30), { class: "small mono" }),
      ...cells.map((state, i) =>
        [
          element("rect", {
            x: left + i * cell + 1.5,
            y,
            width: cell - 3,
            height: high,
            rx: 3,
            class: `cell ${words[state]}`,
          }),
          text(left + i * cell + cell / 2, y + 17, marks[state], {
            class: `tick ${words[state]}`,
            anchor: "middle",
          }),
        ].join(""),
      ),
    ];
  });
  return drawing(picture, width, 28 + rows.length * (high + 4), [...head, ...body]);
}

/** Round values that enclose the data, about five of them. */
function ticks(values: readonly number[]): number[] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const rough = (high - low || Math.abs(high) || 1) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.floor(low / step);
  const last = Math.max(first + 1, Math.ceil(high / step));
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

function scale(values: readonly number[], from: number, to: number): (value: number) => number {
  const [low, high] = [values[0]!, values.at(-1)!];
  return (value) => from + ((value - low) / (high - low)) * (to - from);
}
