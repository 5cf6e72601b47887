import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ChainClient } from "../../../../keepers/src/chain/client.ts";
import type { IndexReader } from "../../../../keepers/src/roles/audit/index-reader.ts";
import { askIndex } from "../../../../keepers/src/roles/audit/told.ts";
import { ManualClock } from "../../chain/fixtures.ts";
import { historyOf } from "./doubles.ts";

describe("an index that is behind", () => {
  it("attack: answers slowly, and is waited for no longer than for one that answers at once", async () => {
    const clock = new ManualClock();
    const begun = clock.now();
    const reader = {
      position: async () => {
        clock.time += 14_000;
        return { number: 5n, hash: undefined, hasErrors: false };
      },
    } as unknown as IndexReader;
    const findings = await askIndex({
      ...{ url: "http://127.0.0.1/", reader, client: {} as ChainClient, questions: [], clock },
      ...{ history: historyOf([], 10), patience: 10_000 },
    });
    assert.equal(findings.isBehind, true);
    assert.ok(clock.now() - begun < 30_000, `it took ${clock.now() - begun} ms`);
  });
});
