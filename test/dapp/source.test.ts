import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { mostBehind, nearEnough, type Seen, type Source, sourceOf } from "../../dapp/src/data/index-state.ts";

const url = "http://127.0.0.1/subgraph";
const look = (seen: Seen, before: Source = { kind: "unknown" }) => sourceOf(url, seen, before);
const at = (block: number, hasErrors = false) => ({ block, hasErrors });

describe("where figures come from", () => {
  it("is not the subgraph's fault when it is the chain that does not answer", () => {
    assert.deepEqual(look({ head: undefined, index: at(7) }), {
      ...{ kind: "index", url, block: 7, isUnchecked: true },
    });
    assert.deepEqual(look({ head: 9, index: undefined }), {
      ...{ kind: "chain", why: "The subgraph does not answer." },
    });
    const neither = look({ head: undefined, index: undefined });
    assert.ok(neither.kind === "chain" && neither.isSilent && /Neither/.test(neither.why));
    const stopped = look({ head: 9, index: at(9, true) });
    assert.match((stopped.kind === "chain" && stopped.why) || "", /stopped at an error/);
  });

  it("stays what it is while a subgraph hovers about the limit", () => {
    let source: Source = { kind: "unknown" };
    const kinds: string[] = [];
    for (const behind of [
      0,
      mostBehind,
      mostBehind + 1,
      mostBehind,
      nearEnough + 1,
      nearEnough,
      mostBehind,
    ]) {
      source = look({ head: 1_000, index: at(1_000 - behind) }, source);
      kinds.push(source.kind);
    }
    assert.deepEqual(kinds, ["index", "index", "chain", "chain", "chain", "index", "index"]);
  });

  it("is the subgraph again once it answers, however it failed before, if it is near enough", () => {
    const failed = look({ head: 50, index: undefined });
    assert.equal(look({ head: 50, index: at(45) }, failed).kind, "index");
    assert.equal(look({ head: 50, index: at(25) }, failed).kind, "chain");
  });
});
