import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Address, decodeFunctionData, zeroAddress } from "viem";
import { abis } from "../../../../keepers/src/chain/abi/index.ts";
import type { JobContext } from "../../../../keepers/src/roles/jobs/duty.ts";
import { OwnerQuestions } from "../../../../keepers/src/roles/jobs/owner-questions.ts";
import { account, contextOf, word } from "../doubles.ts";

const [hour, minute] = [3_600n, 60n];
const result = { resultId: word(500) };
const job = { jobId: 1n, provider: account(9) };

/** Questions to an owner, all past their time to answer. */
class Questions {
  now = 6n * hour + 1n;
  readonly graceEnds = new Map<bigint, bigint>();
  readonly challengers = new Map<bigint, Address>();
  readonly calls: string[] = [];
  readonly watch: () => Promise<void>;

  constructor(count: number) {
    const ids = Array.from({ length: count }, (_, i) => BigInt(i + 1));
    for (const id of ids) this.challengers.set(id, account(2));
    const reads = {
      RetrievalChallenges: {
        askedSince: () => 1n,
        questionsOf: ([, last, most]: [unknown, bigint, bigint]) =>
          ids.filter((id) => id > last).slice(0, Number(most)),
        challengeOf: ([id]: [bigint]) => ({
          ...{ datasetId: result.resultId, isOwners: true, deadline: 6n * hour },
          ...{ challenger: this.challengers.get(id), graceEnds: this.graceEnds.get(id) ?? 0n },
        }),
      },
    };
    const { context, queue } = contextOf(account(1), reads);
    queue.onSend = ({ data }) => {
      const abi = [...abis.RetrievalChallenges, ...abis.ResultShortfalls];
      const { functionName, args } = decodeFunctionData({ abi, data });
      this.calls.push(`${functionName} ${args!.join()}`);
      if (functionName === "callTimeout") this.graceEnds.set(args![0] as bigint, this.now + hour);
    };
    const questions = new OwnerQuestions(context as unknown as JobContext);
    this.watch = () => questions.watch(job, result, 0, this.now);
  }
}

describe("questions to the owner of a result", () => {
  it("attack: have few timeouts called where a stranger asks for thousands, and fail the job before any other is called", async () => {
    const asked = new Questions(2_000);
    await asked.watch();
    assert.equal(asked.calls.length, 16);
    asked.now += minute + 1n;
    await asked.watch();
    assert.equal(asked.calls.length, 16, "one of them is enough");
    asked.now += hour;
    await asked.watch();
    assert.deepEqual(asked.calls.slice(16), ["failUnanswered 1,1"]);
  });

  it("attack: have others called as those that were called are answered", async () => {
    const asked = new Questions(40);
    await asked.watch();
    for (let id = 1n; id <= 16n; id++) asked.challengers.set(id, zeroAddress);
    asked.now += minute + 1n;
    await asked.watch();
    assert.deepEqual([asked.calls.length, asked.calls[16]], [32, "callTimeout 17"]);
  });
});
