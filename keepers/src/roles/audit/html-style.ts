/** Style of a report: nothing is loaded from anywhere; light or dark as the reader's screen is, and fit for paper. */
export const reportStyle = `
:root {
  color-scheme: light dark;
  --page: #fbfaf8; --card: #ffffff; --text: #1d2025; --soft: #59606b; --line: #dedcd6; --track: #eceae4;
  --good: #176639; --good-bg: #e4f3e9; --bad: #b3191f; --bad-bg: #fdeaea; --trust: #805000; --trust-bg: #fcf1d9;
  --accent: #1f4e9c; --accent-bg: #e8effa;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14161a; --card: #1c1f25; --text: #e9e7e2; --soft: #a3a9b4; --line: #343943; --track: #2a2e36;
    --good: #74d69a; --good-bg: #16301f; --bad: #ff8f8b; --bad-bg: #3b1a1b; --trust: #f0bf5f; --trust-bg: #33280f;
    --accent: #8fb6f5; --accent-bg: #1b2940;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 400 1.0625rem/1.6 Charter, "Bitstream Charter", "Iowan Old Style", Georgia, serif; }
main, header, footer { max-width: 60rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding-top: 3.5rem; }
h1, h2, h3, summary, .badge, .meta, .eyebrow, svg, table, dl, nav, footer, .tally, figcaption {
  font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; }
h1 { font-size: 2.25rem; line-height: 1.15; letter-spacing: -0.02em; margin: 0.25rem 0 0.5rem; font-weight: 700; }
.lead { font-size: 1.25rem; line-height: 1.5; margin: 0 0 1.5rem; }
h2 { font-size: 1.375rem; letter-spacing: -0.01em; line-height: 1.3; margin: 3.5rem 0 0.25rem; }
h2 + p { margin: 0 0 1.25rem; color: var(--soft); }
h3 { font-size: 1.0625rem; line-height: 1.45; font-weight: 600; margin: 0; overflow-wrap: anywhere; }
p { margin: 0.35rem 0; max-width: 46rem; overflow-wrap: anywhere; }
.eyebrow { font-size: 0.8125rem; letter-spacing: 0.08em; text-transform: uppercase; color: var(--soft); margin: 0; }
.banner { border-radius: 0.75rem; padding: 1.25rem 1.5rem; border: 1px solid; }
.banner.good { background: var(--good-bg); border-color: var(--good); }
.banner.bad { background: var(--bad-bg); border-color: var(--bad); }
.banner strong { font: 650 1.375rem/1.3 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
.banner.good strong { color: var(--good); } .banner.bad strong { color: var(--bad); }
.tally { display: flex; flex-wrap: wrap; gap: 0.75rem 2rem; margin: 1.25rem 0 0; padding: 0; list-style: none; font-size: 0.9375rem; }
.tally b { font-size: 1.75rem; line-height: 1; font-variant-numeric: tabular-nums; margin-right: 0.4rem; }
.meta { font-size: 0.875rem; color: var(--soft); margin: 1.25rem 0 0; }
.claim { background: var(--card); border: 1px solid var(--line); border-left-width: 5px; border-radius: 0.5rem;
  padding: 0.9rem 1.15rem; margin: 0.75rem 0; break-inside: avoid; }
.claim.verified { border-left-color: var(--good); } .claim.trusted { border-left-color: var(--trust); }
.claim.wrong { border-left-color: var(--bad); }
.head { display: flex; gap: 1rem; align-items: flex-start; justify-content: space-between; }
.badge { flex: none; font-size: 0.8125rem; font-weight: 650; border-radius: 1rem; padding: 0.15rem 0.7rem; white-space: nowrap; }
.verified .badge { color: var(--good); background: var(--good-bg); }
.trusted .badge { color: var(--trust); background: var(--trust-bg); }
.wrong .badge { color: var(--bad); background: var(--bad-bg); }
details { margin-top: 0.5rem; } summary { cursor: pointer; color: var(--accent); font-size: 0.875rem; }
summary:focus-visible, a:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
dl { display: grid; grid-template-columns: minmax(9rem, 15rem) 1fr; gap: 0.3rem 1rem; font-size: 0.8125rem; margin: 0.6rem 0 0; }
dt { color: var(--soft); overflow-wrap: anywhere; } dd { margin: 0; grid-column: 2; overflow-wrap: anywhere; }
dd, .mono, td { font-variant-numeric: tabular-nums; }
code, .mono { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 0.92em; }
table { border-collapse: collapse; width: 100%; font-size: 0.875rem; margin: 0.75rem 0 0.25rem; table-layout: fixed; }
th { text-align: left; color: var(--soft); font-weight: 600; padding: 0.3rem 0.6rem 0.3rem 0; border-bottom: 1px solid var(--line); }
td { padding: 0.4rem 0.6rem 0.4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
td.told { color: var(--bad); } td.found { color: var(--good); }
.scroll { overflow-x: auto; }
figure { margin: 1.25rem 0; padding: 1.25rem; background: var(--card); border: 1px solid var(--line); border-radius: 0.5rem; break-inside: avoid; }
figcaption { font-weight: 600; margin-bottom: 1rem; } figcaption small { display: block; font-weight: 400; color: var(--soft); }
svg { display: block; max-width: 100%; height: auto; min-width: 38rem; font-size: 14px; fill: var(--text); }
svg .small { font-size: 12px; fill: var(--soft); } svg .strong { font-weight: 600; } svg .mono { font-size: 12px; }
svg text.good { fill: var(--good); } svg text.bad { fill: var(--bad); }
svg .stroke { stroke: var(--soft); fill: none; stroke-width: 1.5; } svg .ink { fill: var(--soft); }
svg .grid { stroke: var(--line); } svg .track { fill: var(--track); } svg .funnel { fill: var(--track); opacity: 0.55; }
svg .box { fill: var(--track); stroke: var(--line); } svg .box.good { fill: var(--good-bg); stroke: var(--good); }
svg .box.bad { fill: var(--bad-bg); stroke: var(--bad); } svg .box.plain { fill: var(--accent-bg); stroke: var(--accent); }
svg .dot { fill: var(--accent); stroke: var(--card); stroke-width: 2; } svg .dot.good { fill: var(--good); }
svg .dot.bad { fill: var(--bad); } svg .dot.muted { fill: var(--soft); }
svg .seat { fill: var(--track); stroke: var(--soft); stroke-width: 1.5; } svg .seat.good { fill: var(--good-bg); stroke: var(--good); }
svg .seat.bad { fill: var(--bad-bg); stroke: var(--bad); } svg .mark { font-size: 26px; fill: var(--soft); }
svg .mark.good, svg .tick.good { fill: var(--good); } svg .mark.bad, svg .tick.bad { fill: var(--bad); } svg .tick { font-size: 13px; }
svg .cell { fill: var(--track); } svg .cell.good { fill: var(--good-bg); stroke: var(--good); }
svg .cell.bad { fill: var(--bad-bg); stroke: var(--bad); } svg .fill, svg .flow { fill: var(--accent); }
svg .fill.good, svg .flow.good { fill: var(--good); } svg .fill.bad, svg .flow.bad { fill: var(--bad); } svg .flow.muted { fill: var(--soft); }
svg .curve { fill: none; stroke: var(--accent); stroke-width: 2; } svg .ink-accent { fill: var(--accent); }
footer { color: var(--soft); font-size: 0.875rem; padding-top: 2rem; padding-bottom: 4rem; margin-top: 3rem; border-top: 1px solid var(--line); }
@media (max-width: 40rem) { .head { flex-direction: column-reverse; gap: 0.4rem; } dl { grid-template-columns: 1fr; } dd { grid-column: 1; } h1 { font-size: 1.75rem; } }
@media print {
  :root { --page: #fff; --card: #fff; } body { font-size: 10.5pt; } header { padding-top: 0; }
  svg { min-width: 0; } h2 { break-after: avoid; } details > summary { list-style: none; }
}
`;
