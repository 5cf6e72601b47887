import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
import { type Address, keccak256 } from "viem";
import { type DrawnCommittee, intervalsOf } from "../../../../keepers/src/core/attestation/statement.ts";
import { Attendance, type AttendanceParts } from "../../../../keepers/src/roles/validator/attendance.ts";
import type { Seat } from "../../../../keepers/src/roles/validator/committees.ts";
import { Gathering } from "../../../../keepers/src/roles/validator/gathering.ts";
import { Member, type MemberParts } from "../../../../keepers/src/roles/validator/member.ts";
import { account, contextOf } from "../doubles.ts";

const operators = [account(1), account(2)];

function seatOf(jobId: bigint): Seat {
  const draw: DrawnCommittee = {
    ...{ chainId: 1n, contract: account(9), jobId, attempt: 1n, seed: keccak256("0x01") },
    ...{ traceRoot: keccak256("0x02"), intervals: 8, checks: 2, members: [1n, 2n] },
  };
  const committee = { attempt: 1n, threshold: 2, deadline: 1_100n, graceEnds: 0n, opened: 0 } as const;
  return { job: { jobId }, committee: { ...committee, phase: "Signing" }, draw, position: 0 } as Seat;
}

describe("a member of several committees", () => {
  let double: ReturnType<typeof contextOf>;
  let seats: Seat[];
  /** Jobs of which somebody was asked for what it found. */
  let asked: bigint[];
  /** Answers that are not given, by job. */
  let stalled: Map<bigint, () => void>;
  let stopping: AbortController;

  beforeEach(() => {
    double = contextOf(operators[0]!, { Committee: { drawOf: () => ({ appeared: 0n }) } });
    seats = [1n, 2n].map(seatOf);
    [asked, stalled, stopping] = [[], new Map(), new AbortController()];
  });

  afterEach(() => {
    stopping.abort();
  });

  function parts(isStalling: (jobId: bigint) => boolean) {
    const digests = (draw: DrawnCommittee) => intervalsOf(draw, 0).map(() => keccak256("0x03"));
    return {
      ...double.context,
      all: {
        seats: async () => seats,
        terms: async () => ({ terms: { signingWindow: 1_000 }, isSure: true }),
        operators: () => operators,
        turn: () => 0,
      },
      book: { check: (draw: DrawnCommittee) => ({ verdict: "right", digests: digests(draw) }) },
      desk: { found: digests },
      exchange: {
        digests: async (_: Address, { jobId }: DrawnCommittee, signal: AbortSignal) => {
          asked.push(jobId);
          if (isStalling(jobId)) {
            await new Promise<void>((resolve, reject) => {
              stalled.set(jobId, resolve);
              signal.addEventListener("abort", () => reject(signal.reason));
            });
          }
          throw new Error("it says nothing");
        },
      },
      ...{ gathering: new Gathering(), turnSeconds: 5, patience: 20 },
    };
  }

  const attendance = () => new Attendance(parts(() => false) as unknown as AttendanceParts);
  const memberOf = (isStalling: (jobId: bigint) => boolean) =>
    new Member(parts(isStalling) as unknown as MemberParts);
  const keys = () => double.queue.sent.map(({ key }) => key);

  it("attack: appears in all of them while members of each never end their answer", async () => {
    const member = memberOf(() => true);
    await member.tick(stopping.signal);
    await member.tick(stopping.signal);
    assert.deepEqual(asked, [1n, 2n], "both wait for an answer");
    await attendance().tick();
    assert.deepEqual(keys(), ["appear:1:1", "appear:2:1"]);
    stopping.abort();
    await member.close();
  });

  it("appears in one of them although the call for another is held up", async () => {
    const { send } = double.context.queue;
    double.context.queue.send = (intent) =>
      intent.key === "appear:1:1" ? new Promise(() => undefined) : send(intent);
    await attendance().tick();
    assert.deepEqual(keys(), ["appear:2:1"]);
  });

  it("attack: asks again in one of them while members of another never end their answer", async () => {
    const member = memberOf((jobId) => jobId === 1n);
    for (let i = 0; i < 3; i++) await member.tick(stopping.signal);
    assert.deepEqual(asked, [1n, 2n, 2n, 2n]);
  });

  it("attack: comes to each of many of them before it comes back to those whose members stall", async () => {
    seats = Array.from({ length: 20 }, (_, i) => seatOf(BigInt(i + 1)));
    const member = memberOf(() => true);
    await member.tick(stopping.signal);
    const first = seats.slice(0, 16).map(({ job }) => job.jobId);
    assert.deepEqual(asked, first);
    for (const jobId of first.slice(0, 6)) stalled.get(jobId)!();
    for (let i = 0; i < 20; i++) await immediate();
    await member.tick(stopping.signal);
    assert.deepEqual(asked.slice(16), [17n, 18n, 19n, 20n, 1n, 2n]);
  });

  it("asks nobody in a committee whose terms cannot be read, and goes on in the others", async () => {
    const failing = parts(() => false);
    const terms = async ({ jobId }: { jobId: bigint }) => {
      if (jobId === 1n) throw new Error("no endpoint says them");
      return { terms: { signingWindow: 1_000 }, isSure: true };
    };
    const member = new Member({ ...failing, all: { ...failing.all, terms } } as unknown as MemberParts);
    await assert.rejects(member.tick(stopping.signal), /no endpoint says them/);
    assert.deepEqual(asked, [2n]);
  });
});
