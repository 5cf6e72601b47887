import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ownerOf, stageOf } from "../../../../keepers/src/training/dispute/moves.ts";
import { nextMove } from "../../../../keepers/src/training/dispute/next-move.ts";
import { anyLie, drawsOf } from "../../../contracts/disputes/game/liars.ts";
import { type RecordedMove, readRecord, recordMove } from "../../../contracts/disputes/game/recorded.ts";
import { mlpJob } from "../../../contracts/disputes/game/scenes.ts";
import { Story } from "../../../contracts/disputes/game/story.ts";
import { runOf } from "../../../contracts/disputes/game/told-run.ts";

const job = mlpJob();
const honest = new Story(job);
const own = runOf(honest);
const disputes = readRecord();

describe("players of disputes, held to the moves that convicted on a chain", () => {
  for (const { run, moves } of disputes) {
    it(`make the same moves in dispute ${run}, from what was posted alone`, async () => {
      const claimed = runOf(new Story(job, anyLie(drawsOf(run), job), honest));
      for (const { round, answers, move } of moves) await makesMove({ round, answers, move }, claimed);
    });
  }

  it("come to every stage that an interval of one step leads to", () => {
    const seen = new Set(disputes.flatMap(({ moves }) => moves.map(({ round }) => stageOf(round))));
    const least = ["States", "Step", "Tensors", "Node", "Hashes", "Leaf", "OpenLeaf", "Element"] as const;
    for (const stage of least) assert.ok(seen.has(stage), `${stage} is in no dispute`);
    assert.ok(disputes.length >= 20, `${disputes.length} disputes`);
  });
});

async function makesMove({ round, answers, move }: RecordedMove, claimed: ReturnType<typeof runOf>) {
  const player =
    ownerOf(round) === "provider"
      ? ({ role: "provider", run: claimed } as const)
      : ({ role: "challenger", own, answers } as const);
  const made = await nextMove(player, round);
  assert.deepEqual(recordMove(round, answers, made).move, move, stageOf(round));
  // The other side waits.
  const waiting =
    player.role === "provider"
      ? ({ role: "challenger", own, answers } as const)
      : ({ role: "provider", run: claimed } as const);
  assert.equal(await nextMove(waiting, round), undefined);
}
