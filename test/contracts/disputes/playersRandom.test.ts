import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { openingMove } from "../../../keepers/src/training/dispute/find-interval.ts";
import { ownerOf, type Round } from "../../../keepers/src/training/dispute/moves.ts";
import { createArena } from "./game/arena.ts";
import { anyLie, drawsOf, type LiarJob, liarJobs } from "./game/liars.ts";
import { isRecording, type RecordedDispute, writeRecord } from "./game/recorded.ts";
import { Story } from "./game/story.ts";
import { runOf } from "./game/told-run.ts";

/** Runs of each job, and of how many the moves are in the record that the players are held to without a chain. */
const runsOf: Record<LiarJob, { readonly runs: number; readonly recorded: number }> = {
  mlp: { runs: 120, recorded: 30 },
  cnn: { runs: 30, recorded: 8 },
  small: { runs: 12, recorded: 1 },
  odd: { runs: 24, recorded: 12 },
  long: { runs: 8, recorded: 4 },
  wide: { runs: 6, recorded: 0 },
  ties: { runs: 6, recorded: 4 },
};

describe("attacks 1, 2 and 11: for a random step, node and element", async () => {
  const arena = await createArena();
  let jobs = 20_000n;

  const disputes: RecordedDispute[] = [];
  after(() => {
    if (isRecording) writeRecord("dispute-moves", disputes);
  });

  for (const [name, { runs, recorded }] of Object.entries(runsOf) as [LiarJob, (typeof runsOf)[LiarJob]][]) {
    it(`a challenger that sees only the chain convicts each of ${runs} liars about the job ${name}`, async () => {
      await convictAll(name, runs, recorded);
    });
  }

  async function convictAll(name: LiarJob, runs: number, recordedRuns: number): Promise<void> {
    const job = liarJobs[name]();
    const honest = new Story(job);
    const own = runOf(honest);
    const endings = new Map<string, number>();
    for (let run = 0; run < runs; run++) {
      const random = drawsOf(run);
      const lie = anyLie(random, job);
      const liar = new Story(job, lie, honest);
      const claimed = runOf(liar);
      const id = ++jobs;
      const traceRoot = liar.trace().root;
      // The committee had the salts opened.
      const salt = (interval: number) => claimed.salt(interval);
      const found = await openingMove(own, { traceRoot }, await claimed.leaves(), { salt });
      // One in four withholds its leaves: they are searched for.
      const isWithheld = random.int(0, 3) === 0;
      const opening = found !== undefined && isWithheld ? ({ kind: "challengeTrace" } as const) : found;
      if (opening === undefined) {
        // A tensor that neither a state nor a witness comes from: nothing wrong was committed to.
        assert.equal(traceRoot, honest.trace().root);
        continue;
      }
      await arena.open(liar, id);
      const opened = await arena.openWith(opening, id);
      // One in four goes silent at some move, or moves in the last second of the grace.
      const [silentAt, lateAt] = [random.int(0, 31), random.int(0, 31)];
      let moves = 0;
      const pick = async (round: Round) => {
        if (ownerOf(round) !== "provider") return undefined;
        if (moves === silentAt) throw new Error("silent");
        if (moves++ === lateAt) await arena.lastSecond(opened.id);
        return undefined;
      };
      const recorded: RecordedDispute = { job: name, run, moves: [] };
      if (run < recordedRuns) disputes.push(recorded);
      const onMove = (move: RecordedDispute["moves"][number]) => recorded.moves.push(move);
      const played = await arena.playOut(opened.id, honest, liar, { pick, onMove }).catch((error) => {
        if (!/silent/.test(String(error))) throw error;
        return undefined;
      });
      if (played === undefined) {
        await arena.timeOut(opened.id);
        assert.equal((await arena.claims.read.convictions([id]))[3], 1, `run ${run}: silent`);
        endings.set("silent", (endings.get("silent") ?? 0) + 1);
        continue;
      }
      const last = played.steps.at(-1)?.name;
      if (played.ending === "stuck") {
        assert.ok(["Witness", "Link"].includes(played.last), `run ${run}: stuck at ${played.last}`);
        await arena.timeOut(opened.id);
      }
      assert.equal(
        (await arena.claims.read.convictions([id]))[3],
        1,
        `run ${run}: ${played.ending} after ${last}`,
      );
      const ending = played.ending === "stuck" ? `timeout at ${played.last}` : String(last);
      endings.set(ending, (endings.get(ending) ?? 0) + 1);
    }
    const convicted = [...endings.values()].reduce((sum, count) => sum + count, 0);
    assert.ok(convicted >= runs / 2, `${convicted} of ${runs} committed to something wrong`);
    if (runs >= 100) assert.ok(endings.size >= 4, [...endings].join(" "));
  }
});
