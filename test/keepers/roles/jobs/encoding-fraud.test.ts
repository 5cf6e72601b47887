import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pino } from "pino";
import { zeroAddress, zeroHash } from "viem";
import { TransactionFailedError } from "../../../../keepers/src/chain/transactions/errors.ts";
import { showEncodingFraud } from "../../../../keepers/src/roles/jobs/encoding-fraud.ts";
import type { DutyContext } from "../../../../keepers/src/roles/storage-node/context.ts";
import { datasetStatus } from "../../../../keepers/src/storage/client/anchor.ts";
import type { CodewordFraud } from "../../../../keepers/src/storage/client/codeword-fraud.ts";

const datasetId = zeroHash;
const evidence = (offset: number): CodewordFraud => ({ datasetId, cellIndex: 0, offset, cells: [] });

/** A keeper's context: what it has sent by key, and the dataset's status at each look. */
function scene(statuses: readonly number[], refused: boolean) {
  const sent: string[] = [];
  const left = [...statuses];
  const context = {
    deployment: { chainId: 1, addresses: { EncodingFraud: zeroAddress } },
    agreed: { contracts: { DatasetRegistry: { read: { termsOf: async () => [left.shift()] } } } },
    queue: {
      send: async ({ key }: { key: string }) => {
        sent.push(key);
        if (refused) throw new TransactionFailedError("others were first", { key });
      },
    },
    log: pino({ level: "silent" }),
  } as unknown as DutyContext;
  return { sent, show: (offset: number) => showEncodingFraud(context, evidence(offset)) };
}

describe("showing the contracts that a dataset is wrongly encoded", () => {
  const { active, fraudulent } = datasetStatus;

  it("sends nothing where it is known already", async () => {
    const { sent, show } = scene([fraudulent], false);
    assert.equal(await show(1), true);
    assert.deepEqual(sent, []);
  });

  it("sends other evidence as another transaction, and the same one as the same", async () => {
    const { sent, show } = scene([active, active, active], false);
    for (const offset of [1, 2, 1]) assert.equal(await show(offset), true);
    assert.equal(new Set(sent).size, 2);
    assert.equal(sent[0], sent[2]);
  });

  it("says whether others were faster where it is refused", async () => {
    assert.equal(await scene([active, fraudulent], true).show(1), true);
    assert.equal(await scene([active, active], true).show(1), false);
  });
});
