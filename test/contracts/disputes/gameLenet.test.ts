import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { finishOf } from "../../../keepers/src/core/exact/ops/evaluate.ts";
import type { Tensor } from "../../../keepers/src/core/exact/tape/types.ts";
import { isProduction, matchSnapshot, tableOf } from "../snapshots.ts";
import { createArena } from "./game/arena.ts";
import { opcodePlaces, storyOf } from "./game/lenet.ts";
import { lenetJob, otherExponent, otherMantissa } from "./game/scenes.ts";
import { nameStep, searchFor, towards } from "./game/shams.ts";
import type { Story } from "./game/story.ts";

const step = 4_711;

/** What the deployed code may cost: all moves of a dispute, and the largest. */
const bars = new Map([
  [16, { total: 1_300_000, most: 300_000 }],
  [32, { total: 1_340_000, most: 300_000 }],
]);

describe("a dispute over LeNet-5, batches of 64", async () => {
  const arena = await createArena();
  let jobs = 1_000n;
  const gas: Record<string, number> = {};

  /**
   * Plays a lie in one tensor to its end, and notes what that takes.
   *
   * @param levels of the search, where the leaves are withheld
   */
  async function play(name: string, honest: Story, place: number, tensor: Tensor, levels = 0) {
    const { interval } = honest.job.order;
    const liar = honest.withTensor(step, place, tensor);
    const id = ++jobs;
    await arena.open(liar, id);
    const at = Math.floor(step / interval);
    const opened =
      levels > 0 ? await arena.openWith({ kind: "challengeTrace" }, id) : await arena.challenge(liar, at, id);
    const played = await arena.playOut(opened.id, honest, liar, {
      pick(round, stage) {
        if (stage === "TraceName") return searchFor(liar, round, at);
        if (stage === "Step") return nameStep(liar, round, step % interval);
        return stage === "Node" ? towards(liar, round, place) : undefined;
      },
    });
    const all = [opened.step, ...played.steps];
    // A provider that has no answer is convicted by its silence.
    if (played.ending === "stuck") all.push(...(await arena.timeOut(opened.id)));
    const [, , , count] = await arena.claims.read.convictions([id]);
    const story = all.map((each) => `${each.name} ${each.gas}`).join(", ");
    assert.equal(count, 1, `${name}: ${story} at ${played.last}`);
    const total = all.reduce((sum, each) => sum + each.gas, 0);
    const most = Math.max(...all.map((each) => each.gas));
    assert.ok(all.length <= 12 + 2 * levels, `${name}: ${story}`);
    if (isProduction) {
      const bar = bars.get(interval)!;
      assert.ok(most <= bar.most, `${name}: ${story}`);
      assert.ok(levels > 0 || total <= bar.total, `${name}: ${total}, ${story}`);
    }
    gas[`${name}, total`] = total;
    gas[`${name}, most`] = most;
    gas[`${name}, bytes`] = all.reduce((sum, each) => sum + each.bytes, 0);
    gas[`${name}, transactions`] = all.length;
    return { last: played.last, transactions: all.length };
  }

  for (const interval of [16, 32]) {
    it(`of 9370 steps, ${interval} to a leaf, takes at most 12 transactions, wherever the lie is`, async () => {
      const job = lenetJob(9_370, 16, interval);
      const honest = await storyOf(job, step);
      for (const [opcode, place] of opcodePlaces(job)) {
        const right = honest.tensors(step)[place]!;
        const name = `9370 steps, ${interval} to a leaf, ${opcode}`;
        const { last } = await play(name, honest, place, otherMantissa(right));
        assert.equal(last === "Link", opcode === "LOAD");
        const { tape, node } = job.places[place]!;
        if (interval > 16 || finishOf(job.program.tapes[tape][node]!).kind !== "requantize") continue;
        const small = await play(`${name}, exponent too small`, honest, place, otherExponent(-1)(right));
        const large = await play(`${name}, exponent too large`, honest, place, otherExponent(1)(right));
        assert.deepEqual([small.last, large.last], ["Leaf", "Witness"], opcode);
      }
    });
  }

  it("takes as many transactions for a million steps as for nine thousand", async () => {
    const job = lenetJob(1_000_000, 16, 32);
    const honest = await storyOf(job, step);
    const places = opcodePlaces(job);
    for (const opcode of ["CONV"]) {
      const place = places.get(opcode)!;
      const lie = otherMantissa(honest.tensors(step)[place]!);
      const { transactions } = await play(`1000000 steps, 32 to a leaf, ${opcode}`, honest, place, lie);
      assert.equal(transactions, gas[`9370 steps, 32 to a leaf, ${opcode}, transactions`], opcode);
    }
  });

  for (const [steps, interval, levels] of [
    [9_370, 16, 2],
    [1_000_000, 32, 3],
  ] as const) {
    it(`of ${steps} steps takes ${2 * levels} transactions more when the leaves are withheld`, async () => {
      const honest = await storyOf(lenetJob(steps, 16, interval), step);
      const place = opcodePlaces(honest.job).get("CONV")!;
      const lie = otherMantissa(honest.tensors(step)[place]!);
      const name = `${steps} steps, ${interval} to a leaf, CONV`;
      const { transactions } = await play(`${name}, leaves withheld`, honest, place, lie, levels);
      // What the same lie took above, with its leaves published.
      assert.equal(transactions - gas[`${name}, transactions`]!, 2 * levels);
    });
  }

  it("costs what is on record", { skip: !isProduction && "only with --build-profile production" }, () => {
    matchSnapshot("disputeLenet.json", tableOf(gas));
  });
});
