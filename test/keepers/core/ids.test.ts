import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keccak_256 } from "@noble/hashes/sha3.js";
import { bundleId, datasetId } from "../../../keepers/src/core/ids.ts";
import { recordedRefusals } from "./refusals.ts";

const throws = recordedRefusals("ids");

// Reference: the words of docs/storage-protocol.md section 4 put together by hand.
const word = (hex: string) => hex.replace(/^0x/, "").toLowerCase().padStart(64, "0");
const hashed = (...words: string[]) =>
  `0x${Buffer.from(keccak_256(Buffer.from(words.join(""), "hex"))).toString("hex")}`;

const registry = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
const owner = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
const manifestHash = `0x${"ab".repeat(32)}` as const;
const terms = {
  shape: { objectCount: 1000n, objectSize: 784, segmentObjects: 500, k: 8, n: 11, encrypted: true },
  objectRoot: `0x${"0b".repeat(32)}`,
  bundlesRoot: `0x${"0c".repeat(32)}`,
  previous: `0x${"0d".repeat(32)}`,
  feePerAudit: 10n ** 15n,
  epochs: 30,
  parameters: {
    bondPerBundle: 20n,
    bundleStake: 100n,
    missPenalty: 80n,
    surrenderPenalty: 50n,
    policy: registry,
  },
} as const;
const number = (value: number | bigint) => word(value.toString(16));
const termsWords = [
  ...[1000, 784, 500, 8, 11, 1].map(number),
  ...[terms.objectRoot, terms.bundlesRoot, terms.previous].map(word),
  ...[10n ** 15n, 30n, 20n, 100n, 80n, 50n].map(number),
  word(registry),
];

describe("identifiers", () => {
  it("are the hashes of their ABI-encoded parts", () => {
    const dataset = datasetId({ chainId: 59141, registry, owner, manifestHash, terms });
    const parts = [
      word("e705"),
      word(registry),
      word(owner),
      word(manifestHash),
      hashed(...termsWords).slice(2),
    ];
    assert.equal(dataset, hashed(...parts));
    assert.equal(bundleId(dataset, 300), hashed(word(dataset), word("12c")));
    assert.equal(bundleId(dataset, 2 ** 32 - 1), hashed(word(dataset), word("ffffffff")));
  });

  it("differ when any part does, so that nothing can be replayed elsewhere or under other terms", () => {
    const base = { chainId: 1, registry, owner, manifestHash, terms } as const;
    const zero = `0x${"00".repeat(32)}` as const;
    const { shape, parameters } = terms;
    const ids = [
      datasetId(base),
      datasetId({ ...base, chainId: 2 }),
      datasetId({ ...base, registry: owner }),
      datasetId({ ...base, owner: registry }),
      datasetId({ ...base, manifestHash: `0x${"ac".repeat(32)}` }),
      ...(["objectRoot", "bundlesRoot", "previous"] as const).map((field) =>
        datasetId({ ...base, terms: { ...terms, [field]: zero } }),
      ),
      datasetId({ ...base, terms: { ...terms, feePerAudit: 0n } }),
      datasetId({ ...base, terms: { ...terms, epochs: 31 } }),
      ...(["objectSize", "segmentObjects", "k", "n"] as const).map((field) =>
        datasetId({ ...base, terms: { ...terms, shape: { ...shape, [field]: 7 } } }),
      ),
      datasetId({ ...base, terms: { ...terms, shape: { ...shape, objectCount: 7n } } }),
      datasetId({ ...base, terms: { ...terms, shape: { ...shape, encrypted: false } } }),
      ...(["bondPerBundle", "bundleStake", "missPenalty", "surrenderPenalty"] as const).map((field) =>
        datasetId({ ...base, terms: { ...terms, parameters: { ...parameters, [field]: 7n } } }),
      ),
      datasetId({ ...base, terms: { ...terms, parameters: { ...parameters, policy: owner } } }),
    ];
    assert.equal(new Set(ids).size, ids.length);
  });

  it("refuse a bundle index that does not fit", () => {
    throws(() => bundleId(manifestHash, 2 ** 32));
    throws(() => bundleId(manifestHash, -1));
  });
});
