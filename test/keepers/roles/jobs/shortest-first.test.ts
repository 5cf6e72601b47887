import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type InTurn, ShortestFirst } from "../../../../keepers/src/roles/jobs/shortest-first.ts";

describe("work that is done in parts, the shortest first", () => {
  const queue = new ShortestFirst();
  const parts =
    (name: string, count: number, done: string[], then: () => void = () => undefined) =>
    async (inTurn: InTurn) => {
      for (let i = 0; i < count; i++) {
        await inTurn(async () => {
          done.push(name);
          if (i === 0) then();
        });
        // Between two parts something else is done.
        await new Promise((resolve) => setImmediate(resolve));
      }
    };

  it("stands still while something shorter is there, and goes on afterwards", async () => {
    const done: string[] = [];
    let short: Promise<void> | undefined;
    const long = queue.run(
      9,
      parts("long", 3, done, () => {
        short = queue.run(2, parts("short", 2, done));
      }),
    );
    const middle = queue.run(5, parts("middle", 1, done));
    await Promise.all([long, middle]);
    await short;
    assert.deepEqual(done, ["long", "short", "short", "middle", "long", "long"]);
  });

  it("lets others go on when it fails", async () => {
    const done: string[] = [];
    const failing = queue.run(1, (inTurn) => inTurn(() => Promise.reject(new Error("no"))));
    const other = queue.run(2, parts("other", 1, done));
    await assert.rejects(failing, /no/);
    await other;
    assert.deepEqual(done, ["other"]);
  });
});
