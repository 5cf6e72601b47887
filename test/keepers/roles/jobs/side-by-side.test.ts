import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SideBySide } from "../../../../keepers/src/roles/jobs/side-by-side.ts";

describe("work side by side", () => {
  it("begins each item once, and no more at a time than there is room for", async () => {
    const works = new SideBySide<string>({ most: 2, patience: 1 });
    const begun: string[] = [];
    const ends = new Map<string, () => void>();
    const begin = (key: string) =>
      works.begin(key, () => {
        begun.push(key);
        return new Promise<void>((end) => ends.set(key, end));
      });
    for (const key of ["a", "a", "b", "c"]) begin(key);
    assert.deepEqual(begun, ["a", "b"]);
    assert.equal(await works.look(), 0, "patience ends before they do");
    ends.get("a")!();
    for (const end of ends.values()) end();
    await works.settled();
    assert.equal(await works.look(), 2);
    assert.equal(await works.look(), 0, "each is counted once");
    begin("c");
    begin("a");
    assert.deepEqual(begun, ["a", "b", "c", "a"], "room again, also for what has ended");
  });

  it("throws what failed at the next look, once; the others go on", async () => {
    const works = new SideBySide<number>();
    works.begin(1, () => Promise.reject(new Error("the first")));
    works.begin(2, async () => "done");
    await assert.rejects(works.look(), /the first/);
    assert.equal(await works.look(), 0);
  });
});
