import assert from "node:assert/strict";
import { it } from "node:test";
import { Kept } from "../../subgraph/node/kept.ts";

it("keeps the newest, as much as weighs no more than the limit in all", () => {
  const kept = new Kept<number>(10);
  for (let i = 0; i < 8; i++) kept.set(`text ${i}`, i, 3);
  assert.deepEqual(
    Array.from({ length: 8 }, (_, i) => kept.get(`text ${i}`)),
    [undefined, undefined, undefined, undefined, undefined, 5, 6, 7],
  );
  assert.equal(kept.weight, 9);
  kept.set("heavy", 8, 11);
  assert.equal(kept.get("heavy"), undefined);
  assert.equal(kept.get("text 7"), 7, "what is too heavy takes nobody's place");
  kept.set("text 7", 9, 10);
  assert.equal(kept.get("text 7"), 9);
  assert.equal(kept.weight, 10, "a text that comes again counts once");
  kept.set("text 7", 9, 11);
  assert.equal(kept.get("text 7"), undefined);
  assert.equal(kept.weight, 0);
});
