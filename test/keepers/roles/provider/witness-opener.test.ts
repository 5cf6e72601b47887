import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeFunctionData, keccak256, size, toHex } from "viem";
import { committeeAbi } from "../../../../keepers/src/chain/abi/committee.ts";
import { callsOf, type Opening } from "../../../../keepers/src/roles/provider/witness-opener.ts";

const openingOf = (steps: number, depth: number, tag = 0): Opening => ({
  stateRoot: keccak256(toHex(`state ${tag}`)),
  salt: keccak256(toHex(`salt ${tag}`)),
  witnesses: Array.from({ length: steps }, (_, i) => keccak256(toHex(`witness ${tag}/${i}`))),
  siblings: Array.from({ length: depth }, (_, i) => keccak256(toHex(`sibling ${tag}/${i}`))),
});
const bytesOf = (openings: readonly Opening[]) =>
  size(encodeFunctionData({ abi: committeeAbi, functionName: "openWitnesses", args: [1n, openings] }));

describe("opening witnesses", () => {
  it("fills calls of at most 60,000 bytes, in order, whatever the openings have", () => {
    for (const [steps, depth, count] of [
      [96, 20, 512],
      [5, 3, 18],
      [1, 0, 300],
    ] as const) {
      const openings = Array.from({ length: count }, (_, tag) => openingOf(steps, depth, tag));
      const lists = callsOf(openings);
      assert.deepEqual(lists.flat(), openings);
      for (const list of lists) assert.ok(bytesOf(list) <= 60_000, `${bytesOf(list)} bytes`);
      for (const list of lists.slice(0, -1)) {
        assert.ok(bytesOf([...list, openings[0]!]) > 59_000, "a call that could hold one more");
      }
    }
    assert.deepEqual(callsOf([]), []);
  });
});
