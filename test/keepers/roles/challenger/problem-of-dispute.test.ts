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
/** A job in which a challenge was sent that has not come back from the chain. */
const justBegun = 9n;

/**
 * A challenger with so many disputes under way, in each of which it is somebody's turn.
 *
 * @param each seconds that a move of these takes; not known by default
 */
function challenger(underWay: number, each?: number) {
  const challenges = Array.from({ length: underWay }, (_, i) => ({
    ...{ challenger: operator, jobId: BigInt(100 + i), round: { stage: 4n } },
    ...{ outcome: undefined, isSettled: false },
  })) as unknown as ChallengeRecord[];
  const contracts = {
    JobRegistry: { read: { parametersOf: async () => ({ dispute: { window, extension: 600 } }) } },
  };
  const known = each === undefined ? [] : challenges.map(({ jobId }) => [jobId, each] as const);
  return {
    ...{ operator, executor: nativeExecutor, contracts, agreed: { contracts }, moves: new Map(known) },
    ledger: {
      openJobs: () => [...challenges, { jobId: justBegun }],
      challengesOf: (jobId: bigint) => challenges.filter((each) => each.jobId === jobId),
    },
  } as unknown as Parameters<typeof problemOfDispute>[0];
}

const opened = {
  job: { compiled: model, options, order: orderOf({ steps: 100, interval: 1 }), source: digits.source },
  run: { order: { interval: 1, steps: 100 } },
} as unknown as JobRun;

/** Why no dispute is begun where a step takes so many seconds, and moves begin so many steps before the one in dispute. */
const problem = (parts: ReturnType<typeof challenger>, secondsPerStep: number, every = 1) =>
  problemOfDispute(parts, { jobId: 2n }, { ...opened, secondsPerStep, every }, never);

describe("a challenger that has found a lie", () => {
  it("begins a dispute whose moves take less than half of its window", async () => {
    assert.equal(await problem(challenger(0), 300), undefined);
    assert.equal(await problem(challenger(20), 300), undefined);
  });

  it("attack: waits for disputes under way, however many a liar has had it begin, and gives nothing up for them", async () => {
    const found = await problem(challenger(47, 300), 300);
    assert.match(
      found!.reason,
      /^the steps before a move take 300 s here: a move of a dispute is to take 150 s/,
    );
    assert.equal(found!.isPassing, true);
  });

  it("takes moves of which nothing is known to be as long as its own", async () => {
    assert.equal((await problem(challenger(47), 300))!.isPassing, true);
  });

  it("attack: begins a dispute beside many others whose moves take next to nothing", async () => {
    assert.equal(await problem(challenger(300, 1), 3_600), undefined);
    const found = await problem(challenger(5, 1_800), 3_600);
    assert.equal(found!.isPassing, true);
  });

  it("attack: has room for a short dispute beside one that takes all that a single one may", async () => {
    assert.equal(await problem(challenger(1, 7_200), 3_500), undefined);
    assert.equal((await problem(challenger(1, 7_200), 3_700))!.isPassing, true);
  });

  it("remembers what a move takes of what it begins, and forgets what is over", async () => {
    const parts = challenger(1, 5);
    parts.moves.set(7n, 1);
    parts.moves.set(justBegun, 1);
    assert.equal(await problem(parts, 300), undefined);
    assert.deepEqual([...parts.moves.keys()], [100n, justBegun, 2n]);
    assert.ok(parts.moves.get(2n)! >= 300);
  });

  it("gives up what it could not play alone either, and measures nothing for it", async () => {
    const found = await problem(challenger(0), 7_201);
    assert.match(
      found!.reason,
      /^the steps before a move take 7201 s here: a move of a dispute is to take 7200 s/,
    );
    assert.equal(found!.isPassing, false);
  });

  it("attack: counts all steps from the checkpoint before a move on, not those of one interval", async () => {
    const found = await problem(challenger(0), 100, 73);
    assert.match(found!.reason, /^the steps before a move take 7300 s here/);
    assert.equal(await problem(challenger(0), 100, 70), undefined);
  });
});
