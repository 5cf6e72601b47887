import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Hex } from "viem";
import type { ClaimedRun } from "../../../keepers/src/training/dispute/claimed-run.ts";
import {
  challengeOf,
  findWrongInterval,
  type OpeningMove,
  openingMove,
} from "../../../keepers/src/training/dispute/find-interval.ts";
import { encodeMove, ownerOf } from "../../../keepers/src/training/dispute/moves.ts";
import { nextMove } from "../../../keepers/src/training/dispute/next-move.ts";
import type { OwnRun } from "../../../keepers/src/training/dispute/own-run.ts";
import { wasmExecutor } from "../../../keepers/src/training/executors/wasm.ts";
import { createArena, type PlayOptions } from "./game/arena.ts";
import type { DisputeHistory } from "./game/history.ts";
import { cnnJob, mlpJob } from "./game/scenes.ts";
import { trainedRun } from "./game/trained-runs.ts";

const arena = await createArena();
let jobs = 5_000n;

async function openJob(claimed: ClaimedRun): Promise<bigint> {
  const id = ++jobs;
  await arena.openRun(claimed, id);
  return id;
}

/** Opens a job and the dispute over it, and plays it to its end. */
async function dispute(own: OwnRun, claimed: ClaimedRun, move?: OpeningMove, options: PlayOptions = {}) {
  const id = await openJob(claimed);
  const { traceRoot } = await arena.claims.read.claimOf([id]);
  const opening = move ?? (await openingMove(own, { traceRoot }, await claimed.leaves()));
  assert.ok(opening !== undefined, "nothing to challenge");
  const opened = await arena.openWith(opening, id);
  const played = await arena.playRuns(opened.id, own, claimed, options);
  const [convicted, , , count] = await arena.claims.read.convictions([id]);
  return { id, challenge: opened.id, ...played, convicted: count === 0 ? undefined : convicted };
}

const mlp = mlpJob(16, 24, 2);
const mlpFlip = { step: 13, slot: 0, element: 50, bit: 13 };
const cheated = await trainedRun(mlp, mlpFlip);
const honest = await trainedRun(mlp);
/** Of an interval of an MLP, whose tensors are few. */
const names = ["postStates", "nameStep", "postTensors", "nameTensor", "postHashes", "nameChild", "postLeaf"];

