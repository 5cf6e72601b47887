import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { exploits, honestPlan } from "./exploits.ts";
import { drawPlan } from "./plan.ts";
import { type Report, run } from "./run.ts";
import { walk } from "./walk.ts";
import { CoalitionWorld } from "./world.ts";

/** Walks of the gate; `ASSAY_WALKS` says how many, for a night. */
const walks = Number(process.env.ASSAY_WALKS ?? 200);

describe("coalitions of any roles", () => {
  let report: Report;

  before(async () => {
    report = await run({ walks, seed: "1", copies: "directed", say: () => {} });
  });

  it(`leave nobody honest below what it is owed, and nothing stuck, in ${walks} random walks on the real contracts`, () => {
    assert.deepEqual(report.faults, []);
    assert.deepEqual([report.worstLoss, report.worstProfit], [0, 0]);
  });

  it("find every exploit closed that has a remedy, and find it again in a copy without", () => {
    const mended = report.exploits.filter(({ reopens }) => reopens !== null);
    assert.ok(mended.length > 0);
    for (const { name, closed, reopens } of mended) assert.deepEqual([closed, reopens], [true, true], name);
  });

  it("notice every remedy that is missing in a random walk, too: in the one that is on record for it", () => {
    const noticed = report.exploits.filter(({ reopens }) => reopens !== null);
    const recorded = exploits.flatMap((each) =>
      each.patch === undefined ? [] : [{ name: each.name, noticedBy: each.noticedAt + 1 }],
    );
    assert.ok(recorded.length > 0);
    assert.deepEqual(
      noticed.map(({ name, noticedBy }) => ({ name, noticedBy })),
      recorded,
    );
  });

  it("do something: moves are accepted, right results paid for, and most functions reached", () => {
    assert.ok(report.accepted > 0 && report.delivered > 0 && report.reached.length > 0);
  });
});

describe("a walk", () => {
  let world: CoalitionWorld;

  before(async () => {
    world = await CoalitionWorld.open();
  });

  after(async () => {
    await world?.close();
  });

  it("of honest parties alone ends with the price paid, the model delivered, and nobody poorer", async () => {
    const { faults, delivered } = await walk(world, { ...honestPlan, hasCommittee: true, hasArchive: true });
    assert.deepEqual([faults, delivered], [[], 1]);
  });

  it("in which a provider withholds its witnesses gives nothing to whoever says so, and owes it nothing", async () => {
    const { faults, actions } = await walk(world, drawPlan("crew 10"));
    assert.deepEqual(faults, []);
    const isSaid = actions.some((action) => action.endsWith(" bystander Committee.executeTimeout"));
    assert.ok(isSaid, "nobody says so in this walk any more");
  });

  it("is the same for the same seed, to the last call", async () => {
    const [one, other] = [await walk(world, drawPlan("same")), await walk(world, drawPlan("same"))];
    assert.deepEqual(other.actions, one.actions);
  });
});
