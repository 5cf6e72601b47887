import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Hex, toHex } from "viem";
import { buildDataset } from "../storage/reference.ts";
import {
  createLockedJob,
  deposit,
  sampleLeaves as leaves,
  price,
  providerBond,
  sampleJob,
  stake,
} from "./locked-job.ts";

const hour = 3_600;
const day = 24 * hour;
/** Seconds to publish a cell, and of grace (ignition/modules/Storage.ts). */
const [window, grace] = [6 * hour, hour];
/** Seconds to store a result again (ignition/modules/Jobs.ts). */
const repairGrace = 6 * day;
const statuses = { finalised: 6, failed: 9 };
const shape = { objectCount: 4n, objectSize: 2_000, segmentObjects: 4, k: 2, n: 3, encrypted: false };

/** A job whose result is one segment of three bundles, two of which it takes to read it. */
async function createJob(instalments = 0) {
  const result = buildDataset(shape, 6n);
  const job = await createLockedJob({ ...sampleJob, result, instalments });
  const { retrieval, consumer, networkHelpers } = job;
  const bond = await retrieval.read.bond();
  let asked = 0n;
  /** The consumer asks for a cell of a bundle; gives the number of the challenge. */
  const ask = async (bundleIndex: number, cell = 0) => {
    const proof = result.bundlesTree.proof(bundleIndex);
    const bundleId = job.bundleId(job.resultId, bundleIndex);
    await retrieval.write.challenge([bundleId, cell, result.transport[bundleIndex]!.root, proof], {
      account: consumer.account,
      value: bond,
    });
    return ++asked;
  };
  /** The consumer asks the result's owner for a cell of a bundle that no holder owes; gives the number of the challenge. */
  const askOwner = async (bundleIndex: number, cell = 0, value = bond) => {
    const proof = result.bundlesTree.proof(bundleIndex);
    const poseidonRoot = result.poseidonRoots[bundleIndex]!;
    const args = [
      job.resultId,
      bundleIndex,
      cell,
      poseidonRoot,
      result.transport[bundleIndex]!.root,
      proof,
    ] as const;
    await retrieval.write.challengeOwner([...args], { account: consumer.account, value });
    return ++asked;
  };
  const publish = async (challengeId: bigint, bundleIndex: number, cell = 0) => {
    const bytes = toHex(result.cells[bundleIndex]![cell]!);
    const proof = result.transport[bundleIndex]!.proof(cell);
    // An estimate sees a base fee of 0, at which nothing is written for the operator.
    await retrieval.write.publish([challengeId, bytes, proof], { gas: 300_000n });
  };
  /** Lets window and grace of challenges go by that nobody answers. */
  const wait = async (challengeIds: readonly bigint[]) => {
    await networkHelpers.time.increase(window + 1);
    for (const id of challengeIds) await retrieval.write.callTimeout([id]);
    await networkHelpers.time.increase(grace + 1);
  };
  /** Commits to another result: to the whole trace, or to the first checkpoint where the price is paid in instalments. */
  const commitAs = (resultId: Hex) =>
    instalments === 0
      ? job.jobs.write.commit([1n, { ...job.commitmentTo(leaves), resultId }])
      : job.instalments.write.post([1n, 1n, { ...job.commitmentTo(leaves.slice(0, 2)), resultId }], {
          value: providerBond,
        });
  /** Lets the time go by in which what was published can be held against the provider. */
  const release = async (...challengeIds: bigint[]) => {
    await networkHelpers.time.increase(window + 1);
    await retrieval.write.release([challengeIds]);
  };
  return { ...job, ask, askOwner, publish, release, wait, commitAs };
}

type Job = Awaited<ReturnType<typeof createJob>>;

/** Until the timeout of the time to challenge has been called; gives the last second of its grace. */
async function callTimeout({ jobs, networkHelpers }: Job) {
  await networkHelpers.time.increaseTo(BigInt((await jobs.read.jobOf([1n])).challengeUntil) + 1n);
  await jobs.write.callTimeout([1n]);
  return BigInt((await jobs.read.jobOf([1n])).graceEnds);
}

const statusOf = async ({ jobs }: Job) => (await jobs.read.jobOf([1n])).status;

