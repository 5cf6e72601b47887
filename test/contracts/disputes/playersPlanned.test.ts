import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { toHex } from "viem";
import { challengeOf } from "../../../keepers/src/training/dispute/find-interval.ts";
import { traceTreeOf } from "../../../keepers/src/training/dispute/leaves.ts";
import { createArena, providerBond, terms } from "./game/arena.ts";
import { plays } from "./game/planned.ts";
import { isRecording, type RecordedMove, type RecordedPlay, writeRecord } from "./game/recorded.ts";

describe("players of disputes that were planned", async () => {
  const arena = await createArena();
  let jobs = 30_000n;

  const disputes: RecordedPlay[] = [];
  after(() => {
    if (isRecording) writeRecord("dispute-plays", disputes);
  });

  for (const [name, make] of Object.entries(plays)) {
    it(`end as they must, over ${name}`, async () => {
      const { liar, own, claimed, interval, options, ending, last } = await make();
      const id = ++jobs;
      const leaves = await claimed.leaves();
      // Of a part of a run the order is the one of the whole; its steps are the claim's alone.
      const claim = {
        ...arena.claimOf(liar),
        steps: BigInt(claimed.order.steps),
        traceRoot: toHex(traceTreeOf(leaves).root),
      };
      await arena.claims.write.open([id, claim, terms], { value: providerBond });
      const opening =
        interval === undefined ? ({ kind: "challengeTrace" } as const) : challengeOf(leaves, interval);
      const opened = await arena.openWith(opening, id);
      const moves: RecordedMove[] = [];
      const onMove = (move: RecordedMove) => moves.push(move);
      const played = await arena.playRuns(opened.id, own, claimed, { ...options, onMove });
      const seen = played.ending === "stuck" ? played.last : played.steps.at(-1)?.name;
      assert.deepEqual([played.ending, seen], [ending, last]);
      disputes.push({ play: name, moves });
    });
  }
});
