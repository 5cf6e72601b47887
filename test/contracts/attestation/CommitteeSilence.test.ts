import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Hex, keccak256, zeroHash } from "viem";
import { checks, createWorld, fee, phase, presence, terms } from "./world.ts";

const five = [0, 2, 3, 5, 8];

describe("silence in a committee", async () => {
  const world = await createWorld();
  const { viem, committee, registry, fees, networkHelpers, stranger } = world;
  const { revertWithCustomError, revertWithCustomErrorWithArgs } = viem.assertions;
  let jobs = 0n;
  const next = () => ++jobs;

  it("a committee that stays silent is drawn again twice, then the verdict is Silent", async () => {
    const jobId = next();
    await world.commit(jobId);
    const funded = await fees.read.purse([jobId]);
    for (let attempt = 1n; attempt <= 3n; attempt++) {
      const drawn = await world.draw(jobId);
      assert.equal(drawn.attempt, attempt);
      const { deadline } = await committee.read.jobOf([jobId]);
      await revertWithCustomErrorWithArgs(committee.write.callTimeout([jobId]), committee, "TooEarly", [
        jobId,
        BigInt(deadline) + 1n,
      ]);
      await world.timeOut(jobId);
      await committee.write.executeTimeout([jobId], { account: stranger.account });
    }
    assert.equal(await committee.read.verdictOf([jobId]), 2);
    await revertWithCustomError(committee.write.draw([jobId]), committee, "WrongPhase");
    const members = await committee.read.membersOf([jobId, 3n]);
    const before = await world.lockOf(members[0]!);
    await committee.write.slashSilent([jobId, 3n, 0n], { account: stranger.account });
    assert.equal(before - (await world.lockOf(members[0]!)), terms.silentSlash);
    await revertWithCustomError(committee.write.slashSilent([jobId, 3n, 0n]), committee, "NoFault");
    await revertWithCustomError(committee.write.slashSilent([jobId, 3n, 9n]), committee, "NoFault");
    assert.equal(await fees.read.purse([jobId]), funded, "silent members earn nothing");
  });

  it("attack: an order that nobody can check costs its author, and pays the members that said so", async () => {
    const jobId = next();
    await world.commit(jobId);
    const funded = await fees.read.purse([jobId]);
    const whole = BigInt(checks) * fee;
    const paid = new Map<string, bigint>();
    for (let attempt = 1n; attempt <= 3n; attempt++) {
      const drawn = await world.draw(jobId);
      // All but one; a provider that shows nothing could keep every one of them from signing.
      for (let position = 0; position < 8; position++) {
        const { account, address } = world.memberAt(drawn, position);
        await committee.write.appear([jobId, BigInt(position), zeroHash], { account });
        paid.set(address, (paid.get(address) ?? 0n) + presence);
      }
      await world.timeOut(jobId);
      await committee.write.executeTimeout([jobId]);
    }
    assert.equal(await world.phaseOf(jobId), phase.silent);
    for (const [address, wanted] of paid) {
      assert.equal(await fees.read.paid([jobId, address as Hex]), wanted, "a tenth for each draw");
    }
    const spent = funded - (await fees.read.purse([jobId]));
    assert.equal(spent, 3n * 8n * presence);
    assert.ok(3n * presence < whole / 3n, "who is drawn each time and lies has less than a third of a fee");
  });

  it("INV-5: members that attest in the last draw have their whole fee, whatever the draws before have cost", async () => {
    const jobId = next();
    await world.commit(jobId);
    const funded = await fees.read.purse([jobId]);
    for (let attempt = 1n; attempt <= 2n; attempt++) {
      const drawn = await world.draw(jobId);
      for (let position = 0; position < 9; position++) {
        const { account } = world.memberAt(drawn, position);
        await committee.write.appear([jobId, BigInt(position), zeroHash], { account });
      }
      await world.timeOut(jobId);
      await committee.write.executeTimeout([jobId]);
    }
    const drawn = await world.draw(jobId);
    const all = Array.from({ length: 9 }, (_, position) => position);
    // To have appeared beside a root that is signed earns nothing more.
    const { account } = world.memberAt(drawn, 0);
    await committee.write.appear([jobId, 0n, zeroHash], { account });
    const leaves = world.leavesOf(drawn, all);
    await world.attest(jobId, drawn, leaves);
    await committee.write.reveal([jobId, world.hashesOf(leaves), []]);
    assert.equal(await committee.read.verdictOf([jobId]), 1);
    const spent = funded - (await fees.read.purse([jobId]));
    assert.equal(spent, BigInt(9 * checks) * fee + 2n * 9n * presence);
  });

  it("a member that appeared is not silent, only its operator can say so, and the grace counts", async () => {
    const jobId = next();
    await world.commit(jobId);
    const drawn = await world.draw(jobId);
    const { account } = world.memberAt(drawn, 3);
    await revertWithCustomError(
      committee.write.appear([jobId, 3n, zeroHash], { account: stranger.account }),
      committee,
      "NotMember",
    );
    await revertWithCustomError(
      committee.write.appear([jobId, 9n, zeroHash], { account }),
      committee,
      "NotMember",
    );
    const { deadline } = await committee.read.jobOf([jobId]);
    await networkHelpers.time.increaseTo(deadline);
    await networkHelpers.time.setNextBlockTimestamp(deadline + 1);
    await committee.write.callTimeout([jobId]);
    await revertWithCustomError(committee.write.callTimeout([jobId]), committee, "TimeoutAlreadyCalled");
    const { graceEnds } = await committee.read.jobOf([jobId]);
    await networkHelpers.time.setNextBlockTimestamp(graceEnds);
    await committee.write.appear([jobId, 3n, keccak256("0x")], { account });
    await revertWithCustomError(
      committee.write.appear([jobId, 3n, zeroHash], { account }),
      committee,
      "TooLate",
    );
    await committee.write.executeTimeout([jobId]);
    await revertWithCustomError(committee.write.slashSilent([jobId, 1n, 3n]), committee, "NoFault");
    await committee.write.slashSilent([jobId, 1n, 4n]);
  });

  it("signers that do not reveal are silent; those that did not sign lose their fee alone", async () => {
    const jobId = next();
    await world.commit(jobId);
    const drawn = await world.draw(jobId);
    await world.attest(jobId, drawn, world.leavesOf(drawn, five));
    await world.timeOut(jobId);
    await committee.write.executeTimeout([jobId]);
    assert.equal(await world.phaseOf(jobId), phase.seeding);
    await revertWithCustomError(committee.write.slashSilent([jobId, 1n, 1n]), committee, "NoFault");
    await committee.write.slashSilent([jobId, 1n, 2n]);
  });

  it("INV-2: no member becomes late in a job that has ended, also before it is settled", async () => {
    const jobId = next();
    await world.commit(jobId);
    await world.draw(jobId);
    await world.timeOut(jobId);
    // Convicted in the last second of the grace: nobody has to sign for it any more.
    await registry.write.end([jobId]);
    await revertWithCustomError(committee.write.executeTimeout([jobId]), committee, "JobOver");
    const other = next();
    await world.commit(other);
    await world.draw(other);
    await registry.write.end([other]);
    const { deadline } = await committee.read.jobOf([other]);
    await networkHelpers.time.increaseTo(deadline + 1);
    await revertWithCustomError(committee.write.callTimeout([other]), committee, "JobOver");
    for (const each of [jobId, other]) {
      await registry.write.close([each]);
      await revertWithCustomError(committee.write.slashSilent([each, 1n, 0n]), committee, "NoFault");
    }
  });

  it("a committee that could not reach its threshold is drawn again, and falls silent without blame", async () => {
    const jobId = next();
    await world.commit(jobId, 20, 13);
    for (let attempt = 1n; attempt <= 3n; attempt++) {
      assert.equal(await world.phaseOf(jobId), phase.seeding);
      await world.deliver(jobId);
      await committee.write.draw([jobId]);
      await revertWithCustomError(committee.write.slashSilent([jobId, attempt, 0n]), committee, "NoFault");
    }
    assert.equal(await world.phaseOf(jobId), phase.silent);
    const other = next();
    await world.commit(other, 20, 12);
    assert.equal((await world.draw(other)).members.length, 12, "smaller than asked for, but enough");
  });
});