describe("a result that is held and not served", () => {
  for (const instalments of [0, 3]) {
    const what = instalments === 0 ? "the whole" : "a checkpoint";
    it(`attack: is not committed to as ${what} when its holders agreed to epochs that are over`, async () => {
      const job = await createJob(instalments);
      const { bundles, datasets, retrieval, operators } = job;
      const other = buildDataset(shape, 9n);
      const { id: resultId } = await job.anchor(other, 1, "a result for one epoch");
      const receipts = await Promise.all(
        other.bundles.map((_, i) => job.sign(other, resultId, i, operators[2 + i]!)),
      );
      await bundles.write.place([receipts]);
      // Epochs that are added bind no holder, and count as paid.
      await datasets.write.addEpochs([resultId, 30]);
      for (let epoch = 0; epoch < 2; epoch++) await job.nextEpoch();
      const [isRetrievable] = await datasets.read.availabilityOf([resultId]);
      assert.ok(isRetrievable, "it counts as held");
      const proof = other.bundlesTree.proof(0);
      const asked = [job.bundleId(resultId, 0), 0, other.transport[0]!.root, proof] as const;
      const bond = await retrieval.read.bond();
      await assert.rejects(retrieval.write.challenge([...asked], { value: bond }), /NothingOwed/);
      await assert.rejects(job.commitAs(resultId), /ResultNotStored/);
    });
  }

  it("attack: is not paid for while cells of it are asked for, whoever takes its bundles over, and fails", async () => {
    const job = await createJob();
    const { jobs, shortfalls, retrieval, escrow, networkHelpers, spare, consumer, provider } = job;
    await job.commit(leaves);
    // All holders are the provider's: they answer audits, and give the consumer nothing.
    const first = [await job.ask(0), await job.ask(1), await job.ask(2)] as const;
    await job.wait(first);
    for (const id of first.slice(0, 2)) await retrieval.write.slashFailed([id]);
    await shortfalls.write.call([1n, 0n], { account: consumer.account });
    await job.hold(0, spare[0]!);
    assert.equal(await shortfalls.read.graceUntil([1n, 0n]), 0n);
    await networkHelpers.time.increaseTo((await callTimeout(job)) + 1n);
    // Enough bundles are held, the latest for more than a day, but one of them is still asked for.
    await assert.rejects(jobs.write.finalise([1n]), /ResultAskedFor/);
    await retrieval.write.slashFailed([first[2]]);
    await assert.rejects(jobs.write.finalise([1n]), /ResultNotStored/);
    await job.hold(1, spare[1]!);
    // Whoever took it over can be asked before anything is paid.
    await assert.rejects(jobs.write.finalise([1n]), /ResultJustPlaced/);
    const second = [await job.ask(0), await job.ask(1)];
    await job.wait(second);
    await assert.rejects(jobs.write.finalise([1n]), /ResultAskedFor/);
    for (const id of second) await retrieval.write.slashFailed([id]);
    await shortfalls.write.call([1n, 0n], { account: consumer.account });
    await job.nextEpoch();
    await networkHelpers.time.increase(repairGrace + 1);
    await shortfalls.write.fail([1n, 0n], { account: consumer.account });
    assert.equal(await statusOf(job), statuses.failed);
    await jobs.write.settle([1n]);
    assert.equal(await escrow.read.creditOf([consumer.account.address]), deposit);
    assert.equal(await escrow.read.creditOf([provider.account.address]), 0n);
    assert.equal((await job.staking.read.operatorOf([provider.account.address])).stake, stake);
  });

  it("attack: is paid for once the cells are published, however often its consumer asks afterwards", async () => {
    const job = await createJob();
    const { jobs, retrieval, escrow, networkHelpers, provider } = job;
    await job.commit(leaves);
    const graceEnds = await callTimeout(job);
    await networkHelpers.time.increaseTo(graceEnds - 1n);
    const last = await job.ask(0);
    assert.equal((await retrieval.read.challengeOf([last])).madeAt, Number(graceEnds));
    await assert.rejects(jobs.write.finalise([1n]), /ResultAskedFor/);
    await job.ask(1);
    await assert.rejects(jobs.write.finalise([1n]), /ResultAskedFor/);
    await job.publish(last, 0);
    await job.publish(last + 1n, 1);
    const later = await job.ask(0, 1);
    await assert.rejects(jobs.write.finalise([1n]), /ResultAskedFor/);
    await assert.rejects(retrieval.write.release([[later]]), /NotPublished/);
    await job.release(last, last + 1n);
    await jobs.write.finalise([1n]);
    assert.equal(await statusOf(job), statuses.finalised);
    assert.equal(await escrow.read.creditOf([provider.account.address]), price);
    assert.notEqual(await retrieval.read.askedSince([job.resultId]), 0n);
  });

  it("waits for those who can ask who took a bundle over last, and then no longer", async () => {
    const job = await createJob();
    const { jobs, networkHelpers, datasets } = job;
    await job.commit(leaves);
    await job.giveUp(2);
    await networkHelpers.time.increaseTo((await callTimeout(job)) + 1n);
    await job.hold(2, job.spare[0]!);
    const [, , filledAt] = await datasets.read.availabilityOf([job.resultId]);
    const askable = BigInt(filledAt) + BigInt(window + grace);
    await networkHelpers.time.increaseTo(askable - 1n);
    await assert.rejects(jobs.write.finalise([1n]), /ResultJustPlaced/);
    await networkHelpers.time.increaseTo(askable);
    await jobs.write.finalise([1n]);
    assert.equal(await statusOf(job), statuses.finalised);
  });

  it("is not paid for as a checkpoint's either", async () => {
    const job = await createJob(3);
    const { instalments, networkHelpers } = job;
    await job.postCheckpoint(leaves.slice(0, 2));
    const challengeId = await job.ask(0);
    await networkHelpers.time.increase(3 * day + 1);
    await instalments.write.callTimeout([1n, 1n]);
    await networkHelpers.time.increase(hour + 1);
    await assert.rejects(instalments.write.close([1n, 1n]), /ResultAskedFor/);
    await job.publish(challengeId, 0);
    await assert.rejects(instalments.write.close([1n, 1n]), /ResultAskedFor/);
    await job.release(challengeId);
    await instalments.write.close([1n, 1n]);
    const { closed } = await instalments.read.ledgerOf([1n]);
    assert.equal(closed, 2);
  });
});

