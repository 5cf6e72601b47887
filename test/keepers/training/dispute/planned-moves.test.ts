import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { stageOf, stages } from "../../../../keepers/src/training/dispute/moves.ts";
import { plays } from "../../../contracts/disputes/game/planned.ts";
import {
  type RecordedDispute,
  type RecordedPlay,
  readRecord,
} from "../../../contracts/disputes/game/recorded.ts";
import { makesMove } from "./replay.ts";

const recorded: RecordedPlay[] = readRecord("dispute-plays");

describe("players of disputes that were planned, held to the moves that they made on a chain", () => {
  for (const { play, moves } of recorded) {
    it(`make the same moves over ${play}, from what was posted alone`, async () => {
      const { own, claimed, options } = await plays[play]!();
      for (const move of moves) await makesMove(move, { own, claimed, sample: options.sample });
    });
  }

  it("have come to every stage of a dispute but claims that a member signed", () => {
    const drawn: RecordedDispute[] = readRecord("dispute-moves");
    const seen = new Set(
      [...recorded, ...drawn].flatMap(({ moves }) => moves.map(({ round }) => stageOf(round))),
    );
    assert.deepEqual(
      stages.filter((stage) => !seen.has(stage)),
      ["None", "MemberLeaves", "Closed"],
    );
  });
});
