import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { bytesToHex, concatHex, getAddress, type Hex, hexToBytes, zeroAddress, zeroHash } from "viem";
import { intervalsOf } from "../../../keepers/src/core/attestation/statement.ts";
import { BinaryTree } from "../../../keepers/src/core/merkle/binary-tree.ts";
import type { ClaimedRun } from "../../../keepers/src/training/dispute/claimed-run.ts";
import { books, encodeMove, type Round } from "../../../keepers/src/training/dispute/moves.ts";
import { nextMove } from "../../../keepers/src/training/dispute/next-move.ts";
import { createCommitteeJob, type Seat, size } from "../attestation/committee-job.ts";
import { challengerBond, createLockedJob } from "../jobs/locked-job.ts";
import { day } from "../storage/deployment.ts";
import { playOn } from "./game/arena.ts";
import { mlpJob, otherMantissa } from "./game/scenes.ts";
import { Job, leafOf, Story } from "./game/story.ts";
import { runOf } from "./game/told-run.ts";

const failed = 9;
/** Step 4 is interval 2, the last. */
const wrongStep = 4;
const wrongInterval = 2;

function jobWith(datasetId: `0x${string}`): Job {
  const { program, objects, order } = mlpJob();
  const { microBatches, steps, interval } = order;
  return new Job(program, objects, { microBatches, steps, interval, datasetId });
}