describe("a result of which some bundles have no holder", () => {
  it("attack: is not paid for while its owner is asked for one of them, and fails when that is not published", async () => {
    const job = await createJob();
    const { jobs, shortfalls, retrieval, escrow, staking, networkHelpers, consumer, provider } = job;
    await job.commit(leaves);
    // Two of three are the shards of some data, whatever they hold.
    await job.giveUp(0);
    const challengeId = await job.askOwner(0);
    const { operator, isOwners, datasetId } = await retrieval.read.challengeOf([challengeId]);
    assert.deepEqual(
      [operator.toLowerCase(), isOwners, datasetId],
      [provider.account.address, true, job.resultId],
    );
    assert.equal(await retrieval.read.openAgainst([provider.account.address]), 0n);
    assert.equal(await retrieval.read.openOf([job.bundleId(job.resultId, 0)]), 0n, "no holder is kept by it");
    await networkHelpers.time.increaseTo((await callTimeout(job)) + 1n);
    await assert.rejects(jobs.write.finalise([1n]), /ResultAskedFor/);
    await assert.rejects(shortfalls.write.failUnanswered([1n, challengeId]), /NotUnanswered/);
    await retrieval.write.callTimeout([challengeId]);
    const { graceEnds } = await retrieval.read.challengeOf([challengeId]);
    await networkHelpers.time.increaseTo(graceEnds - 1n);
    await assert.rejects(shortfalls.write.failUnanswered([1n, challengeId]), /NotUnanswered/);
    await networkHelpers.time.increaseTo(graceEnds);
    // Whoever has asked has the bond back, and nobody closes it.
    await retrieval.write.slashFailed([challengeId]);
    assert.equal(await retrieval.read.creditOf([consumer.account.address]), await retrieval.read.bond());
    await assert.rejects(retrieval.write.slashFailed([challengeId]), /UnknownChallenge/);
    await assert.rejects(job.publish(challengeId, 0), /TooLate/);
    await assert.rejects(retrieval.write.release([[challengeId]]), /NotPublished/);
    await assert.rejects(jobs.write.finalise([1n]), /ResultAskedFor/);
    assert.equal(await retrieval.read.failedAt([job.resultId]), 0n);
    await shortfalls.write.failUnanswered([1n, challengeId], { account: consumer.account });
    assert.equal(await statusOf(job), statuses.failed);
    await jobs.write.settle([1n]);
    assert.equal(await escrow.read.creditOf([consumer.account.address]), deposit);
    assert.equal(await escrow.read.creditOf([provider.account.address]), 0n);
    assert.equal((await staking.read.operatorOf([provider.account.address])).stake, stake);
    await assert.rejects(shortfalls.write.failUnanswered([1n, challengeId]), /NothingOwed/);
  });

  it("attack: is still asked for when somebody has taken the bundle over meanwhile", async () => {
    const job = await createJob();
    const { jobs, shortfalls, retrieval, networkHelpers } = job;
    await job.commit(leaves);
    await job.giveUp(0);
    const challengeId = await job.askOwner(0);
    await job.hold(0, job.spare[0]!);
    await assert.rejects(job.askOwner(0, 1), /OwedByHolder/);
    // Its holder can be asked for the same cell, and can leave again.
    const ofHolder = await job.ask(0);
    await job.publish(ofHolder, 0);
    await job.giveUp(0, job.spare[0]!);
    assert.ok(await retrieval.read.isOpen([challengeId]));
    await networkHelpers.time.increaseTo((await callTimeout(job)) + 1n);
    await networkHelpers.time.increase(day);
    await assert.rejects(jobs.write.finalise([1n]), /ResultAskedFor/);
    await retrieval.write.callTimeout([challengeId]);
    await networkHelpers.time.increase(hour + 1);
    await shortfalls.write.failUnanswered([1n, challengeId]);
    assert.equal(await statusOf(job), statuses.failed);
  });

  it("is paid for once its owner has published what it was asked for, though the bundle has no holder", async () => {
    const job = await createJob();
    const { jobs, escrow, retrieval, networkHelpers, provider } = job;
    await job.commit(leaves);
    await job.giveUp(0);
    const challengeId = await job.askOwner(0);
    await assert.rejects(job.askOwner(0), /AlreadyChallenged/);
    await networkHelpers.time.increaseTo((await callTimeout(job)) + 1n);
    await retrieval.write.callTimeout([challengeId]);
    await job.publish(challengeId, 0);
    assert.ok((await retrieval.read.creditOf([provider.account.address])) > 0n, "the bond pays for its gas");
    await assert.rejects(job.askOwner(0), /AlreadyPublished/);
    // In the transaction of the publication nothing is paid: what it shows can be held against its provider first.
    await assert.rejects(jobs.write.finalise([1n]), /ResultAskedFor/);
    await assert.rejects(retrieval.write.release([[challengeId]]), /TooEarly/);
    await job.release(challengeId);
    await retrieval.write.release([[challengeId]]);
    await jobs.write.finalise([1n]);
    assert.equal(await statusOf(job), statuses.finalised);
    assert.equal(await escrow.read.creditOf([provider.account.address]), price);
    assert.deepEqual(await retrieval.read.questionsOf([job.resultId, 0n, 10n]), []);
  });

  it("attack: is not paid for in the moment in which a holder that was asked is put out: its owner can be asked first", async () => {
    const job = await createJob();
    const { jobs, retrieval, networkHelpers } = job;
    await job.commit(leaves);
    const graceEnds = await callTimeout(job);
    await networkHelpers.time.increaseTo(graceEnds - 1n);
    const ofHolder = await job.ask(0);
    await job.wait([ofHolder]);
    await assert.rejects(jobs.write.finalise([1n]), /ResultAskedFor/);
    await retrieval.write.slashFailed([ofHolder]);
    const failedAt = await retrieval.read.failedAt([job.resultId]);
    assert.equal(failedAt, BigInt(await networkHelpers.time.latest()));
    await assert.rejects(jobs.write.finalise([1n]), /ResultJustPlaced/);
    await networkHelpers.time.increaseTo(failedAt + BigInt(window + grace) - 1n);
    const challengeId = await job.askOwner(0);
    await networkHelpers.time.increase(day);
    await assert.rejects(jobs.write.finalise([1n]), /ResultAskedFor/);
    await job.publish(challengeId, 0);
    await job.release(challengeId);
    await jobs.write.finalise([1n]);
    assert.equal(await statusOf(job), statuses.finalised);
  });

  it("attack: is not failed by a question to a holder, to the owner of something else, or that is answered", async () => {
    const job = await createJob();
    const { shortfalls, retrieval, networkHelpers } = job;
    await job.commit(leaves);
    const ofHolder = await job.ask(1);
    // The consumer anchors what nobody holds, and asks itself.
    const other = buildDataset(shape, 9n);
    const { id: otherId } = await job.anchor(other, 9, "nobody's");
    const roots = [other.poseidonRoots[0]!, other.transport[0]!.root] as const;
    const args = [otherId, 0, 0, ...roots, other.bundlesTree.proof(0)] as const;
    const value = await retrieval.read.bond();
    // Nobody is asked for what cannot be retrieved: it is neither committed to nor paid.
    await assert.rejects(retrieval.write.challengeOwner([...args], { value }), /NothingOwed/);
    const receipts = [1, 2].map((i) => job.sign(other, otherId, i, job.operators[2 + i]!));
    await job.bundles.write.place([await Promise.all(receipts)]);
    await retrieval.write.challengeOwner([...args], { value });
    await job.wait([ofHolder, 2n]);
    for (const id of [ofHolder, 2n, 3n]) {
      await assert.rejects(shortfalls.write.failUnanswered([1n, id]), /NotUnanswered/);
    }
    await job.giveUp(2);
    const answered = await job.askOwner(2);
    await job.publish(answered + 1n, 2);
    await networkHelpers.time.increase(day);
    await assert.rejects(shortfalls.write.failUnanswered([1n, answered + 1n]), /NotUnanswered/);
    assert.equal(await statusOf(job), 4);
  });

  it("asks its owner only while epochs are paid, for what is anchored, with the bond", async () => {
    const job = await createJob();
    const { retrieval, datasets, networkHelpers, consumer, resultId } = job;
    await job.commit(leaves);
    await assert.rejects(job.askOwner(1), /OwedByHolder/);
    await job.giveUp(1);
    const bond = await retrieval.read.bond();
    await assert.rejects(job.askOwner(1, 0, bond - 1n), /WrongBond/);
    await assert.rejects(job.askOwner(1, 1_000), /UnknownCell/);
    const other = buildDataset(shape, 9n);
    const [root, proof] = [other.transport[1]!.root, other.bundlesTree.proof(1)];
    const wrong = [resultId, 1, 0, other.poseidonRoots[1]!, root, proof] as const;
    await assert.rejects(retrieval.write.challengeOwner([...wrong], { value: bond }), /NotAnchored/);
    const challengeId = await job.askOwner(1);
    while ((await datasets.read.currentEpoch()) < (await datasets.read.datasetOf([resultId])).endEpoch) {
      await job.nextEpoch();
    }
    await assert.rejects(job.askOwner(1, 1), /NothingOwed/);
    await assert.rejects(retrieval.write.slashFailed([challengeId]), /NoTimeout/);
    await networkHelpers.time.increase(11 * day);
    assert.ok(await datasets.read.isOver([resultId]));
    // The bond comes back when nobody need publish it any more.
    await retrieval.write.slashFailed([challengeId]);
    assert.equal(await retrieval.read.creditOf([consumer.account.address]), bond);
    assert.equal(await retrieval.read.failedAt([resultId]), 0n);
  });

  it("is not paid for as a checkpoint's while its owner is asked, and fails the job", async () => {
    const job = await createJob(3);
    const { instalments, shortfalls, retrieval, networkHelpers } = job;
    await job.postCheckpoint(leaves.slice(0, 2));
    await job.giveUp(2);
    const challengeId = await job.askOwner(2);
    await networkHelpers.time.increase(3 * day + 1);
    await instalments.write.callTimeout([1n, 1n]);
    await retrieval.write.callTimeout([challengeId]);
    await networkHelpers.time.increase(hour + 1);
    await assert.rejects(instalments.write.close([1n, 1n]), /ResultAskedFor/);
    const claimId = await instalments.read.claimIdOf([1n, 1n]);
    await shortfalls.write.failUnanswered([claimId, challengeId]);
    assert.equal(await statusOf(job), statuses.failed);
  });
});

