import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { getAddress, parseEther, toHex } from "viem";
import { buildDataset } from "../storage/reference.ts";
import { createLockedJob, deposit, sampleLeaves as leaves, price, sampleJob, stake } from "./locked-job.ts";

const hour = 3_600;
const day = 24 * hour;
/** Three epochs, and the time that a seed is waited for. */
const grace = 6 * day;
/** Seconds to ask whoever took a bundle over last. */
const askable = 7 * hour;
const statuses = { committed: 4, finalised: 6, failed: 9 };

/** A job whose result is one segment of three bundles, two of which it takes to read it. */
async function createJob(instalments = 0) {
  return await createLockedJob({ ...sampleJob, instalments });
}

type Job = Awaited<ReturnType<typeof createJob>>;

async function afterChallenges({ jobs, networkHelpers }: Job) {
  await networkHelpers.time.increaseTo(BigInt((await jobs.read.jobOf([1n])).challengeUntil) + 1n);
  await jobs.write.callTimeout([1n]);
  await networkHelpers.time.increase(hour + 1);
}

const statusOf = async ({ jobs }: Job) => (await jobs.read.jobOf([1n])).status;

describe("a result that its holders give up before it is paid", () => {
  it("attack C4: is not paid for, and is when its provider has stored it again", async () => {
    const job = await createJob();
    const { jobs, shortfalls, spare, escrow, provider } = job;
    await job.commit(leaves);
    await job.giveUp(0);
    await job.giveUp(1);
    await afterChallenges(job);
    await assert.rejects(jobs.write.finalise([1n]), /ResultNotStored/);
    await shortfalls.write.call([1n, 0n], { account: job.challenger.account });
    await job.hold(1, spare[0]!);
    await assert.rejects(shortfalls.write.fail([1n, 0n]), /ResultRetrievable/);
    await job.networkHelpers.time.increase(askable);
    await jobs.write.finalise([1n]);
    assert.equal(await statusOf(job), statuses.finalised);
    assert.equal(await escrow.read.creditOf([provider.account.address]), price);
  });

  it("attack C4: fails after the grace of a call; the deposit is back, the stake burnt, and nobody gains", async () => {
    const job = await createJob();
    const { jobs, shortfalls, networkHelpers, staking, escrow, consumer, provider, challenger, viem } = job;
    await job.commit(leaves);
    await job.giveUp(0);
    await job.giveUp(1);
    await assert.rejects(shortfalls.write.fail([1n, 0n]), /NotCalled/);
    const called = shortfalls.write.call([1n, 0n], { account: challenger.account });
    await viem.assertions.emit(called, shortfalls, "ShortfallCalled");
    await assert.rejects(shortfalls.write.call([1n, 0n]), /AlreadyCalled/);
    const until = await shortfalls.read.graceUntil([1n, 0n]);
    await job.nextEpoch();
    await networkHelpers.time.increaseTo(until - 1n);
    await assert.rejects(shortfalls.write.fail([1n, 0n]), /TooEarly/);
    await networkHelpers.time.increaseTo(until);
    const failed = shortfalls.write.fail([1n, 0n], { account: challenger.account });
    await viem.assertions.emitWithArgs(failed, shortfalls, "ResultLost", [1n, job.resultId]);
    assert.equal(await statusOf(job), statuses.failed);
    await jobs.write.settle([1n]);
    assert.equal(await escrow.read.creditOf([consumer.account.address]), deposit);
    assert.equal(await escrow.read.creditOf([provider.account.address]), 0n);
    assert.equal((await staking.read.operatorOf([provider.account.address])).stake, stake);
    assert.equal(await staking.read.creditOf([challenger.account.address]), 0n);
    assert.equal(await jobs.read.multiplierOf([provider.account.address]), 200n);
    await assert.rejects(shortfalls.write.call([1n, 0n]), /NothingOwed/);
  });

  it("attack: one holder, the consumer's perhaps, can neither keep it from being committed to nor from being paid", async () => {
    const job = await createJob();
    const { jobs, shortfalls } = job;
    await job.giveUp(2);
    await job.commit(leaves);
    await assert.rejects(shortfalls.write.call([1n, 0n]), /ResultRetrievable/);
    await afterChallenges(job);
    await jobs.write.finalise([1n]);
    assert.equal(await statusOf(job), statuses.finalised);
  });

  it("attack: is committed to although all its holders have left since they took it, and is not paid before others hold it", async () => {
    const job = await createJob();
    const { jobs, shortfalls, datasets, networkHelpers } = job;
    for (const bundle of [0, 1, 2]) await job.giveUp(bundle);
    await job.commit(leaves);
    assert.equal(await statusOf(job), statuses.committed);
    await shortfalls.write.call([1n, 0n]);
    await networkHelpers.time.increaseTo(BigInt((await jobs.read.jobOf([1n])).challengeUntil) + 1n);
    await jobs.write.callTimeout([1n]);
    await networkHelpers.time.increase(hour + 1);
    await assert.rejects(jobs.write.finalise([1n]), /ResultNotStored/);
    await job.hold(1, job.spare[0]!);
    await job.hold(2, job.spare[1]!);
    assert.equal(await shortfalls.read.graceUntil([1n, 0n]), 0n, "the call is void");
    assert.ok(await datasets.read.wasHeld([job.resultId]));
    await networkHelpers.time.increase(8 * hour);
    await jobs.write.finalise([1n]);
    assert.equal(await statusOf(job), statuses.finalised);
  });

  it("is not committed to as long as a segment of it never had enough holders", async () => {
    const job = await createJob();
    const { jobs, bundles, datasets, operators } = job;
    const shape = { objectCount: 8n, objectSize: 2_000, segmentObjects: 4, k: 2, n: 3, encrypted: false };
    const other = buildDataset(shape, 9n);
    const { id: resultId } = await job.anchor(other, 10, "two segments");
    const commit = () => jobs.write.commit([1n, { ...job.commitmentTo(leaves), resultId }]);
    const place = async (indices: readonly number[]) => {
      const signed = indices.map((i) => job.sign(other, resultId, i, operators[2 + (i % 3)]!));
      await bundles.write.place([await Promise.all(signed)]);
    };
    await assert.rejects(commit(), /ResultNotStored/);
    await place([0, 1, 3]);
    await bundles.write.surrender([job.bundleId(resultId, 0)], { account: operators[2]!.account });
    // The first segment counts once, however often it is filled.
    await place([2]);
    assert.equal(await datasets.read.wasHeld([resultId]), false);
    await assert.rejects(commit(), /ResultNotStored/);
    await place([4]);
    assert.ok(await datasets.read.wasHeld([resultId]));
    await commit();
    assert.equal(await statusOf(job), statuses.committed);
  });

  it("is not left to a grace within which nobody could take a bundle over", async () => {
    const { viem, jobs, shortfalls } = await createJob();
    const datasets = await viem.getContractAt("DatasetRegistry", await shortfalls.read.datasets());
    const least = 3n * BigInt(await datasets.read.epochLength());
    const { read } = shortfalls;
    const others = [
      await read.instalments(),
      datasets.address,
      await read.audit(),
      await read.retrieval(),
    ] as const;
    const parts = [jobs.address, ...others] as const;
    await assert.rejects(viem.deployContract("ResultShortfalls", [...parts, least - 1n]), /GraceTooShort/);
    const deployed = await viem.deployContract("ResultShortfalls", [...parts, least]);
    assert.equal(await deployed.read.grace(), least);
  });

  it("attack: holders that leave again in the last second of a call that was answered need a new call, and its grace", async () => {
    const job = await createJob();
    const { shortfalls, networkHelpers, spare } = job;
    await job.commit(leaves);
    await job.giveUp(0);
    await job.giveUp(1);
    await shortfalls.write.call([1n, 0n]);
    const until = await shortfalls.read.graceUntil([1n, 0n]);
    await job.hold(0, spare[0]!);
    assert.equal(await shortfalls.read.graceUntil([1n, 0n]), 0n);
    await networkHelpers.time.increaseTo(until);
    await job.giveUp(0, spare[0]!);
    await assert.rejects(shortfalls.write.fail([1n, 0n]), /NotCalled/);
    await shortfalls.write.call([1n, 0n]);
    await assert.rejects(shortfalls.write.fail([1n, 0n]), /TooEarly/);
    await job.nextEpoch();
    await networkHelpers.time.increase(grace);
    await shortfalls.write.fail([1n, 0n]);
    assert.equal(await statusOf(job), statuses.failed);
  });

  it("attack: a provider that fills and empties it without end holds the deposit up for thirty days, and no longer", async () => {
    const job = await createJob();
    const { jobs, shortfalls, networkHelpers, spare } = job;
    await job.commit(leaves);
    await job.giveUp(0);
    await job.giveUp(1);
    const { challengeUntil } = await jobs.read.jobOf([1n]);
    // The dataset is held for longer than its paid epochs: the delay for its last deadlines comes after them.
    await job.datasets.write.addEpochs([job.resultId, 60]);
    await networkHelpers.time.increaseTo(BigInt(challengeUntil + 30 * day));
    await shortfalls.write.call([1n, 0n]);
    await job.hold(0, spare[0]!);
    await job.giveUp(0, spare[0]!);
    await job.nextEpoch();
    await networkHelpers.time.increase(grace + 1);
    await shortfalls.write.fail([1n, 0n]);
    assert.equal(await statusOf(job), statuses.failed);
  });

  it("attack: is not paid for when the epochs that are paid have ended, after which nobody has to hold it", async () => {
    const job = await createJob();
    const { jobs, shortfalls, datasets, networkHelpers, escrow, consumer, provider, challenger } = job;
    await job.commit(leaves);
    await afterChallenges(job);
    const [, endEpoch] = await datasets.read.termsOf([job.resultId]);
    const ended = (await datasets.read.genesis()) + BigInt(endEpoch * (await datasets.read.epochLength()));
    await networkHelpers.time.increaseTo(ended - 2n);
    await assert.rejects(shortfalls.write.call([1n, 0n]), /ResultRetrievable/);
    await networkHelpers.time.increaseTo(ended);
    // All three bundles still count as held: their holders are released when the last deadlines have passed.
    assert.equal((await datasets.read.datasetOf([job.resultId])).held, 3);
    await assert.rejects(jobs.write.finalise([1n]), /ResultNotStored/);
    await shortfalls.write.call([1n, 0n], { account: challenger.account });
    await networkHelpers.time.increase(grace + 1);
    await shortfalls.write.fail([1n, 0n], { account: challenger.account });
    await jobs.write.settle([1n]);
    assert.equal(await escrow.read.creditOf([consumer.account.address]), deposit);
    assert.equal(await escrow.read.creditOf([provider.account.address]), 0n);
  });

  /** Commits, lets the epochs end that are paid, and has it called; the provider pays for more in the last day of the grace. */
  async function payOn(job: Job) {
    const { shortfalls, datasets, networkHelpers } = job;
    await job.commit(leaves);
    const [, endEpoch] = await datasets.read.termsOf([job.resultId]);
    const genesis = await datasets.read.genesis();
    const startOf = (epoch: number) => genesis + BigInt(epoch * day);
    await networkHelpers.time.increaseTo(startOf(endEpoch));
    await shortfalls.write.call([1n, 0n]);
    await networkHelpers.time.increaseTo((await shortfalls.read.graceUntil([1n, 0n])) - BigInt(day));
    // Up to the present epoch is not enough.
    await assert.rejects(datasets.write.addEpochs([job.resultId, 6]), /TermOver/);
    await datasets.write.addEpochs([job.resultId, 8]);
    assert.equal(await shortfalls.read.graceUntil([1n, 0n]), 0n);
    return startOf(endEpoch + 8);
  }

  it("is paid for when its provider pays for more epochs within the grace of a call", async () => {
    const job = await createJob();
    await payOn(job);
    await assert.rejects(job.shortfalls.write.fail([1n, 0n]), /ResultRetrievable/);
    await job.jobs.write.callTimeout([1n]);
    await job.networkHelpers.time.increase(askable);
    await job.jobs.write.finalise([1n]);
    assert.equal(await statusOf(job), statuses.finalised);
  });

  it("attack: epochs that are paid for one after another, always too late, are paid for late once", async () => {
    const job = await createJob();
    const { shortfalls, datasets, networkHelpers } = job;
    const ended = await payOn(job);
    await networkHelpers.time.increaseTo(ended);
    await assert.rejects(shortfalls.write.fail([1n, 0n]), /NotCalled/);
    await shortfalls.write.call([1n, 0n]);
    await assert.rejects(shortfalls.write.fail([1n, 0n]), /TooEarly/);
    await assert.rejects(datasets.write.addEpochs([job.resultId, 20]), /TermOver/);
    await networkHelpers.time.increase(grace + 1);
    await shortfalls.write.fail([1n, 0n]);
    assert.equal(await statusOf(job), statuses.failed);
  });

  it("attack: seeds kept back for the whole grace convict nobody; the job waits for one, and for the time to use it", async () => {
    const job = await createJob();
    const { jobs, shortfalls, networkHelpers, spare, datasets, audit } = job;
    await job.commit(leaves);
    await job.giveUp(0);
    await job.giveUp(1);
    await datasets.write.addEpochs([job.resultId, 60]);
    // Known when it is called: it proves nothing that was given up since.
    await job.nextEpoch();
    await shortfalls.write.call([1n, 0n]);
    const until = await shortfalls.read.graceUntil([1n, 0n]);
    await networkHelpers.time.increaseTo(until + 1n);
    await assert.rejects(shortfalls.write.fail([1n, 0n]), /TooEarly/);
    // A seed that comes after its epoch leaves less than an epoch to use it.
    const late = await audit.read.currentEpoch();
    const genesis = await datasets.read.genesis();
    await networkHelpers.time.increaseTo(genesis + BigInt((late + 1) * day - 60));
    await audit.write.openEpoch();
    const { requestId } = await audit.read.epochOf([late]);
    await job.deliverSeed(requestId);
    await networkHelpers.time.increase(3 * day);
    await assert.rejects(shortfalls.write.fail([1n, 0n]), /TooEarly/);
    const epoch = await job.nextEpoch();
    await networkHelpers.time.increaseTo(genesis + BigInt((epoch + 2) * day - 2));
    await assert.rejects(shortfalls.write.fail([1n, 0n]), /TooEarly/);
    const state = await networkHelpers.takeSnapshot();
    await networkHelpers.time.increase(2);
    await shortfalls.write.fail([1n, 0n]);
    assert.equal(await statusOf(job), statuses.failed);
    await state.restore();
    await job.hold(1, spare[0]!);
    await jobs.write.callTimeout([1n]);
    await networkHelpers.time.increase(askable);
    await jobs.write.finalise([1n]);
    assert.equal(await statusOf(job), statuses.finalised);
  });

  it("attack: without any seed for thirty days more the deposit is back, the stake free, and nobody at fault", async () => {
    const job = await createJob();
    const { jobs, shortfalls, networkHelpers, staking, escrow, consumer, provider, challenger, viem } = job;
    await job.commit(leaves);
    await job.giveUp(0);
    await job.giveUp(1);
    await shortfalls.write.call([1n, 0n]);
    const until = (await shortfalls.read.graceUntil([1n, 0n])) + BigInt(30 * day);
    await networkHelpers.time.increaseTo(until - 1n);
    await assert.rejects(shortfalls.write.fail([1n, 0n]), /TooEarly/);
    await networkHelpers.time.increaseTo(until);
    await shortfalls.write.fail([1n, 0n], { account: challenger.account });
    assert.equal(await statusOf(job), statuses.failed);
    const reason = toHex("stranded", { size: 32 });
    await viem.assertions.emitWithArgs(jobs.write.settle([1n]), jobs, "JobFailed", [
      1n,
      getAddress(provider.account.address),
      reason,
      0n,
      price,
    ]);
    assert.equal(await escrow.read.creditOf([consumer.account.address]), deposit);
    assert.equal(await escrow.read.creditOf([provider.account.address]), 0n);
    const { stake: kept, locked } = await staking.read.operatorOf([provider.account.address]);
    assert.deepEqual([kept, locked], [2n * stake, 0n]);
    assert.equal(await staking.read.creditOf([challenger.account.address]), 0n);
    assert.equal(await jobs.read.multiplierOf([provider.account.address]), 100n);
  });

  it("fails the job, too, when it is a checkpoint's, which is not paid meanwhile", async () => {
    const job = await createJob(3);
    const { instalments, shortfalls, networkHelpers, game, provider } = job;
    await job.postCheckpoint(leaves.slice(0, 2));
    const claimId = await instalments.read.claimIdOf([1n, 1n]);
    await assert.rejects(shortfalls.write.call([1n, 0n]), /NothingOwed/);
    await job.giveUp(0);
    await job.giveUp(1);
    await shortfalls.write.call([claimId, 0n]);
    await job.nextEpoch();
    await networkHelpers.time.increase(3 * day + 1);
    await instalments.write.callTimeout([1n, 1n]);
    await networkHelpers.time.increase(hour + 1);
    await assert.rejects(instalments.write.close([1n, 1n]), /ResultNotStored/);
    await networkHelpers.time.increase(grace);
    await shortfalls.write.fail([claimId, 0n]);
    assert.equal(await statusOf(job), statuses.failed);
    await instalments.write.close([1n, 1n]);
    await job.jobs.write.settle([1n]);
    assert.equal(await game.read.creditOf([provider.account.address]), parseEther("0.0504"));
  });
});
