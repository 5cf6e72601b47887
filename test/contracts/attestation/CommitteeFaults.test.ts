import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Hex, keccak256, toHex } from "viem";
import { keyOf, sign, signatureDomain } from "../../../keepers/src/core/attestation/bls.ts";
import {
  type DrawnCommittee,
  type SignedLeaf,
  statementTree,
} from "../../../keepers/src/core/attestation/statement.ts";
import { checks, createWorld, exitDelay, fee, reserveFor, terms } from "./world.ts";

const lie = keccak256("0x11e0");

describe("faults of members", async () => {
  const world = await createWorld();
  const { viem, committee, registry, fees, validators, staking, networkHelpers, stranger } = world;
  const { revertWithCustomError } = viem.assertions;
  let jobs = 0n;
  const all = [0, 1, 2, 3, 4, 5];

  /** A job up to the reveal, with the digests of `lies` ("position/number") replaced. */
  const revealed = async (lies: Record<string, Hex> = {}, positions = all) => {
    const jobId = ++jobs;
    await world.commit(jobId);
    const drawn = await world.draw(jobId);
    const leaves = world.leavesOf(drawn, positions, lies);
    await world.attest(jobId, drawn, leaves);
    const differences = leaves.flatMap(({ position, digest }, i) => {
      const number = i % checks;
      return lies[`${position}/${number}`] === undefined ? [] : [{ leaf: BigInt(i), digest }];
    });
    await committee.write.reveal([jobId, world.hashesOf(leaves), differences]);
    return { jobId, drawn, leaves };
  };
  const proofOf = (drawn: DrawnCommittee, leaves: SignedLeaf[], leaf: number) =>
    statementTree(drawn, leaves)
      .proof(leaf)
      .map((each) => toHex(each));
  const lockAt = (drawn: DrawnCommittee, position: number) => world.lockOf(drawn.members[position]!);
  const noFault = (call: Promise<unknown>) => revertWithCustomError(call, committee, "NoFault");

  it("INV-2: a digest that differs from what was opened earns nothing, and costs nothing by itself", async () => {
    const { jobId, drawn } = await revealed({ "2/1": lie });
    assert.equal(await committee.read.verdictOf([jobId]), 1, "five others agree");
    const paid = (position: number) => fees.read.paid([jobId, world.memberAt(drawn, position).address]);
    assert.deepEqual([await paid(2), await paid(1)], [0n, BigInt(checks) * fee]);
    const before = await lockAt(drawn, 2);
    await registry.write.close([jobId]);
    await noFault(committee.write.slashSilent([jobId, 1n, 2n]));
    assert.equal(await lockAt(drawn, 2), before);
    assert.equal(await committee.read.isLiar([jobId, 1n, 2n]), false);
  });

  it("too few that agree attest nothing; the members of both draws stay accountable for what they signed", async () => {
    const { jobId, drawn } = await revealed({ "0/0": lie, "1/1": lie });
    assert.equal(drawn.attempt, 1n);
    assert.equal((await committee.read.jobOf([jobId])).attempt, 2);
    assert.equal((await registry.read.told([jobId]))[3], 0);
    assert.equal(await fees.read.purse([jobId]), BigInt(9 * checks) * fee + reserveFor(9));
    const again = await world.draw(jobId);
    const leaves = world.leavesOf(again, all);
    await world.attest(jobId, again, leaves);
    await committee.write.reveal([jobId, world.hashesOf(leaves), []]);
    assert.equal(await committee.read.verdictOf([jobId]), 1);
    // What was signed in either draw can still be accused.
    await revertWithCustomError(committee.write.dismiss([jobId, 1n]), committee, "NotOver");
    await networkHelpers.time.increase(terms.accusableFor + 1);
    await committee.write.dismiss([jobId, 1n]);
    await committee.write.dismiss([jobId, 2n]);
    await revertWithCustomError(committee.write.dismiss([jobId, 2n]), committee, "NotOver");
  });

  it("attack 11: the verdict is not Silent before what the last reveal showed could be disputed", async () => {
    const jobId = ++jobs;
    await world.commit(jobId);
    for (let attempt = 1; attempt <= 3; attempt++) {
      const drawn = await world.draw(jobId);
      const leaves = world.leavesOf(drawn, all, { "0/0": lie, "1/0": lie });
      await world.attest(jobId, drawn, leaves);
      const differences = [0, checks].map((leaf) => ({ leaf: BigInt(leaf), digest: lie }));
      await committee.write.reveal([jobId, world.hashesOf(leaves), differences]);
    }
    const { phase, deadline } = await committee.read.jobOf([jobId]);
    assert.deepEqual([phase, deadline], [6, (await networkHelpers.time.latest()) + terms.disputeTime]);
    await networkHelpers.time.increaseTo(deadline);
    assert.equal(await committee.read.verdictOf([jobId]), 0);
    await networkHelpers.time.increaseTo(deadline + 1);
    assert.equal(await committee.read.verdictOf([jobId]), 2);
  });

  it("nobody is accused of what it did not sign", async () => {
    const { jobId } = await revealed();
    const accuse = (position: bigint) => committee.write.onAccused([jobId, 1n, position, 0n]);
    await revertWithCustomError(accuse(BigInt(all.length)), committee, "NotAccusable");
    await revertWithCustomError(accuse(64n), committee, "NotAccusable");
  });

  it("attack 26: equivocation is slashed, by any two signed roots with two digests of one interval", async () => {
    const { jobId, drawn, leaves } = await revealed();
    const other = world.leavesOf(drawn, [1, 3, 4], { "3/1": lie });
    const sworn = (which: SignedLeaf[], signers: number[], leaf: number) => ({
      statement: world.statementOf(drawn, which, signers),
      digest: which[leaf]!.digest,
      siblings: proofOf(drawn, which, leaf),
    });
    const one = sworn(leaves, all, 3 * checks + 1);
    const two = sworn(other, [3], checks + 1);
    const accuse = (a: typeof one, b: typeof one, position = 3n, number = 1n) =>
      committee.write.slashEquivocation([jobId, 1n, position, number, a, b], { account: stranger.account });
    // Signing again with the same digests, because others dropped out, is none.
    const again = world.leavesOf(drawn, [1, 3, 4]);
    await noFault(accuse(one, sworn(again, [3], checks + 1)));
    // Neither is what somebody else signed, or what stands in another place.
    const theirs = sworn(other, [3], 2 * checks + 1);
    await noFault(accuse(sworn(leaves, all, 4 * checks + 1), { ...theirs, digest: lie }, 4n));
    await revertWithCustomError(accuse(one, two, 1n), committee, "WrongReveal");
    await revertWithCustomError(accuse(one, two, 3n, 0n), committee, "WrongReveal");
    const forged = { ...two, statement: { ...two.statement, signature: one.statement.signature } };
    await revertWithCustomError(accuse(one, forged), committee, "WrongSignature");
    const stranger_ = keyOf(99n);
    const message = {
      ...two.statement,
      key: stranger_.g2,
      signature: sign(99n, signatureDomain, new Uint8Array(32)),
    };
    await revertWithCustomError(accuse(one, { ...two, statement: message }), committee, "WrongSignature");
    const before = await lockAt(drawn, 3);
    await viem.assertions.emit(accuse(one, two), committee, "MemberSlashed");
    assert.equal(before - (await lockAt(drawn, 3)), terms.lieSlash);
    await noFault(accuse(one, two));
  });

  it("attack 24: who leaves is bound until nothing that it signed can be accused, and for the exit delay more", async () => {
    const jobId = ++jobs;
    await world.commit(jobId);
    const drawn = await world.draw(jobId);
    const id = drawn.members[2]!;
    await validators.write.resign({ account: world.memberAt(drawn, 2).account });
    const { exitAt: first } = await validators.read.validatorOf([id]);
    const leaves = world.leavesOf(drawn, all);
    await world.attest(jobId, drawn, leaves);
    await committee.write.reveal([jobId, world.hashesOf(leaves), []]);
    const { revealedAt } = await committee.read.drawOf([jobId, 1n]);
    const until = revealedAt + terms.accusableFor;
    assert.ok(first < until);
    await networkHelpers.time.increaseTo(until - 1);
    await revertWithCustomError(committee.write.dismiss([jobId, 1n]), committee, "NotOver");
    await revertWithCustomError(validators.write.release([id]), validators, "StillBound");
    await networkHelpers.time.increaseTo(until + 1);
    await viem.assertions.emit(committee.write.dismiss([jobId, 1n]), validators, "ExitDelayed");
    const { exitAt } = await validators.read.validatorOf([id]);
    assert.equal(exitAt, (await networkHelpers.time.latest()) + exitDelay);
    await revertWithCustomError(validators.write.release([id]), validators, "StillBound");
  });

  it("attack 24: stake that leaves is in reach of a slash until its exit delay is over", async () => {
    const jobId = ++jobs;
    await world.commit(jobId);
    const drawn = await world.draw(jobId);
    const { account, address } = world.memberAt(drawn, 0);
    const id = drawn.members[0]!;
    await validators.write.resign({ account });
    await world.timeOut(jobId);
    await committee.write.executeTimeout([jobId]);
    await registry.write.close([jobId]);
    await networkHelpers.time.increase(terms.accusableFor + 1);
    for (let each = 1n; each <= jobs; each++) {
      await registry.write.close([each]);
      for (const attempt of [1n, 2n, 3n])
        await committee.write.dismiss([each, attempt]).catch(() => undefined);
    }
    const { exitAt, duties } = await validators.read.validatorOf([id]);
    assert.equal(duties, 0);
    await networkHelpers.time.increaseTo(exitAt - 10);
    await revertWithCustomError(validators.write.release([id]), validators, "StillBound");
    const { stake, locked } = await staking.read.operatorOf([address]);
    await revertWithCustomError(
      staking.write.unbond([stake - locked + 1n], { account }),
      staking,
      "InsufficientUnlocked",
    );
    await committee.write.slashSilent([jobId, 1n, 0n]);
    const left = await staking.read.operatorOf([address]);
    assert.equal(locked - left.locked, terms.silentSlash);
    await networkHelpers.time.increaseTo(exitAt + 1);
    await validators.write.release([id]);
  });

  it("INV-1: a slash lowers the weight from the next rotation on", async () => {
    const drawn = await (async () => {
      const jobId = ++jobs;
      await world.commit(jobId);
      return world.draw(jobId);
    })();
    await world.timeOut(drawn.jobId);
    await committee.write.executeTimeout([drawn.jobId]);
    const id = drawn.members[1]!;
    const before = await validators.read.validatorOf([id]);
    const now = await validators.read.rotation();
    const total = await validators.read.totalWeight([now]);
    await committee.write.slashSilent([drawn.jobId, 1n, 1n]);
    const after = await validators.read.validatorOf([id]);
    assert.ok(after.weight < before.weight);
    assert.equal(await validators.read.totalWeight([now]), total);
    const later = await validators.read.totalWeight([now + 1]);
    assert.equal(later, total - BigInt(before.weight - after.weight));
  });
});
