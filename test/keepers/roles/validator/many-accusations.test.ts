import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { encodeCall } from "../../../../keepers/src/chain/contracts.ts";
import { turnOf } from "../../../../keepers/src/roles/jobs/challenge-record.ts";
import { challengerBond } from "../jobs/network.ts";
import { CommitteeScene, turnSeconds } from "./committee-scene.ts";

const size = 3;
const accusations = 6;

describe("a member that is accused many times of what it has signed once", () => {
  let stage: CommitteeScene;

  before(async () => {
    stage = await CommitteeScene.start(size);
  });

  after(async () => {
    await stage?.close();
  });

  it("attack: gathers the job's dataset once, not for each", async () => {
    const { scene, keepers, seats } = stage;
    const { network, storage } = scene;
    const described = await stage.order(size, size);
    const provider = await scene.provider();
    await scene.consumer.post(described);
    const { jobId } = await scene.until(described, "Committed", [provider]);
    await stage.seed(jobId);
    await scene.settle(keepers, 2);
    await network.chain.advance(size * turnSeconds);
    await scene.until(described, "Attested", [...keepers, provider]);

    const accused = seats[0]!;
    const position = await stage.positionOf(accused, await stage.drawOf(jobId));
    const stranger = scene.account();
    for (let i = 0; i < accusations; i++) {
      const args = [jobId, 1n, BigInt(position), BigInt(i % 2)] as const;
      await network.send(
        stranger,
        encodeCall(network.deployment, "MemberGame", "accuse", args, challengerBond),
      );
    }
    let gathered = 0;
    const of = storage.of.bind(storage);
    storage.of = (account) => {
      const own = of(account);
      const { objects } = own;
      own.objects = (...args) => {
        gathered++;
        return objects.apply(own, args);
      };
      return own;
    };
    await accused.keeper.stop();
    seats[0] = { account: accused.account, keeper: await stage.open(accused.account) };
    await scene.settle([seats[0]!.keeper], 3);
    const answered = seats[0]!.keeper.ledger
      .accusationsOf(jobId)
      .filter((accusation) => turnOf(accusation) === "challenger").length;
    assert.equal(answered, accusations, "every accusation was answered");
    assert.equal(gathered, 1, "the dataset was gathered once");
  });
});
