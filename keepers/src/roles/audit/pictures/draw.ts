import { instant } from "../wording.ts";
import { curve, health } from "./plots.ts";
import { cut, drawing, element, text } from "./svg.ts";
import type {
  LineagePicture,
  MoneyPicture,
  NarrowingPicture,
  Picture,
  SeatsPicture,
  TimelinePicture,
} from "./types.ts";

/** Pixels that pictures are wide. */
const width = 880;

/** A picture as SVG, coloured by the classes of the report's style. */
export function draw(picture: Picture): string {
  switch (picture.kind) {
    case "lineage":
      return lineage(picture);
    case "timeline":
      return timeline(picture);
    case "curve":
      return curve(picture, width);
    case "health":
      return health(picture, width);
    case "seats":
      return seats(picture);
    case "narrowing":
      return narrowing(picture);
    case "money":
      return money(picture);
  }
}

function lineage(picture: LineagePicture): string {
  const { nodes, arrows } = picture;
  const columns = Math.max(...nodes.map(({ column }) => column)) + 1;
  const box = { width: Math.min(190, (width - 48 * (columns - 1)) / columns), height: 68 };
  const step = columns === 1 ? 0 : (width - box.width) / (columns - 1);
  const tallest = Math.max(
    ...Array.from({ length: columns }, (_, c) => nodes.filter(({ column }) => column === c).length),
  );
  const height = tallest * (box.height + 20) - 20;
  const placeOf = new Map(
    Array.from({ length: columns }, (_, c) => nodes.filter(({ column }) => column === c)).flatMap(
      (own, c) => {
        const used = own.length * (box.height + 20) - 20;
        return own.map(
          ({ id }, i) => [id, { x: c * step, y: (height - used) / 2 + i * (box.height + 20) }] as const,
        );
      },
    ),
  );
  const lines = arrows.map(({ from, to }) => {
    const [a, b] = [placeOf.get(from)!, placeOf.get(to)!];
    const [x1, y1] = [a.x + box.width, a.y + box.height / 2];
    const [x2, y2] = [b.x - 7, b.y + box.height / 2];
    const middle = (x1 + x2) / 2;
    const path = `M ${x1} ${y1} C ${middle} ${y1}, ${middle} ${y2}, ${x2} ${y2}`;
    const head = `M ${x2} ${y2 - 5} L ${x2 + 7} ${y2} L ${x2} ${y2 + 5} Z`;
    return element("path", { d: path, class: "stroke" }) + element("path", { d: head, class: "ink" });
  });
  const boxes = nodes.map(({ id, label, detail, tone }) => {
    const { x, y } = placeOf.get(id)!;
    return [
      element("rect", {
        x: x + 0.5,
        y: y + 0.5,
        width: box.width - 1,
        height: box.height - 1,
        rx: 8,
        class: `box ${tone}`,
      }),
      text(x + 14, y + 28, cut(label, 22), { class: "strong" }),
      text(x + 14, y + 49, cut(detail, 25), { class: "small" }),
    ].join("");
  });
  return drawing(picture, width, height, [...lines, ...boxes]);
}

function timeline(picture: TimelinePicture): string {
  const row = 34;
  const line = 186;
  const { moments } = picture;
  const y = (i: number) => 16 + i * row;
  const parts = moments.map(({ at, label, tone, transaction }, i) =>
    [
      text(line - 20, y(i) + 4, instant(at), { class: "small mono", anchor: "end" }),
      element("circle", { cx: line, cy: y(i), r: 6, class: `dot ${tone}` }),
      text(line + 20, y(i) + 5, cut(label, 64), { class: tone === "muted" ? "" : "strong" }),
      text(width, y(i) + 4, `${transaction.slice(0, 10)}…`, { class: "small mono", anchor: "end" }),
    ].join(""),
  );
  const spine = element("line", { x1: line, y1: y(0), x2: line, y2: y(moments.length - 1), class: "stroke" });
  return drawing(picture, width, 32 + (moments.length - 1) * row, [spine, ...parts]);
}

function seats(picture: SeatsPicture): string {
  const perRow = 9;
  const cell = width / Math.min(perRow, Math.max(5, picture.seats.length));
  const marks = { agrees: "✓", differs: "✕", signed: "?", nothing: "–" } as const;
  const words = { agrees: "agreed", differs: "differed", signed: "not opened", nothing: "silent" } as const;
  const tones = { agrees: "good", differs: "bad", signed: "muted", nothing: "muted" } as const;
  const parts = picture.seats.map(({ label, detail, said }, i) => {
    const x = (i % perRow) * cell + cell / 2;
    const y = Math.floor(i / perRow) * 132 + 34;
    return [
      element("circle", { cx: x, cy: y, r: 26, class: `seat ${tones[said]}` }),
      text(x, y + 9, marks[said], { class: `mark ${tones[said]}`, anchor: "middle" }),
      text(x, y + 48, words[said], { class: "strong", anchor: "middle" }),
      text(x, y + 66, cut(label, 16), { class: "small mono", anchor: "middle" }),
      text(x, y + 83, cut(detail, 16), { class: "small", anchor: "middle" }),
    ].join("");
  });
  return drawing(picture, width, Math.ceil(picture.seats.length / perRow) * 132 - 4, parts);
}

function narrowing(picture: NarrowingPicture): string {
  const [left, bar, gap] = [230, 26, 34];
  const inner = width - left;
  const least = 10;
  const parts = picture.levels.flatMap(({ label, from, width: share }, i) => {
    const y = 4 + i * (bar + gap);
    const wide = Math.max(least, share * inner);
    const x = Math.min(left + from * inner, width - wide);
    const next = y + bar + gap;
    const funnel = `M ${x} ${y + bar} L ${x + wide} ${y + bar} L ${width} ${next} L ${left} ${next} Z`;
    const isLast = i === picture.levels.length - 1;
    return [
      text(0, y + 18, cut(label, 30), { class: "strong" }),
      element("rect", { x: left, y, width: inner, height: bar, rx: 4, class: "track" }),
      isLast ? "" : element("path", { d: funnel, class: "funnel" }),
      element("rect", { x, y, width: wide, height: bar, rx: 3, class: `fill ${picture.verdict.tone}` }),
    ];
  });
  const y = picture.levels.length * (bar + gap) - gap + 34;
  parts.push(text(left, y, cut(picture.verdict.label, 84), { class: `strong ${picture.verdict.tone}` }));
  return drawing(picture, width, y + 10, parts);
}

function money(picture: MoneyPicture): string {
  const row = 78;
  const [left, right] = [216, width - 216];
  const parts = picture.flows.flatMap(({ from, to, amount, share, label, tone }, i) => {
    const y = i * row + 36;
    const thick = 4 + 16 * share;
    const head = right - 12;
    return [
      text(left - 14, y + 5, cut(from, 26), { class: "strong", anchor: "end" }),
      element("rect", {
        x: left,
        y: y - thick / 2,
        width: head - left,
        height: thick,
        class: `flow ${tone}`,
      }),
      element("path", {
        d: `M ${head} ${y - thick / 2 - 5} L ${right} ${y} L ${head} ${y + thick / 2 + 5} Z`,
        class: `flow ${tone}`,
      }),
      text((left + right) / 2, y - thick / 2 - 7, amount, { class: "strong", anchor: "middle" }),
      text((left + right) / 2, y + thick / 2 + 17, cut(label, 60), { class: "small", anchor: "middle" }),
      text(right + 14, y + 5, cut(to, 26), { class: "strong" }),
    ];
  });
  return drawing(picture, width, picture.flows.length * row + 2, parts);
}
