import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { bundleId, datasetId } from "../../../keepers/src/core/ids.ts";

// Reference: the words of docs/storage-protocol.md section 4 put together by hand.
const word = (hex: string) => hex.replace(/^0x/, "").toLowerCase().padStart(64, "0");
const hashed = (...words: string[]) =>
  `0x${Buffer.from(keccak_256(Buffer.from(words.join(""), "hex"))).toString("hex")}`;

const registry = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
const owner = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
const manifestHash = `0x${"ab".repeat(32)}` as const;

describe("identifiers", () => {
  it("are the hashes of their ABI-encoded parts", () => {
    const dataset = datasetId({ chainId: 59141, registry, owner, manifestHash });
    assert.equal(dataset, hashed(word("e705"), word(registry), word(owner), word(manifestHash)));
    assert.equal(bundleId(dataset, 300), hashed(word(dataset), word("12c")));
    assert.equal(bundleId(dataset, 2 ** 32 - 1), hashed(word(dataset), word("ffffffff")));
  });

  it("differ when any part does, so that nothing can be replayed elsewhere", () => {
    const base = { chainId: 1, registry, owner, manifestHash } as const;
    const ids = [
      datasetId(base),
      datasetId({ ...base, chainId: 2 }),
      datasetId({ ...base, registry: owner }),
      datasetId({ ...base, owner: registry }),
      datasetId({ ...base, manifestHash: `0x${"ac".repeat(32)}` }),
    ];
    assert.equal(new Set(ids).size, ids.length);
  });

  it("refuse a bundle index that does not fit", () => {
    assert.throws(() => bundleId(manifestHash, 2 ** 32));
    assert.throws(() => bundleId(manifestHash, -1));
  });
});
