import assert from "node:assert/strict";
import { it } from "node:test";
import { ObjectSet } from "../../../../keepers/src/training/data/object-set.ts";

it("A set of objects gives each of them once, ascending", () => {
  const set = new ObjectSet();
  assert.deepEqual([...set, set.size], [0]);
  const indices = [31, 7, 8, 0, 7, 1_000_003, 32, 31];
  for (const index of indices) set.add(index);
  assert.deepEqual([...set], [0, 7, 8, 31, 32, 1_000_003]);
  assert.equal(set.size, 6);
});
