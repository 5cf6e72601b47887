import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Hex, hexToBytes, keccak256, toHex } from "viem";
import { type G1Words, sign, signatureDomain } from "../../../../keepers/src/core/attestation/bls.ts";
import {
  type DrawnCommittee,
  intervalsOf,
  maskOf,
  messageOf,
  type SignedLeaf,
  statementTree,
} from "../../../../keepers/src/core/attestation/statement.ts";
import { loadOrCreateBlsSecret } from "../../../../keepers/src/roles/validator/bls-secret.ts";
import type { MemberDesk, StatementRequest } from "../../../../keepers/src/roles/validator/exchange.ts";
import { NotReadyError } from "../../../../keepers/src/roles/validator/exchange.ts";
import { committee } from "../jobs/network.ts";
import { CommitteeScene, phase, stake, turnSeconds } from "./committee-scene.ts";

const size = 3;

/** A member that gives other digests each time it is asked, and signs whatever it is sent. */
function twoFaced(secret: bigint, draw: DrawnCommittee, position: number): MemberDesk {
  let asked = 0;
  const own = () => {
    const word = ++asked;
    return intervalsOf(draw, position).map((interval) => keccak256(toHex(`${word}/${interval}`)));
  };
  return {
    digests: async (): Promise<readonly Hex[]> => own(),
    sign: async ({ members }: StatementRequest): Promise<G1Words> => {
      const leaves = members.flatMap(({ position: each, digests }): SignedLeaf[] =>
        intervalsOf(draw, each).map((interval, i) => ({ position: each, interval, digest: digests[i]! })),
      );
      const mask = maskOf(members.map((member) => member.position));
      const message = messageOf(draw, mask, toHex(statementTree(draw, leaves).root));
      return sign(secret, signatureDomain, hexToBytes(message));
    },
  };
}

describe("a member that says two things", () => {
  let stage: CommitteeScene;

  before(async () => {
    stage = await CommitteeScene.start(size);
  });

  after(async () => {
    await stage?.close();
  });

  it("attack 26: is slashed by a member that kept both of its statements, also after that one was started anew", async () => {
    const { scene, seats, members } = stage;
    const [first, second, liar] = seats as [(typeof seats)[0], (typeof seats)[0], (typeof seats)[0]];
    const described = await stage.order(size, size);
    const provider = await scene.provider();
    await scene.consumer.post(described);
    const { jobId } = await scene.until(described, "Committed", [provider]);
    await stage.seed(jobId);
    await scene.untilHolds("the draw", [first.keeper, second.keeper], () => true);
    await scene.network.chain.advance(size * turnSeconds);
    await scene.settle([first.keeper, second.keeper], 1);
    assert.equal(await stage.phaseOf(jobId), phase.signing);

    const draw = await stage.drawOf(jobId);
    const secret = await loadOrCreateBlsSecret(join(scene.network.folder, liar.account.address), {
      account: liar.account,
      deployment: scene.network.deployment,
    });
    members.desks.set(liar.account.address, twoFaced(secret, draw, await stage.positionOf(liar, draw)));
    // Somebody does not sign, so that a first statement of the liar stays unposted.
    const honest = members.desks.get(second.account.address)!;
    members.desks.set(second.account.address, {
      digests: (name, asker) => honest.digests(name, asker),
      sign: async () => {
        throw new NotReadyError("Not now.");
      },
    });
    const stakeOf = async () =>
      (await scene.network.contracts.Staking.read.operatorOf([liar.account.address])).stake;
    await scene.settle([first.keeper], 1);
    assert.equal(await stakeOf(), stake, "one statement is no fault");
    await first.keeper.stop();
    const again = await stage.open(first.account);
    seats[0] = { account: first.account, keeper: again };
    await scene.untilHolds("the second statement", [again], () => true);
    await scene.settle([again], 3);
    assert.equal(await stakeOf(), stake - committee.terms.lieSlash);
    await provider.stop();
  });
});
