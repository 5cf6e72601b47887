import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Hex, zeroHash } from "viem";
import { createWorld, exitDelay, period, unit } from "./world.ts";

describe("weights of validators", async () => {
  const world = await createWorld(9);
  const {
    viem,
    validators,
    staking,
    networkHelpers,
    operators,
    stranger,
    owner,
    access,
    registry,
    committee,
  } = world;
  const { emit, revertWithCustomError } = viem.assertions;
  await access.write.grantRole([2n, owner.account.address, 0]);
  const locked = (i: number) => staking.read.lockedBy([operators[i]!.address, validators.address]);
  const validatorOf = (i: number) => validators.read.validatorOf([BigInt(i + 1)]);
  const lower = (i: number, weight: bigint) =>
    validators.write.lower([weight], { account: operators[i]!.account });
  const raise = (i: number, weight: bigint) =>
    validators.write.raise([weight], { account: operators[i]!.account });
  const release = (i: number) => validators.write.release([BigInt(i + 1)], { account: stranger.account });
  const beginRotation = async () => {
    const next = ((await validators.read.rotation()) + 1) * period;
    await networkHelpers.time.increaseTo(next);
  };
  const passExit = async (i: number) => networkHelpers.time.increaseTo((await validatorOf(i)).exitAt + 1);

  it("INV-1: a lower weight counts from the next rotation on; its stake is free when no draw sees the old one", async () => {
    const now = await validators.read.rotation();
    const total = await validators.read.totalWeight([now]);
    await viem.assertions.emitWithArgs(lower(0, 4n), validators, "Lowered", [
      1n,
      BigInt((now + 1) * period + exitDelay),
    ]);
    assert.equal(await validators.read.totalWeight([now]), total);
    assert.equal(await validators.read.totalWeight([now + 1]), total - 6n);
    assert.equal(await locked(0), 10n * unit);
    const { exitAt } = await validatorOf(0);
    await networkHelpers.time.setNextBlockTimestamp(exitAt);
    await revertWithCustomError(release(0), validators, "StillBound");
    await networkHelpers.time.setNextBlockTimestamp(exitAt + 1);
    await viem.assertions.emitWithArgs(release(0), validators, "Released", [
      1n,
      operators[0]!.address,
      6n * unit,
    ]);
    assert.equal(await locked(0), 4n * unit);
    assert.equal((await validatorOf(0)).weight, 4, "it stays enrolled");
    await revertWithCustomError(release(0), validators, "StillBound");
    await raise(0, 5n);
    assert.equal(await locked(0), 5n * unit);
  });

  it("attack 24: duties of draws that saw the old weight bind its stake, also those drawn later; others do not", async () => {
    await beginRotation();
    await world.commit(1n, 9, 5);
    await lower(1, 3n);
    await networkHelpers.time.increase(2 * period);
    const drawn = await world.draw(1n);
    assert.ok(drawn.members.includes(2n), "the draw is from before");
    await world.commit(2n, 9, 5);
    assert.ok((await world.draw(2n)).members.includes(2n));
    await passExit(1);
    await revertWithCustomError(release(1), validators, "StillBound");
    await registry.write.close([1n]);
    await committee.write.dismiss([1n, 1n]);
    assert.equal((await validatorOf(1)).duties, 1, "the second committee is on");
    await revertWithCustomError(release(1), validators, "StillBound");
    await passExit(1);
    await release(1);
    assert.equal(await locked(1), 3n * unit);
  });

  it("INV-2: lowering again binds everything that is on, and begins the time anew", async () => {
    await beginRotation();
    await lower(2, 8n);
    const first = (await validatorOf(2)).exitAt;
    await beginRotation();
    await world.commit(3n, 9, 5);
    const drawn = await world.draw(3n);
    assert.ok(drawn.members.includes(3n));
    await lower(2, 2n);
    assert.ok((await validatorOf(2)).exitAt > first);
    await passExit(2);
    await revertWithCustomError(release(2), validators, "StillBound");
    for (const jobId of [2n, 3n]) {
      await registry.write.close([jobId]);
      await committee.write.dismiss([jobId, 1n]);
    }
    await revertWithCustomError(release(2), validators, "StillBound");
    await passExit(2);
    await release(2);
    assert.equal(await locked(2), 2n * unit);
    assert.equal((await validatorOf(2)).duties, 0);
  });

  it("a dismissal soon after it was lowered takes none of its time away", async () => {
    await beginRotation();
    await world.commit(4n, 9, 5);
    const drawn = await world.draw(4n);
    const i = 7;
    assert.ok(drawn.members.includes(BigInt(i + 1)));
    await lower(i, 2n);
    const { exitAt } = await validatorOf(i);
    await registry.write.close([4n]);
    await committee.write.dismiss([4n, 1n]);
    assert.equal((await validatorOf(i)).exitAt, exitAt);
  });

  it("raised again before the release, it locks nothing twice and gets only the rest", async () => {
    await lower(3, 2n);
    await raise(3, 7n);
    assert.equal(await locked(3), 10n * unit);
    await passExit(3);
    await release(3);
    assert.equal(await locked(3), 7n * unit);
  });

  it("who leaves while it lowers leaves with everything", async () => {
    const { account } = operators[4]!;
    await lower(4, 2n);
    await validators.write.resign({ account });
    await revertWithCustomError(lower(4, 1n), validators, "NotEnrolled");
    await passExit(4);
    await release(4);
    assert.equal(await locked(4), 0n);
    assert.equal(await validators.read.idOf([operators[4]!.address]), 0n);
    await revertWithCustomError(lower(4, 1n), validators, "NotEnrolled");
  });

  it("a weight that is none, or not lower, is refused; pausing stops no lowering", async () => {
    for (const weight of [0n, 10n, 11n])
      await revertWithCustomError(lower(5, weight), validators, "UnfitWeight");
    await validators.write.pause({ account: owner.account });
    await lower(5, 9n);
    await emit(validators.write.unpause({ account: owner.account }), validators, "Unpaused");
  });

  it("a slash takes from what is to be released first; slashed to nothing, it begins to leave and can be raised", async () => {
    const { address } = operators[6]!;
    const punish = (amount: bigint) =>
      validators.write.punish([7n, amount, stranger.account.address as Hex, zeroHash], {
        account: owner.account,
      });
    await lower(6, 4n);
    await emit(punish(5n * unit), validators, "Punished");
    assert.equal((await validatorOf(6)).weight, 4, "five units are left");
    const next = (await validators.read.rotation()) + 1;
    await viem.assertions.emitWithArgs(punish(4n * unit + 1n), validators, "Lowered", [
      7n,
      BigInt(next * period + exitDelay),
    ]);
    assert.equal((await validatorOf(6)).weight, 0);
    assert.equal(await validators.read.idOf([address]), 7n);
    await revertWithCustomError(lower(6, 1n), validators, "UnfitWeight");
    await raise(6, 6n);
    assert.equal((await validatorOf(6)).weight, 6);
    assert.equal(await locked(6), 6n * unit);
    await passExit(6);
    await release(6);
    assert.equal(await locked(6), 6n * unit, "it is not leaving any more");
    assert.equal((await validatorOf(6)).exitAt, 0);
    await validators.write.resign({ account: operators[6]!.account });
    await revertWithCustomError(raise(6, 7n), validators, "NotEnrolled");
    await passExit(6);
    await release(6);
    assert.equal(await locked(6), 0n);
  });

  it("attack: whoever was slashed to nothing keeps no place, once its duties are over, and its stake until then", async () => {
    const i = 8;
    const { address } = operators[i]!;
    const punish = (amount: bigint) =>
      validators.write.punish([9n, amount, stranger.account.address as Hex, zeroHash], {
        account: owner.account,
      });
    await beginRotation();
    await world.commit(5n, 9, 5);
    assert.ok((await world.draw(5n)).members.includes(9n));
    await punish(9n * unit + unit / 2n);
    const { weight, exitAt, place } = await validatorOf(i);
    assert.ok(weight === 0 && exitAt !== 0, "half a unit is no weight");
    const rotation = await validators.read.rotation();
    const total = await validators.read.totalWeight([rotation + 1]);
    await revertWithCustomError(release(i), validators, "StillBound");
    await passExit(i);
    await revertWithCustomError(release(i), validators, "StillBound");
    await registry.write.close([5n]);
    await committee.write.dismiss([5n, 1n]);
    await revertWithCustomError(release(i), validators, "StillBound");
    assert.equal(await locked(i), unit / 2n, "what it signed before can still cost it that");
    await passExit(i);
    await viem.assertions.emitWithArgs(release(i), validators, "Released", [9n, address, unit / 2n]);
    await revertWithCustomError(release(i), validators, "NotEnrolled");
    await revertWithCustomError(raise(i, 1n), validators, "NotEnrolled");
    assert.equal(await validators.read.idOf([address]), 0n);
    const next = await world.enlist(20);
    await world.enrol(next, 3n);
    const id = await validators.read.idOf([next.address]);
    assert.equal((await validators.read.validatorOf([id])).place, place, "somebody else has it");
    const later = (await validators.read.rotation()) + 1;
    assert.equal(await validators.read.totalWeight([later]), total + 3n, "the weights are right");
    await revertWithCustomError(world.enrol(operators[i]!, 1n), validators, "KeyTaken");
    await world.enrol({ ...(await world.enlist(21)), account: operators[i]!.account }, 1n);
    assert.notEqual(await validators.read.idOf([address]), 0n, "it may come back with another key");
  });
});
