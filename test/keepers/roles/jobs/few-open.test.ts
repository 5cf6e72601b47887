import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FewOpen } from "../../../../keepers/src/roles/jobs/few-open.ts";

describe("the few things that are kept open", () => {
  const started = (most: number) => {
    const events: string[] = [];
    const few = new FewOpen<number, string>(most, async (name) => {
      events.push(`closed ${name}`);
    });
    const open = (key: number) => async () => {
      events.push(`opened ${key}`);
      return String(key);
    };
    const use = (key: number) => few.use(key, open(key), async (opened) => opened);
    return { events, few, use, open };
  };

  it("close what was used longest ago before another is opened", async () => {
    const { events, use } = started(2);
    for (const key of [1, 2, 1, 3, 1, 2]) assert.equal(await use(key), String(key));
    assert.deepEqual(events, ["opened 1", "opened 2", "closed 2", "opened 3", "closed 3", "opened 2"]);
  });

  it("are opened once by those who ask at once, and again after a failure", async () => {
    const { events, few, use } = started(2);
    await assert.rejects(
      few.use(
        1,
        () => Promise.reject(new Error("not there")),
        async () => undefined,
      ),
      /not there/,
    );
    assert.deepEqual(await Promise.all([use(1), use(1)]), ["1", "1"]);
    assert.deepEqual(events, ["opened 1"]);
  });

  it("are not closed while they are used, however many are needed or none is", async () => {
    const { events, few, use, open } = started(1);
    const end = Promise.withResolvers<void>();
    const used = few.use(1, open(1), () => end.promise);
    await use(2);
    await few.closeUnless(() => false);
    assert.deepEqual(events, ["opened 1", "opened 2", "closed 2"]);
    end.resolve();
    await used;
    await few.closeUnless(() => false);
    assert.deepEqual(events.slice(3), ["closed 1"]);
  });

  it("are closed when nobody needs them, and have no limit without one", async () => {
    const { events, few, use } = started(Number.POSITIVE_INFINITY);
    for (const key of [1, 2, 3]) await use(key);
    await few.closeUnless((key) => key === 2);
    assert.deepEqual(events.slice(3), ["closed 1", "closed 3"]);
  });
});