describe("questions to the owner of a result", () => {
  it("have more time the more of them are open about the same dataset, and about no other", async () => {
    const job = await createJob();
    const { retrieval, networkHelpers } = job;
    await job.commit(leaves);
    await job.giveUp(0);
    const deadlineOf = async (id: bigint) => Number((await retrieval.read.challengeOf([id])).deadline);
    const madeAt = async (id: bigint) => (await retrieval.read.challengeOf([id])).madeAt;
    const [first, second, third] = [
      await job.askOwner(0, 0),
      await job.askOwner(0, 1),
      await job.askOwner(0, 2),
    ];
    assert.equal((await deadlineOf(first)) - (await madeAt(first)), window);
    assert.equal((await deadlineOf(second)) - (await madeAt(second)), window + 60);
    assert.equal((await deadlineOf(third)) - (await madeAt(third)), window + 120);
    const ofHolder = await job.ask(1);
    assert.equal((await deadlineOf(ofHolder)) - (await madeAt(ofHolder)), window, "holders are asked apart");
    assert.deepEqual(await retrieval.read.questionsOf([job.resultId, 0n, 2n]), [first, second]);
    assert.deepEqual(await retrieval.read.questionsOf([job.resultId, second, 9n]), [third, ofHolder]);
    await job.publish(second, 0, 1);
    const fourth = await job.askOwner(0, 3);
    assert.equal((await deadlineOf(fourth)) - (await madeAt(fourth)), window + 120);
    await networkHelpers.time.increase(window + 1);
    // What was published is passed over where it is released already; what is open stays.
    await retrieval.write.release([[second]]);
    await retrieval.write.release([[second]]);
    assert.deepEqual(await retrieval.read.questionsOf([job.resultId, 0n, 9n]), [
      first,
      third,
      ofHolder,
      fourth,
    ]);
  });
});
