import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { gasBound } from "../../../keepers/src/chain/gas-bounds.ts";

const recorded = JSON.parse(
  readFileSync(join(import.meta.dirname, "../../snapshots/gas.json"), "utf8"),
) as Record<string, number>;
/** Of a whole transaction; a bundle of the most cells has fourteen siblings to a path, the recorded one fewer. */
const sibling = 32 * 40 + 500;

describe("the gas that is asked for at least", () => {
  it("covers a publication whose estimate saw no base fee", () => {
    const longest = recorded["publish a cell"]! + 14 * sibling;
    assert.ok(gasBound("RetrievalChallenges", "publish") >= BigInt(longest));
  });

  it("is none where an estimate sees what the transaction will do", () => {
    assert.equal(gasBound("StorageAudit", "answer"), 0n);
  });
});
