import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { problemOfDispute } from "../../../../keepers/src/roles/challenger/problem-of-dispute.ts";
import type { ChallengeRecord } from "../../../../keepers/src/roles/jobs/challenge-record.ts";
import type { JobRun } from "../../../../keepers/src/roles/jobs/job-run.ts";
import { nativeExecutor } from "../../../../keepers/src/training/executors/native.ts";
import { digits, model, options, orderOf } from "../../training/trainer/fixture.ts";

const operator = "0x00000000000000000000000000000000000000c4";
const window = 14_400;
const never = new AbortController().signal;

/** A challenger with so many disputes under way, in each of which it is somebody's turn. */
function challenger(underWay: number) {
  const challenge = { challenger: operator, round: { stage: 4n }, outcome: undefined, isSettled: false };
  const challenges = Array.from({ length: underWay }, () => challenge as unknown as ChallengeRecord);
  const contracts = {
    JobRegistry: { read: { parametersOf: async () => ({ dispute: { window, extension: 600 } }) } },
  };
  return {
    ...{ operator, executor: nativeExecutor, contracts, agreed: { contracts } },
    ledger: { openJobs: () => [{ jobId: 1n }], challengesOf: () => challenges },
  } as unknown as Parameters<typeof problemOfDispute>[0];
}

const opened = {
  job: { compiled: model, options, order: orderOf({ steps: 1, interval: 1 }), source: digits.source },
  run: { order: { interval: 1 } },
} as unknown as JobRun;

/** Why no dispute is begun where an interval takes so many seconds. */
const problem = (underWay: number, seconds: number) =>
  problemOfDispute(challenger(underWay), { jobId: 2n }, opened, seconds, never);

describe("a challenger that has found a lie", () => {
  it("begins a dispute whose moves take less than half of its window", async () => {
    assert.equal(await problem(0, 300), undefined);
    assert.equal(await problem(20, 300), undefined);
  });

  it("attack: waits for disputes under way, however many a liar has had it begin, and gives nothing up for them", async () => {
    const found = await problem(40, 300);
    assert.match(found!.reason, /^an interval takes 300 s here: a move of a dispute is to take 175 s/);
    assert.equal(found!.isPassing, true);
  });

  it("gives up what it could not play alone either, and measures nothing for it", async () => {
    const found = await problem(0, 7_201);
    assert.match(found!.reason, /^an interval takes 7201 s here: a move of a dispute is to take 7200 s/);
    assert.equal(found!.isPassing, false);
  });
});
