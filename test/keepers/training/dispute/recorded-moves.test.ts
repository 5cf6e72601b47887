import { describe, it } from "node:test";
import { anyLie, drawsOf, type LiarJob, liarJobs } from "../../../contracts/disputes/game/liars.ts";
import { type RecordedDispute, readRecord } from "../../../contracts/disputes/game/recorded.ts";
import { Story } from "../../../contracts/disputes/game/story.ts";
import { runOf } from "../../../contracts/disputes/game/told-run.ts";
import { makesMove } from "./replay.ts";

const disputes: RecordedDispute[] = readRecord("dispute-moves");

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
      for (const move of moves) await makesMove(move, { own, claimed });
    });
  }
});
