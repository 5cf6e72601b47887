import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { decodeFunctionData } from "viem";
import { abis } from "../../../../keepers/src/chain/abi/index.ts";
import {
  ResultKeeper,
  type ResultKeeperParts,
} from "../../../../keepers/src/roles/provider/result-keeper.ts";
import { account, type Reads, word } from "../doubles.ts";
import { LiedTo } from "../lied-to.ts";

const active = 1;
const datasetRow = {
  ...{ owner: account(0xa0d), status: active, bundles: 2, held: 2, shortSegments: 0, filledAt: 0 },
  shape: { objectCount: 1n, objectSize: 1, segmentObjects: 1, k: 1, n: 2, encrypted: false },
  ...{ manifestHash: word(1), objectRoot: word(1), bundlesRoot: word(1), previous: word(0), bond: 1n },
  ...{ bundleStake: 1n, firstEpoch: 1, endEpoch: 9, missPenalty: 1n, surrenderPenalty: 1n, agreedEnd: 9 },
  ...{ feePerAudit: 0n, feeBalance: 0n, policy: account(0) },
};

describe("a provider's stored result, of which the endpoint that is asked first lies,", () => {
  let scene: LiedTo;

  /** A grace of two epochs, with two more ahead: what ends with epoch 8 is paid for longer from epoch 5 on. */
  beforeEach(() => {
    scene = new LiedTo({
      DatasetRegistry: {
        termsOf: () => [active, 100, 1n],
        currentEpoch: () => 5,
        epochLength: () => 200,
        datasetOf: () => datasetRow,
        isOver: () => false,
      },
      ResultShortfalls: { grace: () => 400n },
      AssayToken: { allowance: () => 10n ** 9n },
    });
  });

  /** One look at the result; gives the epochs that were paid for, and how often it was stored again. */
  async function looked() {
    const context = await scene.context();
    let stored = 0;
    const job = { jobId: 1n, provider: scene.operator, status: "Committed", checkpoints: [] };
    const keeper = new ResultKeeper({
      ...context,
      ledger: { jobsOfProvider: () => [{ ...job, result: { resultId: word(1) } }] },
      folder: "unused",
      storage: { store: async () => void stored++ },
    } as unknown as ResultKeeperParts);
    await keeper.tick(new AbortController().signal);
    const calls = scene.double.sent.map(({ data }) =>
      decodeFunctionData({ abi: abis.DatasetRegistry, data }),
    );
    const paid = calls.map(({ functionName, args }) => {
      assert.equal(functionName, "addEpochs");
      return args[1];
    });
    return { paid, stored };
  }

  const reasons: [string, Reads][] = [
    ["its epochs ended long ago", { DatasetRegistry: { termsOf: () => [active, 1, 1n] } }],
    ["it is a far epoch", { DatasetRegistry: { currentEpoch: () => 16_000 } }],
    ["the grace of a call takes years", { ResultShortfalls: { grace: () => 2_000_000n } }],
    ["an epoch takes a second", { DatasetRegistry: { epochLength: () => 1 } }],
  ];
  for (const [what, says] of reasons) {
    it(`attack: is not paid for longer because it says that ${what}`, async () => {
      scene.lie(says);
      assert.deepEqual(await looked(), { paid: [], stored: 0 });
    });

    it(`attack: is not paid for longer because one of only two says that ${what}, and is stored again all the same`, async () => {
      scene.lie(says);
      scene.tell({ DatasetRegistry: { datasetOf: () => ({ ...datasetRow, held: 1 }) } });
      scene.leaveTwo();
      assert.deepEqual((await looked()).paid, []);
      assert.equal((await looked()).stored, 1);
    });
  }

  it("attack: is paid for by as many epochs as it lacks, however many the liar names", async () => {
    scene.tell({ DatasetRegistry: { termsOf: () => [active, 8, 1n] } });
    scene.lie({ DatasetRegistry: { termsOf: () => [active, 1, 1n], currentEpoch: () => 900 } });
    assert.deepEqual((await looked()).paid, [4]);
  });

  it("is paid for by the epochs since its end, too, when its provider was away", async () => {
    scene.tell({ DatasetRegistry: { termsOf: () => [active, 2, 1n] } });
    assert.deepEqual((await looked()).paid, [4 + 3]);
  });

  const denials: [string, Reads][] = [
    ["it is paid for long since", { DatasetRegistry: { termsOf: () => [active, 900, 1n] } }],
    ["it is a fraud", { DatasetRegistry: { termsOf: () => [2, 8, 1n] } }],
    ["it is an early epoch", { DatasetRegistry: { currentEpoch: () => 1 } }],
    ["the grace of a call is none", { ResultShortfalls: { grace: () => 0n } }],
  ];
  for (const [what, says] of denials) {
    it(`attack: is paid for longer although it says that ${what}`, async () => {
      scene.tell({ DatasetRegistry: { termsOf: () => [active, 8, 1n] } });
      scene.lie(says);
      assert.deepEqual((await looked()).paid, [4]);
    });
  }

  it("attack: is stored again although it says that all bundles are held", async () => {
    scene.tell({ DatasetRegistry: { datasetOf: () => ({ ...datasetRow, held: 1 }) } });
    scene.lie({ DatasetRegistry: { datasetOf: () => datasetRow } });
    assert.equal((await looked()).stored, 1);
  });

  it("attack: is stored again although one of only two says that all bundles are held", async () => {
    scene.tell({ DatasetRegistry: { datasetOf: () => ({ ...datasetRow, held: 1 }) } });
    scene.lie({ DatasetRegistry: { datasetOf: () => datasetRow } });
    scene.leaveTwo();
    assert.equal((await looked()).stored, 1);
  });

  it("is not stored again when all of them say that all bundles are held", async () => {
    assert.equal((await looked()).stored, 0);
  });
});
