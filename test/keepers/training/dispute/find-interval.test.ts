import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Hex } from "viem";
import { witnessesHash } from "../../../../keepers/src/core/attestation/statement.ts";
import type { LeafClaim } from "../../../../keepers/src/training/dispute/claimed-run.ts";
import {
  arePublished,
  challengeOf,
  findWrongInterval,
  openingMove,
} from "../../../../keepers/src/training/dispute/find-interval.ts";
import { openNeighbours } from "../../../../keepers/src/training/dispute/leaves.ts";
import { mlpJob } from "../../../contracts/disputes/game/scenes.ts";
import { Story } from "../../../contracts/disputes/game/story.ts";
import { runOf } from "../../../contracts/disputes/game/told-run.ts";

/** Steps 0 and 1, 2 and 3, 4 and 5, and 6: five leaves. */
const job = mlpJob(16, 7, 2);
const honest = new Story(job);
const state = (stored: readonly Int32Array[]) => stored.map((slot) => slot.map((mantissa) => mantissa ^ 1));
const liar = new Story(job, { step: 3, state }, honest);
const own = runOf(honest);
const claimed = runOf(liar);
const claimOf = (story: Story) => ({ traceRoot: story.trace().root });
const other: Hex = `0x${"ab".repeat(32)}`;

describe("what opens a dispute", () => {
  it("is nothing where the own run bears out every interval", async () => {
    assert.equal(await openingMove(own, claimOf(honest), await own.leaves()), undefined);
  });

  it("is a challenge of the first interval that the own run does not bear out, with its two leaves opened", async () => {
    const leaves = await claimed.leaves();
    const move = await openingMove(own, claimOf(liar), leaves);
    assert.deepEqual(move, challengeOf(leaves, 1));
    assert.ok(move?.kind === "challenge");
    assert.deepEqual(
      [move.before, move.next],
      [1, 2].map((leaf) => ({
        stateRoot: liar.traceRootAt(leaf),
        witnessHash: liar.h(leaf),
        siblings: liar.trace().proof(leaf),
      })),
    );
  });

  it("is a search of the trace where its leaves are withheld, too few, or another's", async () => {
    const search = { kind: "challengeTrace" };
    const leaves = await claimed.leaves();
    assert.deepEqual(await openingMove(own, claimOf(liar), undefined), search);
    assert.deepEqual(await openingMove(own, claimOf(liar), leaves.slice(0, -1)), search);
    assert.deepEqual(await openingMove(own, claimOf(honest), leaves), search);
    assert.equal(arePublished(own, claimOf(liar).traceRoot, leaves), true);
    assert.equal(arePublished(own, claimOf(liar).traceRoot, [...leaves, leaves[0]!]), false);
  });
});

describe("the wrong interval of a trace", () => {
  it("is found by witnesses that were opened, where the states are right", async () => {
    const leaves = await own.leaves();
    const right = witnessesHash(await own.witnesses(2));
    const seen: number[] = [];
    const opened = (wrong: Hex) => (interval: number) => (interval === 2 ? wrong : undefined);
    const onInterval = (interval: number) => seen.push(interval);
    assert.equal(await findWrongInterval(own, leaves, { opened: opened(right), onInterval }), undefined);
    assert.deepEqual(seen, [0, 1, 2, 3]);
    assert.deepEqual(await findWrongInterval(own, leaves, { opened: opened(other) }), {
      interval: 2,
      differs: "witnesses",
    });
  });

  it("is not looked for in what is no trace of the order, or begins elsewhere, and the error says which", async () => {
    const leaves = await own.leaves();
    const error = (message: string) => ({ name: "BadInputError", message });
    await assert.rejects(findWrongInterval(own, leaves.slice(1)), error("The trace has 4 leaves, not 5."));
    const from = leaves.with(2, { stateRoot: other, h: other } satisfies LeafClaim);
    await assert.rejects(
      findWrongInterval(own, from, { first: 2 }),
      error("The trace is another one at leaf 2 already."),
    );
  });
});

describe("two leaves that stand beside each other", () => {
  it("are opened with nothing said twice: the first has all siblings but the other, the other those below", async () => {
    const leaves = await own.leaves();
    const tree = honest.trace();
    for (const interval of [0, 1, 2, 3]) {
      const [before, next] = openNeighbours(leaves, interval);
      // Leaves 0 and 1 meet at once, 1 and 2 a level higher, 3 and 4 at the root.
      const meet = [0, 1, 0, 2][interval]!;
      assert.deepEqual(before.siblings, tree.proof(interval).toSpliced(meet, 1), `interval ${interval}`);
      assert.deepEqual(next.siblings, tree.proof(interval + 1).slice(0, meet), `interval ${interval}`);
      assert.deepEqual(
        [before.stateRoot, next.witnessHash],
        [leaves[interval]!.stateRoot, leaves[interval + 1]!.h],
      );
    }
  });
});
