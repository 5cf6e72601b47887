import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Hex } from "viem";
import { traceLength } from "../../../keepers/src/core/exact/commitment.ts";
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
    const own = cheated.challenger();
    const seen: { history: DisputeHistory; data: Hex }[] = [];
    const id = await openJob(provider);
    const opened = await arena.openWith(challengeOf(await provider.leaves(), 6), id);
    const played = await arena.playRuns(opened.id, own, provider, {
      async pick(round) {
        const history = await arena.disputeOf(opened.id);
        const { answers } = history;
        const side = ownerOf(round) === "provider";
        const move = side
          ? await nextMove({ role: "provider", run: provider }, round)
          : await nextMove({ role: "challenger", own, answers }, round);
        seen.push({ history, data: encodeMove(round, move!) });
        return move;
      },
    });
    assert.equal(played.ending, "convicted");
    assert.equal(seen.length, 8);
    for (const { history, data } of seen) {
      const { round, answers } = history;
      const again =
        ownerOf(round) === "provider"
          ? await nextMove({ role: "provider", run: await cheated.provider() }, round)
          : await nextMove({ role: "challenger", own: cheated.challenger(), answers }, round);
      assert.equal(encodeMove(round, again!), data);
    }
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

  it("attack 11: a withheld trace whose provider answers is searched, each answer halving what is left", async () => {
    const provider = await cheated.provider();
    const played = await dispute(cheated.challenger(), provider, { kind: "challengeTrace" });
    assert.deepEqual([played.ending, played.convicted], ["convicted", 6]);
    const opened = played.steps.filter(({ name }) => name === "openLeaves").length;
    const most = Math.ceil(Math.log2(traceLength(mlp.order.steps, mlp.order.interval) - 1));
    assert.ok(opened <= most, `${opened} intervals were opened`);
    const [search, rest] = [played.steps.slice(0, 2 * opened), played.steps.slice(2 * opened)];
    assert.ok(
      search.every(({ name }, i) =>
        i % 2 === 0 ? name === "openLeaves" : /nameHalf|takeInterval/.test(name),
      ),
    );
    assert.deepEqual(
      rest.map(({ name }) => name),
      [...names, "ruleElement"],
    );
  });
});

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
