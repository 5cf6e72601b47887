import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { pino } from "pino";
import type { JobContext } from "../../../../keepers/src/roles/jobs/duty.ts";
import { Plays, playsOfADuty } from "../../../../keepers/src/roles/jobs/plays.ts";

type Dispute = {
  readonly game: "DisputeGame" | "MemberGame";
  readonly jobId: bigint;
  readonly challengeId: bigint;
  readonly moves: number;
  readonly graceEnds: bigint | undefined;
};

const never = new AbortController().signal;
const dispute = (jobId: bigint, challengeId: bigint, graceEnds?: bigint): Dispute => ({
  ...{ game: "DisputeGame", jobId, challengeId, moves: 0, graceEnds },
});

/** Plays whose deadlines come from a chain that says them by challenge. */
function scene(deadlines: Record<string, bigint>, patience = 10_000) {
  const asked: bigint[] = [];
  const deadlineOf = async ([id]: readonly [bigint]) => {
    asked.push(id);
    const deadline = deadlines[String(id)];
    if (deadline === undefined) throw new Error("no endpoint answers");
    return deadline;
  };
  const contracts = {
    DisputeGame: { read: { deadlineOf } },
    MemberGame: { read: { deadlineOf } },
  } as unknown as JobContext["contracts"];
  const log = pino({ level: "silent" }) as unknown as JobContext["log"];
  return { asked, plays: new Plays<Dispute>({ contracts, log, patience }) };
}

describe("disputes that are played side by side", () => {
  it("attack: move first where the deadline is nearest, however many are due of other jobs", async () => {
    const jobs = [1n, 2n, 3n, 4n];
    const many = jobs.flatMap((job) => [0n, 1n, 2n].map((i) => dispute(job, 10n * job + i)));
    const urgent = dispute(5n, 50n);
    const known = many.map(({ challengeId }) => [String(challengeId), 1_000n + challengeId] as const);
    const { plays } = scene({ ...Object.fromEntries(known), 50: 7n });
    const played: bigint[] = [];
    await plays.round(
      [...many, urgent],
      async ({ challengeId }, { deadline }) => {
        if (challengeId === 50n) assert.equal(deadline, 7n);
        played.push(challengeId);
      },
      never,
    );
    assert.equal(played[0], 50n);
    assert.deepEqual([...played].sort(), [...many, urgent].map(({ challengeId }) => challengeId).sort());
  });

  it("are asked for their deadline once a round of the game, and go by the grace where a timeout was called", async () => {
    const { plays, asked } = scene({ 1: 100n, 2: 200n });
    const played: bigint[] = [];
    const play = async ({ challengeId }: Dispute) => void played.push(challengeId);
    const due = [dispute(1n, 1n), dispute(1n, 2n), dispute(1n, 3n, 150n)];
    await plays.round(due, play, never);
    assert.deepEqual(played, [1n, 3n, 2n]);
    await plays.round(due, play, never);
    assert.deepEqual(asked, [1n, 2n]);
  });

  it("are played where no deadline can be read", async () => {
    const { plays } = scene({});
    const played: bigint[] = [];
    await plays.round([dispute(1n, 1n)], async ({ challengeId }) => void played.push(challengeId), never);
    assert.deepEqual(played, [1n]);
  });

  it("attack: leave a place to a job that has not failed, when as many as there are places fail again and again", async () => {
    const stalled = Array.from({ length: playsOfADuty }, (_, i) => dispute(BigInt(i + 1), BigInt(i + 1)));
    const honest = dispute(99n, 99n);
    const { plays } = scene(
      Object.fromEntries([...stalled, honest].map((each) => [each.challengeId, each.challengeId])),
    );
    const order: bigint[] = [];
    const play = async ({ jobId }: Dispute) => {
      order.push(jobId);
      if (jobId !== 99n) throw new Error("its holders give nothing");
    };
    await assert.rejects(plays.round(stalled, play, never), /its holders give nothing/);
    order.length = 0;
    await assert.rejects(plays.round([...stalled, honest], play, never), /its holders give nothing/);
    assert.equal(order[0], 99n);
  });

  it("attack: move first where the deadline is nearest again, a while after an outage", async (t) => {
    const urgent = dispute(1n, 1n);
    const others = [2n, 3n, 4n, 5n, 6n].flatMap((job) => [0n, 1n].map((i) => dispute(job, 100n * job + i)));
    const { plays } = scene(
      Object.fromEntries([urgent, ...others].map(({ challengeId }) => [challengeId, challengeId])),
    );
    await assert.rejects(
      plays.round(
        [urgent],
        async () => {
          throw new Error("no endpoint answers");
        },
        never,
      ),
    );
    const later = performance.now.bind(performance);
    t.mock.method(performance, "now", () => later() + 61_000);
    const played: bigint[] = [];
    await plays.round([...others, urgent], async ({ challengeId }) => void played.push(challengeId), never);
    assert.equal(played[0], 1n);
  });

  it("end the work on a job of which nothing is due any more, and are not failed by that", async () => {
    const { plays } = scene({ 1: 1n }, 50);
    const ended = Promise.withResolvers<void>();
    const play = (_: Dispute, { signal }: { signal: AbortSignal }) =>
      new Promise<void>((_done, failed) => {
        signal.addEventListener("abort", () => {
          ended.resolve();
          failed(signal.reason);
        });
      });
    await plays.round([dispute(1n, 1n)], play, never);
    await plays.round([], play, never);
    await ended.promise;
    await plays.settled();
    await plays.round([], play, never);
  });
});
