import type { SimulatedLoss } from "../keepers/src/core/reliability/simulate.ts";

export type Curve = {
  label: string;
  dashed: boolean;
  /** Failure probability of a node and probability of loss, ascending. */
  points: readonly (readonly [number, number])[];
  simulated: readonly (readonly [number, SimulatedLoss])[];
};

const width = 750;
const height = 460;
const plot = { left: 70, right: 590, top: 50, bottom: 400 };
/** Powers of ten that the axes show. */
const axis = { left: -3, right: Math.log10(0.5), bottom: -18, top: 0 };

/** Axes, curves and simulated points as SVG text, both axes logarithmic; follows the reader's light or dark theme. */
export function plotReliability(curves: readonly Curve[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="title">`,
    '<title id="title">Probability that a segment is lost, by the probability that a node fails before repair</title>',
    `<style>${style}</style>`,
    `<rect class="back" width="${width}" height="${height}" rx="8"/>`,
    `<text class="head" x="${plot.left}" y="28">Probability of loss: formula (lines) and simulation (dots)</text>`,
    ...grid(),
    ...curves.flatMap((curve, i) => draw(curve, i, labelHeights(curves)[i]!)),
    "</svg>\n",
  ].join("\n");
}

const style = [
  "text{font:13px system-ui,sans-serif;fill:#1f2328}",
  ".head{font-weight:600;font-size:15px}",
  ".back{fill:#fff;stroke:#d1d9e0}",
  ".grid{stroke:#d1d9e0;stroke-width:1}",
  "path{fill:none;stroke-width:2.5}",
  ".dash{stroke-dasharray:7 5}",
  ".c0{stroke:#59636e;fill:#59636e}.c1{stroke:#0969da;fill:#0969da}",
  ".c2{stroke:#1a7f37;fill:#1a7f37}.c3{stroke:#bc4c00;fill:#bc4c00}",
  "path.c0,path.c1,path.c2,path.c3{fill:none}",
  "@media(prefers-color-scheme:dark){text{fill:#e6edf3}.back{fill:#0d1117;stroke:#3d444d}.grid{stroke:#3d444d}",
  ".c0{stroke:#9198a1;fill:#9198a1}.c1{stroke:#4493f8;fill:#4493f8}",
  ".c2{stroke:#3fb950;fill:#3fb950}.c3{stroke:#f0883e;fill:#f0883e}}",
].join("");

function grid(): string[] {
  const parts: string[] = [];
  for (let power = axis.bottom; power <= axis.top; power += 3) {
    const at = y(10 ** power);
    parts.push(`<line class="grid" x1="${plot.left}" x2="${plot.right}" y1="${at}" y2="${at}"/>`);
    parts.push(`<text x="${plot.left - 8}" y="${at + 4}" text-anchor="end">${powerOfTen(power)}</text>`);
  }
  for (const value of [0.001, 0.01, 0.1, 0.5]) {
    const at = x(value);
    parts.push(`<line class="grid" x1="${at}" x2="${at}" y1="${plot.top}" y2="${plot.bottom}"/>`);
    parts.push(`<text x="${at}" y="${plot.bottom + 20}" text-anchor="middle">${value}</text>`);
  }
  const middle = (plot.left + plot.right) / 2;
  parts.push(
    `<text x="${middle}" y="${plot.bottom + 44}" text-anchor="middle">probability that a node fails before repair</text>`,
  );
  return parts;
}

function draw(curve: Curve, index: number, labelAt: number): string[] {
  const visible = curve.points.filter(([, loss]) => loss >= 10 ** axis.bottom);
  const path = visible.map(([failure, loss], i) => `${i === 0 ? "M" : "L"}${x(failure)} ${y(loss)}`).join("");
  const parts = [`<path class="c${index}${curve.dashed ? " dash" : ""}" d="${path}"/>`];
  for (const [failure, { estimate, low, high }] of curve.simulated) {
    if (low < 10 ** axis.bottom) continue;
    const at = x(failure);
    parts.push(`<line class="c${index}" x1="${at}" x2="${at}" y1="${y(low)}" y2="${y(high)}"/>`);
    parts.push(`<circle class="c${index}" cx="${at}" cy="${y(estimate)}" r="4"/>`);
  }
  const side = plot.right + 10;
  parts.push(
    `<line class="c${index}" stroke-width="4" x1="${side}" x2="${side + 14}" y1="${labelAt}" y2="${labelAt}"/>`,
  );
  parts.push(`<text x="${side + 20}" y="${labelAt + 4}">${curve.label}</text>`);
  return parts;
}

/** Labels from the highest curve down at p = 0.5, apart from each other. */
function labelHeights(curves: readonly Curve[]): number[] {
  const order = curves.map((_, i) => i).sort((a, b) => lastLoss(curves[b]!) - lastLoss(curves[a]!));
  const heights: number[] = [];
  for (const [rank, i] of order.entries()) heights[i] = plot.top + 8 + 24 * rank;
  return heights;
}

function lastLoss(curve: Curve): number {
  return curve.points.at(-1)![1];
}

function x(failure: number): number {
  return round(
    plot.left + ((Math.log10(failure) - axis.left) / (axis.right - axis.left)) * (plot.right - plot.left),
  );
}

function y(loss: number): number {
  return round(
    plot.bottom - ((Math.log10(loss) - axis.bottom) / (axis.top - axis.bottom)) * (plot.bottom - plot.top),
  );
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function powerOfTen(power: number): string {
  const digits = [...String(-power)].map((digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(digit)]).join("");
  return power === 0 ? "1" : `10⁻${digits}`;
}
