import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { challengeOf } from "../../../keepers/src/training/dispute/find-interval.ts";
import {
  findMislabelled,
  mislabelledMove,
} from "../../../keepers/src/training/dispute/mislabelled-player.ts";
import { ownerOf } from "../../../keepers/src/training/dispute/moves.ts";
import { createArena } from "./game/arena.ts";
import { mislabelled, mislabelledPlace } from "./game/mislabelled.ts";
import { runOf } from "./game/told-run.ts";

const arena = await createArena();
let jobs = 12_000n;

describe("the player that shows a sample that no class fits", () => {
  const ways: readonly [string, number, number, "challenge" | "challengeTrace"][] = [
    ["from the leaves of its interval", 5, 2, "challenge"],
    ["in an interval of which not every state is posted at once", 40, 40, "challenge"],
    ["by a search where the leaves are withheld", 5, 1, "challengeTrace"],
  ];
  for (const [how, steps, interval, kind] of ways) {
    it(`convicts ${how}, having computed nothing`, async () => {
      const { own, order, told, ...found } = mislabelled(steps, interval);
      const sample = await findMislabelled({ order, ...found });
      assert.deepEqual(sample, { ...mislabelledPlace, order });
      const jobId = ++jobs;
      await arena.open(told, jobId);
      const leaves = await runOf(told).leaves();
      const opening =
        kind === "challenge" ? challengeOf(leaves, Math.floor(mislabelledPlace.step / interval)) : { kind };
      const { id } = await arena.openWith(opening, jobId);
      const { ending, steps: moves } = await arena.playOut(id, told, told, {
        async pick(round) {
          if (ownerOf(round) !== "challenger") return undefined;
          return await mislabelledMove(own, sample!, (await arena.disputeOf(id)).answers, round);
        },
      });
      assert.equal(ending, "convicted");
      assert.equal(moves.at(-1)!.name, "ruleInput");
      assert.equal((await arena.claims.read.convictions([jobId]))[3], 1);
    });
  }
});
