import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { concat, type Hex, toHex, zeroAddress, zeroHash } from "viem";
import { encodeOrder, type TrainingOrder } from "../../../../keepers/src/core/exact/order.ts";
import type { JobRecord } from "../../../../keepers/src/roles/jobs/job-record.ts";
import { Committees, type CommitteesParts } from "../../../../keepers/src/roles/validator/committees.ts";
import { ToldCommittees } from "./told-committees.ts";

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

describe("what a validator keeps in memory", () => {
  const key = { g1: [1n, 2n], g2: [1n, 2n, 3n, 4n] };

  it("is read once of a draw, and anew when a reorganisation gives it another seed or trace", async () => {
    const told = new ToldCommittees();
    let reads = 0;
    const contracts = {
      Committee: {
        read: {
          checks: async () => 2n,
          jobOf: async () => {
            reads++;
            return { intervals: 3 };
          },
        },
      },
    };
    const all = new Committees({
      ...{ operator, deployment: { chainId: 1, addresses: { Committee: zeroAddress } } },
      ...{ contracts, agreed: { contracts }, committees: told.ledger },
    } as unknown as CommitteesParts);
    const jobOf = (traceRoot: Hex) => {
      // The encoding is one that no keeper reads: the contract is asked for its intervals.
      const job = { jobId: 1n, orderHash: zeroHash, training: "0x", result: { traceRoot } };
      return job as unknown as JobRecord;
    };
    const tellDraw = (seed: Hex, members: readonly bigint[]) =>
      told.tell("Committee", "CommitteeDrawn", { jobId: 1n, attempt: 1n, seed, members, deadline: 9n });
    told.tell("ValidatorSet", "Enrolled", { id: 1n, operator, place: 1n, key });
    const drawn = tellDraw(toHex(1, { size: 32 }), [1n]);
    const draw = await all.draw(jobOf(zeroHash), 1n);
    assert.equal(await all.draw(jobOf(zeroHash), 1n), draw);
    assert.equal(reads, 1);
    assert.equal(all.operators(draw!), all.operators(draw!));
    const other = await all.draw(jobOf(toHex(7, { size: 32 })), 1n);
    assert.equal(other?.traceRoot, toHex(7, { size: 32 }));
    told.takeBack(drawn);
    assert.equal(await all.draw(jobOf(zeroHash), 1n), undefined);
    const another = "0x00000000000000000000000000000000000000bb";
    told.tell("ValidatorSet", "Enrolled", { id: 2n, operator: another, place: 2n, key });
    tellDraw(toHex(2, { size: 32 }), [2n, 1n]);
    const again = await all.draw(jobOf(zeroHash), 1n);
    assert.equal(again?.seed, toHex(2, { size: 32 }));
    assert.deepEqual(all.operators(again!), [another, operator]);
    assert.equal(all.position(again!), 1);
    told.close();
  });

  it("are the enrolments as they stand after a reorganisation", () => {
    const told = new ToldCommittees();
    const tell = (id: bigint) => told.tell("ValidatorSet", "Enrolled", { id, operator, place: id, key });
    const ids = () => told.ledger.enrolled().map(({ id }) => id);
    tell(1n);
    const second = tell(2n);
    assert.deepEqual(ids(), [1n, 2n]);
    assert.equal(told.ledger.enrolled(), told.ledger.enrolled());
    told.takeBack(second);
    tell(3n);
    assert.deepEqual(ids(), [1n, 3n]);
    told.close();
  });
});
