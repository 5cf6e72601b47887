import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { BadInputError } from "../../../../../keepers/src/core/errors.ts";
import { sampleOrder } from "../../../../../keepers/src/core/exact/random/order.ts";
import { randomBytes, seededRandom } from "../../erasure/random.ts";
import { recordedRefusals } from "../../refusals.ts";
import { permuted } from "./reference.ts";

const throws = recordedRefusals("exact/random/order");

const seed = randomBytes(seededRandom(321), 32);
const splitSeed = randomBytes(seededRandom(322), 32);
const counts = { objects: 103, train: 81, microBatch: 4, microBatches: 2 };

describe("order of samples", () => {
  it("puts every training object at most once into an epoch and never a validation object", () => {
    const order = sampleOrder({ seed, splitSeed, ...counts });
    assert.equal(order.stepsPerEpoch, 10);
    assert.equal(order.validationCount, 22);
    const validation = new Set(Array.from({ length: 22 }, (_, i) => order.validation(i)));
    const training = new Set(Array.from({ length: 81 }, (_, i) => order.training(i)));
    assert.equal(validation.size + training.size, new Set([...validation, ...training]).size);
    assert.equal(training.size, 81);
    for (const epoch of [0, 1, 7]) {
      const seen = Array.from({ length: 10 }, (_, i) => [...order.batch(epoch * 10 + i)]).flat();
      assert.equal(new Set(seen).size, 80);
      assert.ok(seen.every((object) => training.has(object)));
    }
    assert.notDeepEqual(order.batch(0), order.batch(10));
  });

  it("names the object of one row as the definition does, in whatever order it is asked", () => {
    const order = sampleOrder({ seed, splitSeed, ...counts });
    for (const [step, batch, row] of [
      [0, 0, 0],
      [25, 1, 3],
      [9, 1, 0],
      [10, 0, 2],
      [3, 1, 1],
    ] as const) {
      const place = (step % 10) * 8 + batch * 4 + row;
      const shuffled = permuted(seed, 2, Math.floor(step / 10), 81, place);
      const expected = permuted(splitSeed, 3, 0, 103, shuffled);
      assert.equal(order.sample(step, batch, row), expected);
      assert.equal(order.batch(step)[batch * 4 + row], expected);
    }
    assert.equal(order.validation(5), permuted(splitSeed, 3, 0, 103, 86));
  });

  it("takes all objects as they stand when there is no split", () => {
    const order = sampleOrder({ seed, ...counts, objects: 81 });
    assert.equal(order.validationCount, 0);
    assert.equal(order.training(17), 17);
    assert.equal(order.sample(0, 0, 1), permuted(seed, 2, 0, 81, 1));
  });

  it("names the training sample that an object is, and its place in an epoch", () => {
    for (const split of [{ splitSeed }, { objects: 81 }]) {
      const order = sampleOrder({ seed, ...counts, ...split });
      const { validationCount } = order;
      for (let i = 0; i < 81; i++) assert.equal(order.trainingOf(order.training(i)), i);
      for (let i = 0; i < validationCount; i++)
        assert.equal(order.trainingOf(order.validation(i)), undefined);
      for (const epoch of [3, 0, 2 ** 20]) {
        const batches = Array.from({ length: 10 }, (_, i) => [...order.batch(epoch * 10 + i)]).flat();
        const places = Array.from({ length: 81 }, (_, i) => batches.indexOf(order.training(i)));
        assert.deepEqual(
          Array.from({ length: 81 }, (_, i) => order.placeIn(epoch, i) ?? -1),
          places,
        );
      }
    }
  });

  it("refuses counts and places that do not fit each other", () => {
    for (const wrong of [
      { ...counts, splitSeed, train: 104 },
      { ...counts, splitSeed, train: 7 },
      { ...counts, splitSeed, microBatch: 0 },
      { ...counts },
    ]) {
      throws(() => sampleOrder({ seed, ...wrong }), BadInputError);
    }
    const order = sampleOrder({ seed, splitSeed, ...counts });
    throws(() => order.sample(0, 2, 0), RangeError);
    throws(() => order.sample(0, 0, 4), RangeError);
    throws(() => order.sample(-1, 0, 0), RangeError);
    throws(() => order.validation(22), RangeError);
    throws(() => order.training(81), RangeError);
    throws(() => order.trainingOf(103), RangeError);
    throws(() => order.placeIn(0, 81), RangeError);
    throws(() => order.placeIn(2 ** 32, 0), RangeError);
  });
});
