import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Hex } from "viem";
import { samplesOf, type TrainingOrder } from "../../../../keepers/src/core/exact/order.ts";
import { ObjectSet } from "../../../../keepers/src/training/data/object-set.ts";
import { findMislabelled } from "../../../../keepers/src/training/dispute/mislabelled-player.ts";
import { mislabelled, mislabelledPlace } from "../../../contracts/disputes/game/mislabelled.ts";
import { seededRandom } from "../../core/erasure/random.ts";

const hash = (byte: string): Hex => `0x${byte.repeat(32)}`;
const { order: any } = mislabelled(5, 2);

function setOf(objects: Iterable<number>): ObjectSet {
  const set = new ObjectSet();
  for (const object of objects) set.add(object);
  return set;
}

/** By the definition: every sample of every step is looked at. */
function firstOf(order: TrainingOrder, objects: ReadonlySet<number>) {
  const samples = samplesOf(order);
  for (let step = 0; step < order.steps; step++) {
    const at = samples.batch(step).findIndex((object) => objects.has(object));
    if (at >= 0)
      return { step, microBatch: Math.floor(at / order.microBatch), row: at % order.microBatch, order };
  }
  return undefined;
}

describe("a sample that no class fits", () => {
  it("is the first that is trained on, and none where no step reads it", async () => {
    const { order, mislabelled: objects } = mislabelled(5, 2);
    assert.deepEqual(await findMislabelled({ order, mislabelled: objects }), { ...mislabelledPlace, order });
    const { step } = mislabelledPlace;
    const before = { order: { ...order, steps: step }, mislabelled: objects };
    assert.equal(await findMislabelled(before), undefined);
    const found = await findMislabelled({ ...before, order: { ...order, steps: step + 1 } });
    assert.deepEqual([found?.step, found?.microBatch, found?.row], [step, 1, 1]);
    assert.equal(await findMislabelled({ order, mislabelled: new ObjectSet() }), undefined);
  });

  it("is that of the definition, whichever objects are so labelled and however much epochs leave out", async () => {
    const random = seededRandom(571);
    const below = (count: number) => Math.floor(random() * count);
    let [late, none] = [0, 0];
    for (let i = 0; i < 300; i++) {
      const objects = 16 + below(30);
      const train = 16 + below(objects - 15);
      const split = train === objects ? {} : { splitSeed: hash("5b") };
      const microBatches = 2 ** below(3);
      const microBatch = 16 / microBatches;
      const seed = hash((16 + below(200)).toString(16));
      const order = { ...any, ...split, seed, objects, train, microBatch, microBatches, steps: 1 + below(6) };
      const some = new Set(Array.from({ length: 1 + below(3) }, () => below(objects)));
      const expected = firstOf(order, some);
      assert.deepEqual(await findMislabelled({ order, mislabelled: setOf(some) }), expected);
      if (expected === undefined) none++;
      else if (expected.step >= Math.floor(train / 16)) late++;
    }
    assert.ok(late > 10 && none > 10, `${late} in a later epoch, ${none} not at all`);
  });

  it("attack: is none at once in a job of very many steps that trains on none of those so labelled", async () => {
    const size = { microBatch: 2 ** 17, microBatches: 1, train: 2 ** 17, objects: 2 ** 17 + 1, steps: 1e6 };
    const order = { ...any, ...size, splitSeed: hash("5b") };
    const set = setOf([samplesOf(order).validation(0)]);
    assert.equal(await findMislabelled({ order, mislabelled: set }), undefined);
  });

  it("attack: is looked for among very many in turns with other work, and not for longer than it is wanted", async () => {
    const size = { microBatch: 2 ** 20, microBatches: 1, train: 2 ** 20, objects: 2 ** 23, steps: 1e6 };
    const order = { ...any, ...size, splitSeed: hash("5b") };
    const set = setOf(Array.from({ length: 2 ** 23 }, (_, i) => i));
    let ticks = 0;
    const timer = setInterval(() => ticks++, 5);
    const begun = performance.now();
    try {
      await assert.rejects(
        findMislabelled({ order, mislabelled: set }, AbortSignal.timeout(300)),
        /aborted due to timeout/,
      );
    } finally {
      clearInterval(timer);
    }
    assert.ok(ticks >= 3, `the timer has had ${ticks} turns`);
    assert.ok(performance.now() - begun < 3_000, "it goes on after nobody wants it");
  });

  it("is not looked for at all once it is not wanted", async () => {
    const { order, mislabelled: objects } = mislabelled(5, 2);
    const signal = AbortSignal.abort(new Error("not wanted"));
    await assert.rejects(findMislabelled({ order, mislabelled: objects }, signal), /not wanted/);
  });
});
