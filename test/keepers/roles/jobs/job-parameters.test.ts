import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { challenge } from "../../../../keepers/src/roles/challenger/challenge.ts";
import { parametersOf } from "../../../../keepers/src/roles/jobs/job-parameters.ts";
import type { Reads } from "../doubles.ts";
import { LiedTo } from "../lied-to.ts";

const says = (bond: bigint): Reads => ({
  JobRegistry: {
    parametersOf: () => ({
      ...{ lockWindow: 1, challengeWindow: 1, stakePercent: 200, minimumStake: 1n, latePenalty: 1 },
      dispute: { challengerBond: bond, refundPrice: 1n, window: 1, extension: 1, grace: 1 },
      providerBond: bond,
    }),
  },
});

describe("the bonds of a job, of which the endpoint that is asked first names others,", () => {
  let scene: LiedTo;

  beforeEach(() => {
    scene = new LiedTo(says(5n));
    scene.lie(says(1n));
  });

  it("attack: are what the others say when a provider locks a job or posts a checkpoint", async () => {
    assert.equal((await parametersOf(await scene.context(), 1n)).providerBond, 5n);
  });

  it("attack: are what the others say when a commitment is challenged", async () => {
    await challenge(await scene.context(), 1n, { kind: "challengeTrace" });
    assert.deepEqual(
      scene.double.sent.map(({ value }) => value),
      [5n],
    );
  });

  it("are believed of one of only two, since the chain refuses a wrong one", async () => {
    scene.leaveTwo();
    assert.equal((await parametersOf(await scene.context(), 1n)).providerBond, 1n);
  });
});
