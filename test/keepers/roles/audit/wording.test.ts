import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { instant } from "../../../../keepers/src/roles/audit/wording.ts";

describe("an instant in a report", () => {
  it("is a date and a time", () => {
    assert.equal(instant(0n), "1970-01-01 00:00:00 UTC");
    assert.equal(instant(253_402_300_799n), "9999-12-31 23:59:59 UTC");
  });

  it("attack: is made up by an endpoint, and lies beyond all dates", () => {
    for (const timestamp of [253_402_300_800n, 8_640_000_000_001n, 2n ** 256n - 1n])
      assert.equal(instant(timestamp), `second ${timestamp} since 1970`);
  });
});
