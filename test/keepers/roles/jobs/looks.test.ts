import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Looks } from "../../../../keepers/src/roles/jobs/looks.ts";

/** Items that are looked at, by name. */
const named =
  (...names: string[]) =>
  () =>
    new Map(names.map((name) => [name, name]));

describe("looks at items side by side", () => {
  it("begin with what was looked at least often, and go on with the next as there is room", async () => {
    const looks = new Looks<string>({ most: 1, pause: 0 });
    const seen: string[] = [];
    const look = async (name: string) => {
      seen.push(name);
      return name === "c";
    };
    await looks.round(named("a", "b"), look);
    assert.deepEqual(seen, ["a", "b"], "each once in a round");
    assert.deepEqual([looks.count("a"), looks.count("c")], [1, 0]);
    await looks.round(named("a", "b", "c"), look);
    assert.deepEqual(seen.slice(2), ["c", "a", "b"]);
    assert.equal(looks.count("c"), 0, "done with");
  });

  it("leave an item alone for longer after each look, however that ended", async () => {
    const pause = 10_000;
    const looks = new Looks<string>({ pause });
    let seen = 0;
    const look = async () => {
      seen++;
      throw new Error("held up");
    };
    await assert.rejects(looks.round(named("a"), look), /held up/);
    await looks.round(named("a"), look);
    assert.deepEqual([seen, looks.count("a")], [1, 1]);
    await looks.round(named(), look);
    assert.equal(looks.count("a"), 0, "forgotten when it is due no more");
  });

  it("wait for no item that is held up", async () => {
    const looks = new Looks<string>({ most: 2, pause: 0, patience: 1 });
    const ends: (() => void)[] = [];
    let seen = 0;
    const look = async (name: string) => {
      if (name === "held up") await new Promise<void>((end) => ends.push(end));
      else seen++;
      return true;
    };
    await looks.round(named("held up", "a"), look);
    await looks.round(named("held up", "b"), look);
    assert.deepEqual([seen, ends.length], [2, 1]);
    ends[0]!();
    await looks.settled();
  });
});
