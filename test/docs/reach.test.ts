import assert from "node:assert/strict";
import { test } from "node:test";
import { unreached } from "../../scripts/reach.ts";

test("every error and event of every contract has a test that expects it", () => {
  assert.deepEqual(unreached(), []);
});
