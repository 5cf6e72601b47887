import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  embeddedChainId,
  mayHoldKeys,
  parseNetwork,
  refuseKeys,
} from "../../dapp/src/network/network-file.ts";
import { contractNames } from "../../keepers/src/chain/abi/names.ts";

const address = "0x00000000000000000000000000000000000000a1";
const hash = `0x${"ab".repeat(32)}`;
const file = {
  name: "A network",
  deployment: {
    chainId: embeddedChainId,
    startBlock: "0",
    beacon: "CommitRevealBeacon",
    addresses: Object.fromEntries(contractNames.map((name) => [name, address])),
    keyHashes: { possession: hash, covering: hash, registration: hash },
  },
  rpc: ["http://127.0.0.1:8545"],
  accounts: [{ name: "Test consumer", privateKey: hash }],
};

describe("a network file", () => {
  it("holds keys on the embedded network of this machine alone", () => {
    const network = parseNetwork(file);
    assert.ok(mayHoldKeys(network, "127.0.0.1"));
    assert.ok(mayHoldKeys(network, "localhost"));
    const others: [unknown, string][] = [
      [file, "assay.example.org"],
      [file, "127.0.0.1.example.org"],
      [{ ...file, deployment: { ...file.deployment, chainId: 1 } }, "localhost"],
      [{ ...file, deployment: { ...file.deployment, chainId: 59_141 } }, "localhost"],
      [{ ...file, rpc: ["http://127.0.0.1:8545", "https://rpc.example.org"] }, "localhost"],
      [{ ...file, accounts: [] }, "localhost"],
    ];
    for (const [other, host] of others) {
      const parsed = parseNetwork(other);
      assert.equal(mayHoldKeys(parsed, host), false);
      assert.deepEqual(refuseKeys(parsed, host).accounts, []);
    }
  });

  it("is refused with every fault named", () => {
    assert.throws(
      () => parseNetwork({ ...file, rpc: ["javascript:alert(1)"], gateway: "no" }),
      /rpc\.0: .*gateway: /,
    );
    assert.throws(() => parseNetwork({ ...file, explorer: "javascript:alert(1)" }), /explorer/);
    assert.throws(() => parseNetwork({ ...file, extra: 1 }), /extra/);
    assert.throws(() => parseNetwork({ ...file, deployment: { chainId: 1 } }), /not a valid deployment/);
  });
});
