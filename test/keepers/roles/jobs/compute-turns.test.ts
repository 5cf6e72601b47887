import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ComputeTurns } from "../../../../keepers/src/roles/jobs/compute-turns.ts";

const never = new AbortController().signal;

/** Runs whose engines say when they are closed, and parts of work that say when they begin. */
function scene() {
  const events: string[] = [];
  const turns = new ComputeTurns({ warn: () => events.push("warned") });
  const run = (name: string) => ({
    close: async () => {
      events.push(`${name} rests`);
    },
  });
  const part =
    (name: string, until: Promise<void> = Promise.resolve()) =>
    async () => {
      events.push(name);
      await until;
      return name;
    };
  return { events, turns, run, part };
}

describe("the turns of disputes", () => {
  it("compute one thing at a time, what is due first before what came first", async () => {
    const { events, turns, run, part } = scene();
    const [a, b] = [run("a"), run("b")];
    const end = Promise.withResolvers<void>();
    const first = turns.of({ deadline: 9n, run: a, signal: never })(part("first", end.promise));
    const late = turns.of({ deadline: 50n, run: b, signal: never })(part("late"));
    const soon = turns.of({ deadline: 5n, run: a, signal: never })(part("soon"));
    await new Promise(setImmediate);
    assert.deepEqual(events, ["first"]);
    end.resolve();
    assert.deepEqual(await Promise.all([first, late, soon]), ["first", "late", "soon"]);
    assert.deepEqual(events, ["first", "soon", "a rests", "late"]);
  });

  it("attack: keep one engine open, however many jobs are disputed at once", async () => {
    const { turns } = scene();
    let open = 0;
    let most = 0;
    const job = () => {
      let isOpen = false;
      const run = {
        close: async () => {
          if (isOpen) open--;
          isOpen = false;
        },
      };
      return turns.of({ deadline: 1n, run, signal: never })(async () => {
        if (!isOpen) open++;
        isOpen = true;
        most = Math.max(most, open);
      });
    };
    await Promise.all(Array.from({ length: 5 }, job));
    assert.equal(most, 1);
  });

  it("go on when the engine of the run before does not close", async () => {
    const { events, turns, part } = scene();
    const stuck = { close: () => Promise.reject(new Error("it hangs")) };
    const other = { close: () => Promise.resolve() };
    await turns.of({ deadline: 1n, run: stuck, signal: never })(part("first"));
    assert.equal(await turns.of({ deadline: 2n, run: other, signal: never })(part("second")), "second");
    assert.deepEqual(events, ["first", "warned", "second"]);
  });

  it("are given up by what is over, and go on after what failed", async () => {
    const { turns, run, part } = scene();
    const end = Promise.withResolvers<void>();
    const failing = turns.of({ deadline: 1n, run: run("a"), signal: never })(async () => {
      await end.promise;
      throw new Error("broken");
    });
    const over = new AbortController();
    const waiting = turns.of({ deadline: 2n, run: run("b"), signal: over.signal })(part("never"));
    const other = turns.of({ deadline: 3n, run: run("c"), signal: never })(part("other"));
    over.abort(new Error("it is over"));
    await assert.rejects(waiting, /it is over/);
    end.resolve();
    await assert.rejects(failing, /broken/);
    assert.equal(await other, "other");
    await assert.rejects(
      turns.of({ deadline: 4n, run: run("d"), signal: over.signal })(part("never")),
      /it is over/,
    );
  });
});
