import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keccak256 } from "viem";
import { type DrawnCommittee, intervalsOf } from "../../../../keepers/src/core/attestation/statement.ts";
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
  it("attack: appears in all of them before it waits for the members of one", async () => {
    const double = contextOf(operators[0]!, { Committee: { drawOf: () => ({ appeared: 0n }) } });
    const happened: string[] = [];
    double.queue.onSend = ({ key }) => happened.push(key);
    const member = new Member({
      ...double.context,
      all: {
        seats: async () => [seatOf(1n), seatOf(2n)],
        terms: async () => ({ terms: { signingWindow: 1_000 }, isSure: true }),
        operators: () => operators,
        turn: () => 0,
      },
      book: {
        check: (draw: DrawnCommittee) => ({
          verdict: "right",
          digests: intervalsOf(draw, 0).map(() => keccak256("0x03")),
        }),
      },
      desk: { found: () => [keccak256("0x03")], digests: async () => [] },
      exchange: {
        digests: async (_: unknown, { jobId }: { jobId: bigint }) => {
          happened.push(`asked:${jobId}`);
          throw new Error("it never ends its answer");
        },
      },
      gathering: new Gathering(),
      turnSeconds: 5,
    } as unknown as MemberParts);
    await member.tick(new AbortController().signal);
    assert.deepEqual(happened, ["appear:1:1", "appear:2:1", "asked:1", "asked:2"]);
  });
});
