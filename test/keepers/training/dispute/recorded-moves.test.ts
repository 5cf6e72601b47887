import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ownerOf, stageOf, stages } from "../../../../keepers/src/training/dispute/moves.ts";
import { nextMove } from "../../../../keepers/src/training/dispute/next-move.ts";
import { anyLie, drawsOf, type LiarJob, liarJobs } from "../../../contracts/disputes/game/liars.ts";
import { type RecordedMove, readRecord, recordMove } from "../../../contracts/disputes/game/recorded.ts";
import { Story } from "../../../contracts/disputes/game/story.ts";
import { runOf } from "../../../contracts/disputes/game/told-run.ts";

const disputes = readRecord();

/** A job, what is honestly computed of it, and who challenges with that. */
function sceneOf(name: LiarJob) {
  const job = liarJobs[name]();
  const honest = new Story(job);
  return { job, honest, own: runOf(honest) };
}

const scenes = new Map<LiarJob, ReturnType<typeof sceneOf>>();

describe("players of disputes, held to the moves that convicted on a chain", () => {
  for (const { job: name, run, moves } of disputes) {
    it(`make the same moves in dispute ${run} over the job ${name}, from what was posted alone`, async () => {
      const { job, honest, own } = scenes.get(name) ?? sceneOf(name);
      scenes.set(name, { job, honest, own });
      const claimed = runOf(new Story(job, anyLie(drawsOf(run), job), honest));
      for (const move of moves) await makesMove(move, own, claimed);
    });
  }

  it("come to every stage but those of long sums, large tensors and claims that a member signed", () => {
    const seen = new Set(disputes.flatMap(({ moves }) => moves.map(({ round }) => stageOf(round))));
    const unseen = stages.filter((stage) => !seen.has(stage));
    assert.deepEqual(unseen, ["None", "HashNodes", "Sums", "Sum", "Witness", "MemberLeaves", "Closed"]);
  });
});

type Run = ReturnType<typeof runOf>;

async function makesMove({ round, answers, move }: RecordedMove, own: Run, claimed: Run): Promise<void> {
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
