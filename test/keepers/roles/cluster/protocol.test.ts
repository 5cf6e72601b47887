import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { clusterProtocol } from "../../../../keepers/src/roles/cluster/protocol.ts";

const most = 2n ** 128n - 1n;
const node = `0x${"ab".repeat(32)}`;

describe("what a provider tells its workers", () => {
  it("holds no amount that a contract has no room for: a claim of it could not be sent", () => {
    const { share } = clusterProtocol.methods;
    const told = (total: bigint, sum: bigint) =>
      share.response.safeParse({ total: String(total), index: 0, proof: [{ node, sum: String(sum) }] })
        .success;
    assert.deepEqual(
      [told(most, most), told(most + 1n, 1n), told(1n, most + 1n), told(10n ** 39n - 1n, 1n)],
      [true, false, false, false],
    );
  });
});
