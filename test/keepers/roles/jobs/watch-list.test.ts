import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { WatchList, watchSchema } from "../../../../keepers/src/roles/challenger/watch-list.ts";
import { openState } from "../../../../keepers/src/storage/state/state.ts";

const jobs = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({ jobId: BigInt(from + i), cost: 10 }));
const all = (list: WatchList, count: number) =>
  Array.from({ length: count }, (_, i) => list.verdict(BigInt(i)));

describe("the jobs that a challenger looks at", () => {
  it("are all of them while they fit, and a part drawn by lot when they do not", () => {
    const list = new WatchList(openState({ path: ":memory:", schemas: [watchSchema] }));
    list.add(jobs(0, 3), 50);
    assert.deepEqual(all(list, 3), ["open", "open", "open"]);
    list.add(jobs(0, 10), 50);
    assert.equal(all(list, 10).filter((verdict) => verdict === "open").length, 5);
    assert.equal(all(list, 10).filter((verdict) => verdict === undefined).length, 5);
  });

  it("leave room for others once they are decided", () => {
    const list = new WatchList(openState({ path: ":memory:", schemas: [watchSchema] }));
    list.add(jobs(0, 2), 20);
    list.add(jobs(0, 3), 20);
    assert.equal(list.verdict(2n), undefined);
    list.decide(0n, "right");
    list.add(jobs(0, 3), 20);
    assert.deepEqual(all(list, 3), ["right", "open", "open"]);
  });

  it("attack: are not kept out for ever by those that took up the budget when they came", () => {
    const list = new WatchList(openState({ path: ":memory:", schemas: [watchSchema] }));
    list.add(jobs(0, 2), 20);
    list.add(jobs(0, 3), 20);
    list.add(jobs(0, 3), 20);
    assert.equal(list.verdict(2n), undefined);
    list.decide(1n, "right");
    list.add(jobs(0, 3), 20);
    assert.equal(list.verdict(2n), "open");
  });

  it("attack: are taken up though they are large, and small ones come all the time", () => {
    const state = openState({ path: ":memory:", schemas: [watchSchema] });
    state.run("INSERT INTO challenger_seed (seed) VALUES (?)", `0x${"11".repeat(32)}`);
    const list = new WatchList(state);
    const large = { jobId: 1_000n, cost: 20 };
    list.add(jobs(0, 1), 20);
    let rounds = 0;
    for (; list.verdict(large.jobId) === undefined && rounds < 200; rounds++) {
      const known = [...jobs(0, rounds + 2), large];
      list.add(known, 20);
      for (const { jobId } of known)
        if (list.verdict(jobId) === "open" && jobId <= rounds) list.decide(jobId, "right");
    }
    assert.equal(list.verdict(large.jobId), "open", `after ${rounds} rounds`);
  });

  it("are passed over where one alone is more than the budget", () => {
    const list = new WatchList(openState({ path: ":memory:", schemas: [watchSchema] }));
    list.add([{ jobId: 9n, cost: 21 }, ...jobs(0, 2)], 20);
    assert.deepEqual([list.verdict(9n), ...all(list, 2)], [undefined, "open", "open"]);
  });

  it("leave room for others once they cannot be looked at any more, decided or not", () => {
    const list = new WatchList(openState({ path: ":memory:", schemas: [watchSchema] }));
    list.add(jobs(0, 2), 20);
    list.add(jobs(2, 2), 20);
    assert.deepEqual(all(list, 4), ["open", "open", "open", "open"]);
  });

  it("stay chosen when they are seen again, also after a restart", () => {
    const state = openState({ path: ":memory:", schemas: [watchSchema] });
    const first = new WatchList(state);
    first.add(jobs(0, 20), 100);
    const chosen = all(first, 20);
    const second = new WatchList(state);
    second.add(jobs(0, 20), 100);
    assert.deepEqual(all(second, 20), chosen);
  });

  it("are other ones for each challenger: nobody knows where it does not look", () => {
    const choices = Array.from({ length: 4 }, () => {
      const list = new WatchList(openState({ path: ":memory:", schemas: [watchSchema] }));
      list.add(jobs(0, 40), 200);
      return all(list, 40).join();
    });
    assert.ok(new Set(choices).size > 1);
  });
});
