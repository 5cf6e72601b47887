import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { slipProbability } from "../../../../keepers/src/training/cluster/risk.ts";

const shares = [0.001, 0.01, 0.1, 0.5];
const terms = [1, 2, 3].flatMap((copies) => [0.05, 0.5].map((checkShare) => ({ copies, checkShare })));
const chunks = 10_000;

function percent(value: number): string {
  return value < 0.0001 ? "< 0.01 %" : `${Number((100 * value).toPrecision(2))} %`;
}

describe("the risk that a provider takes with workers in league", () => {
  it("is what drawing lots says, where all cases can be counted", () => {
    // Two of four workers are in league: of two chunks with two copies each, drawn with repetition.
    const cases = Array.from({ length: 4 ** 4 }, (_, i) => [i & 3, (i >> 2) & 3, (i >> 4) & 3, i >> 6]);
    const league = (worker: number | undefined) => worker! < 2;
    const met = cases.filter(([a, b, c, d]) => (league(a) && league(b)) || (league(c) && league(d)));
    const share = slipProbability({ checkShare: 0.25, copies: 2, share: 0.5, chunks: 2 });
    assert.ok(Math.abs(share - (met.length / cases.length) * 0.75) < 1e-12);
  });

  it("is nothing when everything is checked", () => {
    assert.equal(slipProbability({ checkShare: 1, copies: 1, share: 1, chunks }), 0);
  });

  it("stands in the documentation as it is computed", () => {
    const rows = terms.map(({ copies, checkShare }) => {
      const cells = shares.map((share) => percent(slipProbability({ copies, checkShare, share, chunks })));
      return `| ${copies} | ${checkShare} | ${cells.join(" | ")} |`;
    });
    const text = readFileSync(join(import.meta.dirname, "../../../../docs/jobs.md"), "utf8");
    for (const row of rows) assert.ok(text.includes(row), rows.join("\n"));
  });
});