describe("a member of a committee answers for itself", async () => {
  const scene = await createCommitteeJob(jobWith);
  const { job, committee, memberGame, validators, staking, jobs, viem, networkHelpers, publicClient } = scene;
  const { challenger, provider, operators } = scene;
  const friend = operators[15]!;
  const honest = new Story(job);
  const place = job.witnessPlace;
  /** A run that is wrong in a tensor of its last step, and goes on from there. */
  const liar = new Story(job, { step: wrongStep, place, change: otherMantissa }, honest);
  const { revertWithCustomError } = viem.assertions;
  const { lieSlash, moveWindow, accusableFor } = await committee.read.termsOf([1n]);
  const game = await viem.getContractAt("DisputeGame", scene.game.address);
  const sides = playOn({
    ...{ game, networkHelpers, publicClient, bond: challengerBond },
    ...{ provider: provider.account, challenger: challenger.account },
  });
  const snapshot = await networkHelpers.takeSnapshot();
  afterEach(() => snapshot.restore());

  /** A job whose provider has committed to `claimed`, attested to by members with runs of their own. */
  const attested = async (claimed: ClaimedRun, runs: (position: number) => ClaimedRun = () => claimed) => {
    await scene.commit(claimed);
    const drawn = await scene.draw();
    const own = Array.from({ length: size }, (_, position) => runs(position));
    const leaves = await scene.leavesOf(drawn, own);
    await scene.attest(drawn, leaves);
    const seats = Array.from({ length: size }, (_, position) => scene.seatAt(drawn, position));
    return { drawn, leaves, seats };
  };
  type Attested = Awaited<ReturnType<typeof attested>>;

  /** A member whose interval is the wrong one, and which of its intervals that is. */
  const guiltyOf = ({ drawn }: Attested) =>
    Array.from({ length: size }, (_, position) => ({
      position,
      number: intervalsOf(drawn, position).indexOf(wrongInterval),
    })).filter(({ number }) => number !== -1);

  const memberOf = (
    { drawn, leaves, seats }: Attested,
    run: ClaimedRun,
    position: number,
    number: number,
  ) => ({
    run,
    account: seats[position]!.account,
    signed: scene.siblingsOf(drawn, leaves, position, number),
  });
  const locks = (seats: readonly Seat[]) => Promise.all(seats.map((seat) => scene.lockOf(seat)));
  const creditOf = (account: `0x${string}`) => memberGame.read.creditOf([account]);

  it("C2: no member is slashed because a provider that computed rightly challenges itself and stays silent", async () => {
    const run = runOf(honest);
    const { drawn, leaves, seats } = await attested(run);
    const before = await locks(seats);
    // All of it is one party: consumer, provider and challenger.
    const { id } = await sides.challenge(honest, wrongInterval, 1n);
    await scene.timeOutProvider(id);
    assert.equal((await jobs.read.jobOf([1n])).status, failed);
    await jobs.write.settle([1n]);
    const accusations: bigint[] = [];
    for (const position of seats.keys()) {
      for (const [number] of intervalsOf(drawn, position).entries()) {
        const accused = await scene.accuse(position, number, challenger.account);
        const member = memberOf({ drawn, leaves, seats }, run, position, number);
        const played = await scene.play(accused.id, { own: run, account: challenger.account }, member);
        assert.equal(played.ending, "stuck", "nothing that an honest member opens is wrong");
        accusations.push(accused.id);
      }
    }
    for (const accusation of accusations) await scene.timeOut(accusation);
    for (const { account } of seats) {
      assert.equal(
        await creditOf(account.address),
        challengerBond,
        "half the bond of each of two accusations",
      );
    }
    assert.deepEqual(await locks(seats), before);
    const silent = committee.write.slashSilent([1n, 1n, 0n]);
    await revertWithCustomError(silent, committee, "NoFault");
  });

  it("C3: a liar that has itself convicted of another interval does not let those go who signed with it", async () => {
    const run = runOf(liar);
    const all = await attested(run);
    // It is silent in a challenge of an interval that nobody signed falsely.
    const { id } = await sides.challenge(liar, 0, 1n);
    await scene.timeOutProvider(id);
    await jobs.write.settle([1n]);
    assert.equal((await jobs.read.jobOf([1n])).status, failed);
    const guilty = guiltyOf(all);
    assert.ok(guilty.length > 0);
    for (const { position, number } of guilty) {
      const seat = all.seats[position]!;
      const [before] = await locks([seat]);
      const accused = await scene.accuse(position, number, challenger.account);
      const accuser = { own: runOf(honest), account: challenger.account };
      const { ending, steps } = await scene.play(accused.id, accuser, memberOf(all, run, position, number));
      assert.equal(ending, "convicted", JSON.stringify(steps));
      assert.equal((await locks([seat]))[0], before, "the slash is a transaction of its own");
      const credit = await staking.read.creditOf([challenger.account.address]);
      await viem.assertions.emit(
        memberGame.write.punish([accused.id], { account: friend.account }),
        memberGame,
        "MemberPunished",
      );
      assert.equal(before! - (await locks([seat]))[0]!, lieSlash);
      const reward = (await staking.read.creditOf([challenger.account.address])) - credit;
      const [, share] = await staking.read.parameters();
      assert.equal(
        reward,
        (lieSlash * BigInt(share)) / 10_000n,
        "whoever convicted has the reporter's share",
      );
      await revertWithCustomError(memberGame.write.punish([accused.id]), memberGame, "NothingDue");
    }
    assert.equal(await creditOf(challenger.account.address), BigInt(guilty.length) * challengerBond);
  });

  it("INV-2, C2: witnesses that a provider binds falsely cost it, and nobody who computed them rightly", async () => {
    // The provider's h binds what the members did not compute: all of them differ from what it opens.
    const run = runOf(honest);
    const false_: ClaimedRun = {
      ...run,
      witnesses: async (interval) =>
        (await run.witnesses(interval)).map((each) => `0xff${each.slice(4)}` as const),
    };
    const all = await attested(run);
    await revertWithCustomError(scene.reveal(all.drawn, all.leaves, false_), committee, "WrongOpening");
    await scene.reveal(all.drawn, all.leaves, run);
    const before = await locks(all.seats);
    const { id } = await scene.accuse(0, 0, friend.account);
    const { round } = await scene.disputeOf(id);
    assert.equal(getAddress(round.claim.provider), getAddress(all.seats[0]!.account.address));
    const accuser = { own: run, account: friend.account };
    await scene.play(id, accuser, memberOf(all, run, 0, 0));
    await scene.timeOut(id);
    assert.deepEqual(await locks(all.seats), before);
    assert.equal(await creditOf(all.seats[0]!.account.address), challengerBond / 2n);
    assert.equal(await creditOf(await memberGame.read.BURN_SINK()), challengerBond / 2n);
  });

  it("a member that signed another digest than it can open, or says nothing, is convicted; once in a draw", async () => {
    const run = runOf(honest);
    const other: ClaimedRun = {
      ...run,
      witnesses: async (i) => (await run.witnesses(i)).map((): `0x${string}` => `0x${"ab".repeat(32)}`),
    };
    const all = await attested(run, (position) => (position === 3 ? other : run));
    await scene.reveal(all.drawn, all.leaves, run);
    const { id } = await scene.accuse(3, 0, challenger.account);
    const second = await scene.accuse(3, 1, friend.account);
    const copy = await scene.accuse(3, 0, friend.account);
    assert.equal(await memberGame.read.openOf([all.drawn.members[3]!]), 3n);
    const { round } = await scene.disputeOf(copy.id);
    const signed = scene.siblingsOf(all.drawn, all.leaves, 3, 0);
    // It opens no other witnesses than those whose digest it signed.
    await assert.rejects(
      scene.play(
        id,
        { own: run, account: challenger.account },
        { run, account: all.seats[3]!.account, signed },
      ),
      /WrongDigest/,
    );
    assert.equal(round.interval, BigInt(intervalsOf(all.drawn, 3)[0]!));
    await scene.timeOut(id);
    const [before] = await locks([all.seats[3]!]);
    await memberGame.write.punish([id]);
    assert.equal(before! - (await locks([all.seats[3]!]))[0]!, lieSlash);
    for (const each of [second.id, copy.id]) {
      await memberGame.write.settle([each]);
      await revertWithCustomError(memberGame.write.settle([each]), memberGame, "NotOpen");
    }
    assert.equal(
      await creditOf(friend.account.address),
      2n * challengerBond,
      "the bonds of the others are back",
    );
    await revertWithCustomError(scene.accuse(3, 0, friend.account), committee, "NotAccusable");
    assert.equal((await committee.read.drawOf([1n, 1n])).accusations, 0);
  });

  it("INV-3: a member is slashed once however often it is convicted before, and every accuser has its bond back", async () => {
    const all = await attested(runOf(honest));
    const seat = all.seats[3]!;
    const none = { accuser: zeroAddress, bond: 0n, time: 0, others: 0, stage: 0, isDue: false, jobId: 0 };
    const nobody = { attempt: 0, position: 0, member: 0, window: 0, grace: 0, extension: 0, round: zeroHash };
    const made = [
      await scene.accuse(3, 0, challenger.account),
      await scene.accuse(3, 1, friend.account),
      await scene.accuse(3, 0, friend.account),
    ].map(({ id }) => id);
    assert.equal(await memberGame.read.accusationCount(), 3n);
    assert.deepEqual(await memberGame.read.accusationOf([made[2]! + 1n]), { ...none, ...nobody });
    const { dispute } = await jobs.read.parametersOf([1n]);
    const { time, round, ...said } = await memberGame.read.accusationOf([made[1]!]);
    assert.deepEqual(said, {
      ...{
        accuser: getAddress(friend.account.address),
        bond: challengerBond,
        others: 1,
        stage: 20,
        isDue: false,
      },
      ...{ jobId: 1, attempt: 1, position: 3, member: Number(all.drawn.members[3]!), window: moveWindow },
      ...{ grace: dispute.grace, extension: dispute.extension },
    });
    assert.notEqual(round, zeroHash);
    for (const id of made) await scene.timeOut(id);
    assert.ok((await memberGame.read.accusationOf([made[0]!])).time > time);
    // All three are convictions: as long as none is punished, the members stay on duty, and nobody has anything back.
    assert.equal(await memberGame.read.openOf([all.drawn.members[3]!]), 0n);
    assert.equal((await committee.read.drawOf([1n, 1n])).accusations, 3);
    assert.equal(await committee.read.isLiar([1n, 1n, 3n]), false);
    assert.equal(await creditOf(challenger.account.address), 0n);
    const [before] = await locks([seat]);
    const credit = await staking.read.creditOf([challenger.account.address]);
    for (const id of made) {
      await revertWithCustomError(memberGame.write.settle([id]), memberGame, "NotOpen");
      await memberGame.write.punish([id]);
      await revertWithCustomError(memberGame.write.punish([id]), memberGame, "NothingDue");
    }
    assert.equal(before! - (await locks([seat]))[0]!, lieSlash);
    assert.equal(await committee.read.isLiar([1n, 1n, 3n]), true);
    assert.equal((await committee.read.drawOf([1n, 1n])).accusations, 0);
    assert.equal(await creditOf(challenger.account.address), challengerBond);
    assert.equal(await creditOf(friend.account.address), 2n * challengerBond);
    assert.equal(await staking.read.creditOf([friend.account.address]), 0n, "the first one has the reward");
    assert.ok((await staking.read.creditOf([challenger.account.address])) > credit);
    assert.equal((await memberGame.read.accusationOf([made[0]!])).round, zeroHash);
  });

  it("C3: a friend that accuses first and falls silent keeps nobody else from accusing", async () => {
    const run = runOf(liar);
    const all = await attested(run);
    const { position, number } = guiltyOf(all)[0]!;
    const first = await scene.accuse(position, number, friend.account);
    const member = memberOf(all, run, position, number);
    await scene
      .play(first.id, { own: runOf(honest), account: friend.account }, member, {
        pick: async (_, stage) =>
          stage === "Step" ? Promise.reject(new Error("the friend is silent")) : undefined,
      })
      .catch((error: Error) => assert.match(error.message, /the friend is silent/));
    const second = await scene.accuse(position, number, challenger.account);
    await scene.timeOut(first.id);
    assert.equal(await creditOf(all.seats[position]!.account.address), challengerBond / 2n);
    const accuser = { own: runOf(honest), account: challenger.account };
    assert.equal((await scene.play(second.id, accuser, member)).ending, "convicted");
  });

  it("INV-3, attack 24: stake is bound as long as what was signed can be accused, and while an accusation is open", async () => {
    const run = runOf(honest);
    const all = await attested(run);
    await scene.reveal(all.drawn, all.leaves, run);
    const id = all.drawn.members[0]!;
    const { account } = all.seats[0]!;
    await validators.write.resign({ account });
    const { revealedAt } = await committee.read.drawOf([1n, 1n]);
    const until = revealedAt + accusableFor;
    await networkHelpers.time.increaseTo(until - 1);
    await revertWithCustomError(committee.write.dismiss([1n, 1n]), committee, "NotOver");
    // The last second.
    const accused = await scene.accuse(0, 0, challenger.account);
    await networkHelpers.time.increaseTo(until + 30 * day);
    await revertWithCustomError(scene.accuse(0, 1, challenger.account), committee, "TooLate");
    await revertWithCustomError(committee.write.dismiss([1n, 1n]), committee, "NotOver");
    await revertWithCustomError(validators.write.release([id]), validators, "StillBound");
    await scene.timeOut(accused.id);
    await memberGame.write.punish([accused.id]);
    await committee.write.dismiss([1n, 1n]);
    const { exitAt } = await validators.read.validatorOf([id]);
    await networkHelpers.time.increaseTo(exitAt + 1);
    await validators.write.release([id]);
  });

  it("each accusation of a validator that is open gives it more time, and a late move counts within the grace", async () => {
    const run = runOf(honest);
    const all = await attested(run);
    const first = await scene.accuse(0, 0, challenger.account);
    const at = await networkHelpers.time.latest();
    const { dispute } = await jobs.read.parametersOf([1n]);
    assert.equal(await memberGame.read.deadlineOf([first.id]), BigInt(at + moveWindow));
    const second = await scene.accuse(0, 1, challenger.account);
    const later = (await networkHelpers.time.latest()) + moveWindow + dispute.extension;
    assert.equal(await memberGame.read.deadlineOf([second.id]), BigInt(later));
    await networkHelpers.time.increaseTo(at + moveWindow - 1);
    await revertWithCustomError(memberGame.write.callTimeout([first.id]), memberGame, "TooEarly");
    await revertWithCustomError(memberGame.write.executeTimeout([first.id]), memberGame, "TooEarly");
    await networkHelpers.time.increaseTo(at + moveWindow + 1);
    await memberGame.write.callTimeout([first.id]);
    const graceEnds = (await networkHelpers.time.latest()) + dispute.grace;
    assert.equal(await memberGame.read.deadlineOf([first.id]), BigInt(graceEnds), "the end of the grace");
    await revertWithCustomError(memberGame.write.callTimeout([first.id]), memberGame, "TimeoutAlreadyCalled");
    await networkHelpers.time.increase(dispute.grace - 5);
    await viem.assertions.revertWithCustomErrorWithArgs(
      memberGame.write.executeTimeout([first.id]),
      memberGame,
      "TooEarly",
      [first.id, BigInt(graceEnds + 1)],
    );
    const accuser = { own: run, account: challenger.account };
    assert.equal((await scene.play(first.id, accuser, memberOf(all, run, 0, 0))).ending, "stuck");
    await revertWithCustomError(memberGame.write.settle([first.id]), memberGame, "NotOver");
  });

  it("is not accused in a job whose program is void", async () => {
    const descriptor = "0x1234";
    const program = new BinaryTree(
      hexToBytes(concatHex(([descriptor, "0x01", "0x02"] as Hex[]).map(leafOf))),
    );
    const locked = await createLockedJob({
      order: { ...jobWith(zeroHash).order, programRoot: bytesToHex(program.root) },
      nodeCounts: [1, 1, 1],
      witnessNode: 0,
      slots: job.program.state.length,
    });
    const members = await locked.viem.getContractAt("MemberGame", locked.memberGame.address);
    await members.write.showVoid([1n, 0n, 0n, descriptor, program.proof(0).map((each) => bytesToHex(each))]);
    assert.equal(await members.read.isVoid([1n]), true);
    const accused = members.write.accuse([1n, 1n, 0n, 0n], { value: challengerBond });
    await locked.viem.assertions.revertWithCustomError(accused, members, "VoidJob");
  });

  it("attack: takes no move on a round that is not the one that was left, nor with a claimant of one's own", async () => {
    const run = runOf(honest);
    const all = await attested(run);
    const { id } = await scene.accuse(4, 1, challenger.account);
    const { id: other } = await scene.accuse(3, 0, challenger.account);
    const { round } = await scene.disputeOf(id);
    const { account, signed } = memberOf(all, run, 4, 1);
    const move = (await nextMove({ role: "provider", run, signed }, round))!;
    const play = (accusation: bigint, on: Round, by = account) =>
      memberGame.write.play([accusation, books[move.book], encodeMove(on, move)], { account: by });
    const forged = { ...round, claim: { ...round.claim, provider: friend.account.address } };
    for (const call of [
      play(other, round),
      play(id, forged, friend.account),
      play(id, { ...round, interval: round.interval ^ 1n }),
      memberGame.write.play([id, books[move.book], "0x01020304"], { account }),
    ]) {
      await revertWithCustomError(call, memberGame, "WrongRound");
    }
    await play(id, round);
    await revertWithCustomError(play(id, round), memberGame, "WrongRound");
  });

  it("takes the bond alone, from members that have signed alone, and moves from those whose turn it is", async () => {
    const run = runOf(honest);
    await scene.commit(run);
    const drawn = await scene.draw();
    await revertWithCustomError(scene.accuse(0, 0, challenger.account), committee, "NotAccusable");
    const own = Array.from({ length: 5 }, () => run);
    const leaves = await scene.leavesOf(drawn, own);
    await scene.attest(drawn, leaves);
    await revertWithCustomError(scene.accuse(7, 0, challenger.account), committee, "NotAccusable");
    await revertWithCustomError(scene.accuse(64, 0, challenger.account), committee, "NotAccusable");
    await revertWithCustomError(scene.accuse(0, 2, challenger.account), committee, "NoFault");
    await revertWithCustomError(scene.accuse(0, 0, challenger.account, 1n), memberGame, "WrongBond");
    const { id } = await scene.accuse(4, 1, challenger.account);
    const seats = Array.from({ length: size }, (_, position) => scene.seatAt(drawn, position));
    const all = { drawn, leaves, seats };
    const member = { ...memberOf(all, run, 4, 1), account: friend.account };
    const accuser = { own: run, account: challenger.account };
    await assert.rejects(scene.play(id, accuser, member), /NotYourTurn/);
    const { dispute } = await jobs.read.parametersOf([1n]);
    assert.equal(dispute.challengerBond, challengerBond);
    for (const call of [
      committee.write.onAccused([1n, 1n, 0n, 0n], { account: friend.account }),
      committee.write.onEnded([1n, 1n, 0n, true], { account: friend.account }),
      committee.write.punishLiar([1n, 1n, 0n, friend.account.address], { account: friend.account }),
    ]) {
      await revertWithCustomError(call, committee, "AccessManagedUnauthorized");
    }
    const balance = await publicClient.getBalance({ address: memberGame.address });
    assert.equal(balance, challengerBond, "INV-1");
  });
});
