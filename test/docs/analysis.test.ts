import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type Accepted, compare, type Finding, readAccepted } from "../../scripts/analysis/slither.ts";
import { root } from "../../scripts/setup.ts";

const found = (detector: string, where: string): Finding => ({ detector, where, impact: "High", text: "" });

describe("accepted findings of the static analysis", () => {
  const accepted: Accepted = {
    detectors: { timestamp: "by design" },
    findings: [{ detector: "calls-loop", where: ["Market.award", "Market.award"], reason: "bounded" }],
  };
  const listed = [
    found("timestamp", "Clock.isLate"),
    found("calls-loop", "Market.award"),
    found("calls-loop", "Market.award"),
  ];

  it("pass what is listed, as often as it is listed", () => {
    assert.deepEqual(compare(listed, accepted), { unlisted: [], gone: [] });
  });

  it("pass no other detector at the same place, no other place, and no third finding", () => {
    const more = [
      found("weak-prng", "Market.award"),
      found("calls-loop", "Market.post"),
      found("calls-loop", "Market.award"),
    ];
    assert.deepEqual(compare([...listed, ...more], accepted).unlisted, more);
  });

  it("keep nothing that is found no longer", () => {
    assert.deepEqual(compare(listed.slice(2), accepted).gone, ["timestamp", "calls-loop Market.award"]);
  });

  it("stand in the repository each with a reason, at a contract that is there", () => {
    const sources = globSync("contracts/**/*.sol", { cwd: root }).map((path) =>
      readFileSync(join(root, path), "utf8"),
    );
    const isDeclared = (name: string) =>
      sources.some((code) => new RegExp(`\\b(contract|library|interface) ${name}\\b`).test(code));
    const { detectors, findings } = readAccepted();
    for (const reason of [...Object.values(detectors), ...findings.map((each) => each.reason)])
      assert.match(reason, /^[A-Z][\s\S]{20,}\.$/);
    for (const { detector, where } of findings)
      for (const place of where)
        assert.ok(isDeclared(place.split(".")[0]!), `${detector}: no contract ${place}`);
  });
});
