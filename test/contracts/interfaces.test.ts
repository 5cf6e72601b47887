import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { artifacts } from "hardhat";
import { isProduction, matchSnapshot, tableOf } from "./snapshots.ts";

const names = [
  "AssayToken",
  "BundleRegistry",
  "CommitRevealBeacon",
  "Committee",
  "DatasetRegistry",
  "DescentRules",
  "DisputeGame",
  "DrandBeacon",
  "ElementRules",
  "EncodingFraud",
  "Escrow",
  "InputRules",
  "Instalments",
  "JobRegistry",
  "JobRules",
  "Market",
  "MemberGame",
  "ModelCertificate",
  "RangeRules",
  "ResultFraud",
  "ResultShortfalls",
  "RetrievalChallenges",
  "SealedAccess",
  "Staking",
  "StorageAudit",
  "SumRules",
  "TwoPartyTimelock",
  "ValidatorSet",
  "VerifierRegistry",
  "VoidRules",
  "VrfBeacon",
  "WorkerRewards",
] as const;

/** EIP-170 */
const mostCode = 24_576;

describe("what is deployed", async () => {
  for (const name of names) {
    it(`${name} has the interface that is on record`, async () => {
      const { abi } = await artifacts.readArtifact(name);
      const lines = abi.map((item) => JSON.stringify(item)).sort();
      matchSnapshot(`abi/${name}.json`, `[\n  ${lines.join(",\n  ")}\n]\n`);
    });
  }

  it("every contract fits into the code size limit", async () => {
    const sizes: Record<string, number> = {};
    for (const name of names) {
      const { deployedBytecode } = await artifacts.readArtifact(name);
      sizes[name] = (deployedBytecode.length - 2) / 2;
      assert.ok(sizes[name]! <= mostCode, `${name} has ${sizes[name]} bytes`);
    }
    if (isProduction) matchSnapshot("size.json", tableOf(sizes));
  });
});
