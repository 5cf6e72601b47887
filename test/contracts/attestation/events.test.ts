import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Abi, type Hex, keccak256, parseEventLogs, toHex } from "viem";
import { checks, createWorld, exitDelay, period, terms } from "./world.ts";

const size = 5;
const threshold = 3;
const lie = keccak256("0x11e0");

/** What members and keepers read: every event, in order, and no others. */
describe("events of a committee", async () => {
  const world = await createWorld(8);
  const { committee, validators, registry, publicClient, networkHelpers, operators } = world;

  /** Names of the events of a contract in and after a block. */
  const eventsSince = async (contract: { address: Hex; abi: Abi }, fromBlock: bigint) => {
    const logs = await publicClient.getLogs({ address: contract.address, fromBlock });
    return parseEventLogs({ abi: contract.abi, logs }).map(({ eventName }) => eventName as string);
  };
  const nextBlock = async () => (await publicClient.getBlockNumber({ cacheTime: 0 })) + 1n;

  it("that attests, with a member that differs", async () => {
    const from = await nextBlock();
    await world.commit(1n, size, threshold);
    const drawn = await world.draw(1n);
    const { account } = world.memberAt(drawn, 4);
    await committee.write.appear([1n, 4n, toHex("digests", { size: 32 })], { account });
    const leaves = world.leavesOf(drawn, [0, 1, 2, 3], { "2/0": lie });
    await world.attest(1n, drawn, leaves);
    const differences = [{ leaf: BigInt(2 * checks), digest: lie }];
    await committee.write.reveal([1n, world.hashesOf(leaves), differences]);
    await networkHelpers.time.increase(terms.accusableFor + 1);
    await committee.write.dismiss([1n, 1n]);
    assert.deepEqual(await eventsSince(committee, from), [
      "CommitteeAsked",
      "CommitteeDrawn",
      "MemberAppeared",
      "RootSigned",
      "WitnessesOpened",
      "DigestsRevealed",
      "CommitteeAttested",
      "CommitteeDismissed",
    ]);
    assert.deepEqual(await eventsSince(validators, from), ["DutiesBegun", "DutiesEnded"]);
  });

  it("that stays silent, three times", async () => {
    const from = await nextBlock();
    await world.commit(2n, size, threshold);
    for (let attempt = 0; attempt < 3; attempt++) {
      await world.draw(2n);
      await world.timeOut(2n);
      await committee.write.executeTimeout([2n]);
    }
    const attempt = ["CommitteeAsked", "CommitteeDrawn", "TimeoutCalled", "AttemptFailed"];
    assert.deepEqual(await eventsSince(committee, from), [
      ...attempt,
      ...attempt,
      ...attempt,
      "CommitteeSilent",
    ]);
  });

  it("whose provider withholds the witnesses, and of one whose job is over before", async () => {
    const from = await nextBlock();
    await world.commit(3n, size, threshold);
    const drawn = await world.draw(3n);
    await committee.write.attest([3n, world.statementOf(drawn, world.leavesOf(drawn, [0, 1, 2]))]);
    await world.timeOut(3n);
    await committee.write.executeTimeout([3n]);
    await world.commit(4n, size, threshold);
    await registry.write.close([4n]);
    await committee.write.setTerms([terms]);
    assert.deepEqual(await eventsSince(committee, from), [
      "CommitteeAsked",
      "CommitteeDrawn",
      "RootSigned",
      "TimeoutCalled",
      "WitnessesWithheld",
      "CommitteeAsked",
      "CommitteeClosed",
      "TermsSet",
    ]);
  });

  it("tell of a validator from its enrolment to its release", async () => {
    const from = await nextBlock();
    const entrant = await world.enlist(900);
    await world.enrol(entrant);
    const { account } = entrant;
    await validators.write.resign({ account });
    await networkHelpers.time.increase(2 * period + exitDelay);
    await validators.write.release([BigInt(operators.length + 1)]);
    assert.deepEqual(await eventsSince(validators, from), [
      "Enrolled",
      "WeightSet",
      "WeightSet",
      "Resigned",
      "Released",
    ]);
  });
});
