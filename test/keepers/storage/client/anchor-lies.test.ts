import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { decodeFunctionData } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { abis } from "../../../../keepers/src/chain/abi/index.ts";
import { parseManifest } from "../../../../keepers/src/core/dataset/manifest.ts";
import { anchorDataset } from "../../../../keepers/src/storage/client/anchor.ts";
import type { StorageWriter } from "../../../../keepers/src/storage/client/client.ts";
import { offered, tinyDataset } from "../../roles/dataset.ts";
import { account as accountOf, type Reads, word } from "../../roles/doubles.ts";
import { LiedTo } from "../../roles/lied-to.ts";

const account = privateKeyToAccount(`0x${"22".repeat(32)}`);
const row = (status: number) => ({
  ...{ owner: account.address, status, bundles: 0, held: 0, shortSegments: 0, filledAt: 0 },
  shape: { objectCount: 1n, objectSize: 1, segmentObjects: 1, k: 1, n: 2, encrypted: false },
  ...{ manifestHash: word(1), objectRoot: word(1), bundlesRoot: word(1), previous: word(0), bond: 1n },
  ...{ bundleStake: 1n, firstEpoch: 1, endEpoch: 9, missPenalty: 1n, surrenderPenalty: 1n, agreedEnd: 9 },
  ...{ feePerAudit: 0n, feeBalance: 0n, policy: accountOf(0) },
});

describe("a dataset that is not anchored yet, where the endpoint that is asked first lies,", () => {
  let scene: LiedTo;

  beforeEach(() => {
    scene = new LiedTo({
      DatasetRegistry: { datasetOf: () => row(0), quote: () => [60n, 40n] },
      AssayToken: {
        balanceOf: () => 100n,
        allowance: () => 0n,
        name: () => "Assay",
        symbol: () => "ASSAY",
        nonces: () => 3n,
      },
    });
  });

  /** The call that anchors it, if any, and what it was signed with: a permit is the same for the same facts. */
  async function anchored(): Promise<{ call: string | undefined; data: string | undefined }> {
    const { client: chain, contracts, agreed, deployment, queue } = await scene.context();
    const client = { account, chain, contracts, confirmed: agreed.contracts, deployment, queue };
    const { datasetId, manifestBytes } = await tinyDataset(1);
    const memory = { fact: () => undefined, remember: () => undefined, forget: () => undefined };
    await anchorDataset(client as unknown as StorageWriter, memory, {
      ...{ datasetId, manifest: parseManifest(manifestBytes), terms: offered },
      ...{ manifestHash: word(1), manifestDigest: word(2) },
    });
    const data = scene.double.sent[0]?.data;
    const call = data && decodeFunctionData({ abi: abis.DatasetRegistry, data }).functionName;
    return { call, data };
  }

  const lies: [string, Reads][] = [
    ["it is anchored", { DatasetRegistry: { datasetOf: () => row(1) } }],
    ["to anchor it costs nothing", { DatasetRegistry: { quote: () => [0n, 0n] } }],
    ["to anchor it costs more than there is", { DatasetRegistry: { quote: () => [600n, 400n] } }],
    ["its owner has no tokens", { AssayToken: { balanceOf: () => 0n } }],
    ["the registry may pull enough", { AssayToken: { allowance: () => 100n } }],
    ["another permit is the next", { AssayToken: { nonces: () => 9n } }],
  ];
  for (const [what, says] of lies) {
    it(`attack: is anchored with a permit that holds although that says that ${what}`, async () => {
      const honest = await anchored();
      assert.equal(honest.call, "anchorWithPermit");
      scene.double.sent.length = 0;
      scene.lie(says);
      assert.deepEqual(await anchored(), honest);
    });
  }

  it("attack: is anchored with a permit that holds although its clock is behind", async () => {
    const honest = await anchored();
    scene.double.sent.length = 0;
    scene.liar.now = () => 1n;
    assert.deepEqual(await anchored(), honest);
  });
});
