/** One line of a chart; points in ascending x. */
export type Series = { readonly name: string; readonly points: readonly (readonly [number, number])[] };

export type ChartOptions = {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly Series[];
  /** Text of a y value; by default the shortest decimal. */
  readonly formatY?: (value: number) => string;
};

const width = 640;
const height = 300;
const margin = { left: 64, right: 16, top: 36, bottom: 44 };
const plot = { width: width - margin.left - margin.right, height: height - margin.top - margin.bottom };
/** Okabe and Ito's palette: distinct for colour-blind readers as well. */
const colors = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];
/** More points than this do not show on a screen. */
const maxPoints = 600;

/** A line chart as the inside of an SVG document, 640 × 300 pixels. */
export function chart({ title, xLabel, yLabel, series, formatY = String }: ChartOptions): string {
  const all = series.flatMap(({ points }) => points);
  const xs = ticks(extent(all.map(([x]) => x)));
  const ys = ticks(extent(all.map(([, y]) => y)));
  const x = scale(xs, margin.left, plot.width);
  const y = scale(ys, margin.top + plot.height, -plot.height);
  const parts = [
    text(margin.left, 20, title, { size: 14, weight: "bold" }),
    ...ys.map((value) => line(margin.left, y(value), margin.left + plot.width, y(value), "#e3e3e3")),
    ...ys.map((value) => text(margin.left - 8, y(value) + 4, formatY(value), { anchor: "end" })),
    ...xs.map((value) =>
      line(x(value), margin.top + plot.height, x(value), margin.top + plot.height + 4, "#555"),
    ),
    ...xs.map((value) => text(x(value), margin.top + plot.height + 18, String(value), { anchor: "middle" })),
    line(margin.left, margin.top, margin.left, margin.top + plot.height, "#555"),
    line(margin.left, margin.top + plot.height, margin.left + plot.width, margin.top + plot.height, "#555"),
    text(margin.left + plot.width / 2, height - 8, xLabel, { anchor: "middle" }),
    `<g transform="translate(14 ${margin.top + plot.height / 2}) rotate(-90)">${text(0, 0, yLabel, { anchor: "middle" })}</g>`,
  ];
  for (const [i, { name, points }] of series.entries()) {
    const color = colors[i % colors.length]!;
    const path = thin(points).map(([px, py]) => `${round(x(px))},${round(y(py))}`);
    parts.push(`<polyline fill="none" stroke="${color}" stroke-width="1.6" points="${path.join(" ")}"/>`);
    if (points.length === 1)
      parts.push(
        `<circle cx="${round(x(points[0]![0]))}" cy="${round(y(points[0]![1]))}" r="2.5" fill="${color}"/>`,
      );
    const at = margin.left + plot.width - 140 * (series.length - i);
    parts.push(line(at, 16, at + 18, 16, color, 3), text(at + 24, 20, name, {}));
  }
  return parts.join("\n");
}

/** A self-contained SVG document with charts one below the other. */
export function svgDocument(charts: readonly string[], description: string): string {
  const total = height * charts.length;
  const placed = charts.map((inner, i) => `<g transform="translate(0 ${i * height})">\n${inner}\n</g>`);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${total}" width="${width}" height="${total}" role="img" font-family="system-ui, sans-serif">`,
    `<title>${escaped(description)}</title>`,
    `<rect width="${width}" height="${total}" fill="#ffffff"/>`,
    ...placed,
    "</svg>",
    "",
  ].join("\n");
}

function extent(values: readonly number[]): [number, number] {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) return [0, 1];
  return low === high ? [low - 0.5, high + 0.5] : [low, high];
}

/** Round numbers that cover a range: 4 to 8 of them, at steps of 1, 2 or 5 times a power of ten. */
export function ticks([low, high]: readonly [number, number]): number[] {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.floor(low / step);
  const last = Math.ceil(high / step);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

function scale(ticksOfAxis: readonly number[], from: number, length: number): (value: number) => number {
  const low = ticksOfAxis[0]!;
  const high = ticksOfAxis.at(-1)!;
  return (value) => from + ((value - low) / (high - low)) * length;
}

/** Means of neighbouring points where there are too many. */
function thin(points: Series["points"]): Series["points"] {
  if (points.length <= maxPoints) return points;
  const size = Math.ceil(points.length / maxPoints);
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const group = points.slice(i * size, (i + 1) * size);
    const mean = (axis: 0 | 1) => group.reduce((sum, point) => sum + point[axis], 0) / group.length;
    return [mean(0), mean(1)] as const;
  });
}

type TextStyle = { size?: number; weight?: string; anchor?: string };

function text(
  x: number,
  y: number,
  content: string,
  { size = 11, weight = "normal", anchor = "start" }: TextStyle,
): string {
  return `<text x="${round(x)}" y="${round(y)}" font-size="${size}" font-weight="${weight}" text-anchor="${anchor}" fill="#222">${escaped(content)}</text>`;
}

function line(x1: number, y1: number, x2: number, y2: number, color: string, thickness = 1): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="${color}" stroke-width="${thickness}"/>`;
}

function round(value: number): number {
  return Number(value.toFixed(2));
}

function escaped(content: string): string {
  return content
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