describe("players of a dispute over a run that was trained to a folder", () => {
  it("convict a provider that flipped one bit of one weight", async () => {
    const own = cheated.challenger();
    const provider = await cheated.provider();
    assert.deepEqual(await findWrongInterval(own, await provider.leaves()), {
      interval: 6,
      differs: "state",
    });
    const played = await dispute(own, provider);
    assert.deepEqual([played.ending, played.convicted], ["convicted", 6]);
    assert.deepEqual(
      played.steps.map(({ name }) => name),
      [...names, "ruleElement"],
    );
  });

  it("convict one that flipped a bit in a convolutional network, by another engine's word", async () => {
    const flip = { step: 4, slot: 2, element: 7, bit: 9 };
    const run = await trainedRun(cnnJob(16, 6, 3), flip);
    const played = await dispute(run.challenger(wasmExecutor), await run.provider());
    assert.deepEqual([played.ending, played.convicted, played.last], ["convicted", 1, "Element"]);
    assert.ok(played.steps.length + 1 <= 12, `${played.steps.length + 1} transactions`);
  });

  it("attack 9: killed before every move and started from disk and chain, make the same moves", async () => {
    const provider = await cheated.provider();
    const moves = await playRestarted(cheated, challengeOf(await provider.leaves(), 6));
    assert.deepEqual(moves, [...names, "ruleElement"]);
  });

  it("leave an honest provider alone, and find nothing to say against it when they challenge it all the same", async () => {
    const own = honest.challenger();
    const provider = await honest.provider();
    const leaves = await provider.leaves();
    assert.equal(await findWrongInterval(own, leaves), undefined);
    const played = await dispute(own, provider, challengeOf(leaves, 3));
    assert.deepEqual([played.ending, played.last], ["stuck", "Step"]);
    await arena.timeOut(played.challenge);
    assert.equal((await arena.claims.read.convictions([played.id]))[3], 0);
  });

  it("attack 1: an honest provider wins against a challenger whose own run is wrong", async () => {
    const provider = await honest.provider();
    const leaves = await provider.leaves();
    // As a provider of the wrong run would see it: a weight that was not computed as it should be.
    const liar = await cheated.provider();
    const ruled = await dispute(liar, provider, challengeOf(leaves, 6));
    assert.deepEqual([ruled.ending, ruled.last], ["stuck", "Element"]);
    await arena.timeOut(ruled.challenge);
    assert.equal((await arena.claims.read.convictions([ruled.id]))[3], 0);
    // And a state that is not what was stored: every slot of it is.
    const shown: OwnRun = {
      ...runOf(liar),
      step: (step) => honest.challenger().step(step),
    };
    const stored = await dispute(shown, provider, challengeOf(leaves, 6));
    assert.deepEqual([stored.ending, stored.last], ["stuck", "StateName"]);
    await arena.timeOut(stored.challenge);
    assert.equal((await arena.claims.read.convictions([stored.id]))[3], 0);
  });

  it("attack 11: a withheld trace convicts a provider that does not answer", async () => {
    const provider = await cheated.provider();
    const id = await openJob(provider);
    const own = cheated.challenger();
    const { traceRoot } = await arena.claims.read.claimOf([id]);
    const withheld = await openingMove(own, { traceRoot }, undefined);
    assert.deepEqual(withheld, { kind: "challengeTrace" });
    // Leaves of another trace are as good as none.
    const others = await (await honest.provider()).leaves();
    assert.deepEqual(await openingMove(own, { traceRoot }, others), withheld);
    const opened = await arena.openWith(withheld!, id);
    await arena.timeOut(opened.id);
    assert.equal((await arena.claims.read.convictions([id]))[3], 1);
  });

  it("attacks 9 and 11: a withheld trace is searched, also when both are killed before every move", async () => {
    const moves = await playRestarted(cheated, { kind: "challengeTrace" });
    assert.deepEqual(moves, ["postTrace", "nameTrace", "openInterval", ...names.slice(1), "ruleElement"]);
  });
});

/** Plays a dispute to its end, then chooses every move again from disk and chain alone. */
async function playRestarted(run: Awaited<ReturnType<typeof trainedRun>>, opening: OpeningMove) {
  const [provider, own] = [await run.provider(), run.challenger()];
  const seen: { history: DisputeHistory; data: Hex; name: string }[] = [];
  const id = await openJob(provider);
  const opened = await arena.openWith(opening, id);
  const played = await arena.playRuns(opened.id, own, provider, {
    async pick(round) {
      const history = await arena.disputeOf(opened.id);
      const { answers } = history;
      const side = ownerOf(round) === "provider";
      const move = side
        ? await nextMove({ role: "provider", run: provider }, round)
        : await nextMove({ role: "challenger", own, answers }, round);
      seen.push({ history, data: encodeMove(round, move!), name: move!.name });
      return move;
    },
  });
  assert.equal(played.ending, "convicted");
  for (const { history, data } of seen) {
    const { round, answers } = history;
    const again =
      ownerOf(round) === "provider"
        ? await nextMove({ role: "provider", run: await run.provider() }, round)
        : await nextMove({ role: "challenger", own: run.challenger(), answers }, round);
    assert.equal(encodeMove(round, again!), data);
  }
  return seen.map(({ name }) => name);
}

/** A run as plain functions, so that one of them can be another. */
function runOf(run: OwnRun): OwnRun {
  return {
    program: run.program,
    order: run.order,
    stateRoots: (steps) => run.stateRoots(steps),
    slots: (steps) => run.slots(steps),
    witnesses: (interval) => run.witnesses(interval),
    step: (step) => run.step(step),
    object: (place) => run.object(place),
  };
}
