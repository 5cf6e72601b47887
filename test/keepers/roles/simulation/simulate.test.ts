import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { opcodes } from "../../../../keepers/src/core/exact/tape/types.ts";
import { type Outcome, simulate } from "../../../../keepers/src/roles/simulation/simulate.ts";
import { type Family, familyNames, strategyOf } from "../../../../keepers/src/roles/simulation/strategy.ts";
import { makeTinyJob, tinyJobNames } from "../../../../keepers/src/roles/simulation/tiny-programs.ts";
import { World } from "../../../../keepers/src/roles/simulation/world.ts";

/** Strategies of each family; `ASSAY_STRATEGIES` says how many in all, for a night. */
const each = Math.ceil(Number(process.env.ASSAY_STRATEGIES ?? 63) / familyNames.length);

const attacks: Record<Family, string> = {
  lie: "attack 1: a provider that lies about any step, node or element, at any time that its clock allows, is convicted",
  withheld:
    "attack 11: a provider that lies and publishes no leaves is convicted, and its challenger loses no bond",
  accused: "attacks 2 and 5: an honest provider wins against whoever accuses it, and is paid for its moves",
  sybils: "attacks 1 and 7: an honest provider wins against many accounts at once, and is paid for its moves",
  race: "attack 4: a provider whose friends convict it first does not make the honest challenger poorer",
  copycat: "attack 4: those who copy a challenge do not make the honest challenger poorer",
  crowd: "attack 2: friends that stretch a lying provider's clock do not save it",
  vanish: "attack 25: whoever vanishes at any stage, the job ends and the consumer has model or money",
  offline: "attack 8: an honest side that is back only within the grace wins",
};

describe("simulated strategies", () => {
  let world: World;

  before(async () => {
    world = await World.open();
  });

  after(async () => {
    await world?.close();
  });

  for (const family of familyNames) {
    it(`${attacks[family]} (${each} strategies)`, async () => {
      const outcomes: Outcome[] = [];
      for (let i = 0; i < each; i++) outcomes.push(await simulate(world, strategyOf("tests", i, family)));
      const faults = outcomes.flatMap(({ strategy, faults }) =>
        faults.map((fault) => `${strategy.seed}: ${fault}`),
      );
      assert.deepEqual(faults, []);
      assert.ok(outcomes.some(({ calls }) => calls.length > 0));
    });
  }

  it("are the same for the same seed, to the last transaction, and others for another", async () => {
    const play = async (seed: string) => (await simulate(world, strategyOf(seed, 3))).transcript;
    const [first, again, other] = [await play("a"), await play("a"), await play("b")];
    assert.equal(again, first);
    assert.notEqual(other, first);
  });

  it("judge: a challenger that is silent in the end is seen to lose", async () => {
    // The rules' own test: an honest challenger that never moves is not honest, and the judge must notice.
    const strategy = { ...strategyOf("judge", 0, "lie"), rivals: [], honest: "never" } as const;
    const { isWrong, faults } = await simulate(world, strategy);
    assert.equal(isWrong, true);
    assert.match(faults.join(), /although its result is wrong/);
  });

  it("dispute over every opcode", () => {
    const seen = new Set(
      tinyJobNames.flatMap((name) =>
        makeTinyJob(name)
          .program.tapes.flat()
          .map((n) => n.opcode),
      ),
    );
    assert.deepEqual([...seen].sort(), Object.keys(opcodes).sort());
  });
});
