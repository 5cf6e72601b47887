import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { concat, type Hex, toHex, zeroAddress, zeroHash } from "viem";
import { encodeOrder, type TrainingOrder } from "../../../../keepers/src/core/exact/order.ts";
import type { JobRecord } from "../../../../keepers/src/roles/jobs/job-record.ts";
import { Committees, type CommitteesParts } from "../../../../keepers/src/roles/validator/committees.ts";

const operator = "0x00000000000000000000000000000000000000aa";
const order: TrainingOrder = {
  bits: 8,
  programRoot: zeroHash,
  initialRoot: zeroHash,
  objectRoot: zeroHash,
  objects: 64,
  objectBytes: 65,
  train: 64,
  seed: zeroHash,
  microBatch: 8,
  microBatches: 1,
  steps: 12,
  interval: 4,
  schedule: { table: [1], every: 1 },
};

/** What a validator has of the chain where the committees of jobs with these training orders sign. */
function committeesOf(trainings: readonly Hex[], members: readonly bigint[] = [1n]): Committees {
  const jobs = trainings.map((training, i) => ({
    ...{ jobId: BigInt(i + 1), orderHash: toHex(i, { size: 32 }), status: "Committed", training },
    order: { conditions: { committeeSize: 1 } },
    result: { traceRoot: zeroHash },
  })) as unknown as JobRecord[];
  const signing = { phase: 2, attempt: 1, threshold: 1, deadline: 9, graceEnds: 0, opened: 0, intervals: 3 };
  const contracts = { Committee: { read: { jobOf: async () => signing, checks: async () => 2n } } };
  return new Committees({
    operator,
    deployment: { chainId: 1, addresses: { Committee: zeroAddress } },
    ...{ contracts, agreed: { contracts } },
    ledger: { openJobs: () => jobs },
    committees: {
      drawOf: () => ({ seed: zeroHash, members }),
      drawsOf: () => [{ attempt: 1n, members }],
      enrolled: () => [{ id: 1n, operator }],
      idsOf: () => [1n],
    },
  } as unknown as CommitteesParts);
}

describe("a validator's seats", () => {
  it("stand for every job, also where an order is encoded as no keeper reads it", async () => {
    const right = encodeOrder(order);
    const seats = await committeesOf([concat([right, zeroHash]), right, "0x"]).seats();
    assert.deepEqual(
      seats.map(({ job, position, draw }) => [job.jobId, position, draw.intervals]),
      [
        [1n, 0, 3],
        [2n, 0, 3],
        [3n, 0, 3],
      ],
    );
  });

  it("attack: are none in a draw that names a validator twice", async () => {
    assert.deepEqual(await committeesOf([encodeOrder(order)], [1n, 2n, 1n]).seats(), []);
    assert.equal((await committeesOf([encodeOrder(order)], [1n, 2n, 3n]).seats()).length, 1);
  });
});
