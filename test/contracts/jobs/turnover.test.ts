import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { buildDataset } from "../storage/reference.ts";
import { createLockedJob, deposit, sampleLeaves as leaves, price, sampleJob, stake } from "./locked-job.ts";

const hour = 3_600;
const day = 24 * hour;
/** Seconds to ask whoever took a bundle over last. */
const askable = 7 * hour;
const statuses = { finalised: 6, failed: 9 };
const shape = { objectCount: 4n, objectSize: 2_000, segmentObjects: 4, k: 2, n: 3, encrypted: false };

/** A job whose result has been committed to, and is paid for as long as it may take. */
async function createJob(segmentObjects = shape.segmentObjects) {
  const result = buildDataset({ ...shape, segmentObjects }, 6n);
  const job = await createLockedJob({ ...sampleJob, result });
  await job.commit(leaves);
  await job.datasets.write.addEpochs([job.resultId, 60]);
  type Operator = (typeof job.spare)[number];
  const take = async (bundleIndex: number, operator: Operator, epoch: number) => {
    const proven = await job.placeProven(result, job.resultId, bundleIndex, operator, epoch);
    await job.bundles.write.placeProven(proven);
  };
  const name = async (...operators: Operator[]) => {
    const named = operators.map(({ account }) => account.address);
    await job.bundles.write.setStandbys([job.resultId, named]);
  };
  return { ...job, take, name, first: job.operators.slice(2, 5) };
}

type Job = Awaited<ReturnType<typeof createJob>>;

/** Until it could be paid for, by the last second of the grace. */
async function afterChallenges({ jobs, networkHelpers }: Job) {
  const { challengeUntil } = await jobs.read.jobOf([1n]);
  await networkHelpers.time.increaseTo(BigInt(challengeUntil) + 1n);
  await jobs.write.callTimeout([1n]);
  return async () => await networkHelpers.time.increase(hour + 1);
}

const statusOf = async ({ jobs }: Pick<Job, "jobs">) => (await jobs.read.jobOf([1n])).status;

describe("holders in league with the consumer", () => {
  it("attack: that come and go with the first proof of each day lose their places to the provider's standbys, and it is paid", async () => {
    const job = await createJob();
    const { jobs, escrow, networkHelpers, spare, first, provider, staking } = job;
    const friends = [spare[0]!, spare[1]!] as const;
    const standbys = [spare[2]!, spare[3]!] as const;
    const end = await afterChallenges(job);
    // n − k + 1 of its holders leave in the last second before it is paid.
    for (const i of [1, 2]) await job.giveUp(i, first[i]!);
    await end();
    await assert.rejects(jobs.write.finalise([1n]), /ResultNotStored/);
    // Nobody has been named yet: who sees the randomness first takes the bundles over, and leaves at once.
    let epoch = await job.nextEpoch();
    for (const i of [1, 2]) await job.take(i, friends[i - 1]!, epoch);
    await assert.rejects(jobs.write.finalise([1n]), /ResultJustPlaced/);
    for (const i of [1, 2]) await job.giveUp(i, friends[i - 1]!);
    await assert.rejects(job.take(1, standbys[0], epoch), /EpochNotFit/);
    await job.name(...standbys);
    epoch = await job.nextEpoch();
    for (const i of [1, 2]) await assert.rejects(job.take(i, friends[i - 1]!, epoch), /EpochNotFit/);
    for (const i of [1, 2]) await job.take(i, standbys[i - 1]!, epoch);
    await networkHelpers.time.increase(askable);
    await jobs.write.finalise([1n]);
    assert.equal(await statusOf(job), statuses.finalised);
    assert.equal(await escrow.read.creditOf([provider.account.address]), price);
    assert.equal((await staking.read.operatorOf([provider.account.address])).stake, 2n * stake);
  });

  it("attack: that leave one segment when it is called and another when the grace ends do not fail the job", async () => {
    const job = await createJob(2);
    const { jobs, shortfalls, networkHelpers, spare, first, consumer } = job;
    const friend = { account: consumer.account };
    await afterChallenges(job);
    const { challengeUntil } = await jobs.read.jobOf([1n]);
    // Calls stand from now on, whatever is placed.
    await networkHelpers.time.increaseTo(BigInt(challengeUntil + 30 * day));
    await job.name(spare[0]!, spare[1]!);
    for (const i of [1, 2]) await job.giveUp(i, first[i]!);
    await assert.rejects(shortfalls.write.call([1n, 1n], friend), /SegmentRetrievable/);
    await assert.rejects(shortfalls.write.call([1n, 2n], friend), /UnknownSegment/);
    await shortfalls.write.call([1n, 0n], friend);
    const until = await shortfalls.read.graceUntil([1n, 0n]);
    assert.equal(await shortfalls.read.graceUntil([1n, 1n]), 0n);
    const epoch = await job.nextEpoch();
    for (const i of [1, 2]) await job.take(i, spare[i - 1]!, epoch);
    await networkHelpers.time.increaseTo(until + 1n);
    for (const i of [4, 5]) await job.giveUp(i, first[i - 3]!);
    await assert.rejects(shortfalls.write.fail([1n, 0n], friend), /SegmentRetrievable/);
    await assert.rejects(shortfalls.write.fail([1n, 1n], friend), /NotCalled/);
    const next = await job.nextEpoch();
    for (const i of [4, 5]) await job.take(i, spare[i - 4]!, next);
    await networkHelpers.time.increase(askable);
    await jobs.write.finalise([1n]);
    assert.equal(await statusOf(job), statuses.finalised);
  });

  it("fail it when its provider names nobody for a whole month: the deposit is back then", async () => {
    const job = await createJob();
    const { jobs, shortfalls, networkHelpers, spare, first, escrow, consumer } = job;
    const end = await afterChallenges(job);
    for (const i of [1, 2]) await job.giveUp(i, first[i]!);
    await end();
    const { challengeUntil } = await jobs.read.jobOf([1n]);
    await networkHelpers.time.increaseTo(BigInt(challengeUntil + 30 * day));
    await shortfalls.write.call([1n, 0n]);
    const until = await shortfalls.read.graceUntil([1n, 0n]);
    while (BigInt(await networkHelpers.time.latest()) <= until) {
      const epoch = await job.nextEpoch();
      for (const i of [1, 2]) await job.take(i, spare[i - 1]!, epoch);
      for (const i of [1, 2]) await job.giveUp(i, spare[i - 1]!);
    }
    await shortfalls.write.fail([1n, 0n]);
    assert.equal(await statusOf(job), statuses.failed);
    await jobs.write.settle([1n]);
    assert.equal(await escrow.read.creditOf([consumer.account.address]), deposit);
  });
});

describe("a provider that vanishes behind a checkpoint", () => {
  it("attack: that goes on having bundles placed puts off its own payment alone", async () => {
    const result = buildDataset(shape, 6n);
    const terms = { ...sampleJob, result, instalments: 3, trainingTime: day };
    const job = await createLockedJob(terms);
    const { jobs, instalments, datasets, bundles, networkHelpers, spare, consumer, provider, escrow } = job;
    const [claimId, asConsumer] = [[1n, 1n] as const, { account: consumer.account }];
    const creditOf = ({ account }: typeof consumer) => escrow.read.creditOf([account.address]);
    await job.postCheckpoint(leaves.slice(0, 2));
    await datasets.write.addEpochs([job.resultId, 60]);
    await networkHelpers.time.increase(3 * day + 1);
    await instalments.write.callTimeout(claimId, asConsumer);
    await jobs.write.callTimeout([1n], asConsumer);
    await networkHelpers.time.increase(hour + 1);
    // One bundle of three, given from hand to hand, each time before it would be paid for.
    let holder = job.operators[2]!;
    for (let turn = 0; turn < 6; turn++) {
      await bundles.write.surrender([job.bundleId(job.resultId, 0)], { account: holder.account });
      holder = spare[turn % 3]!;
      await job.hold(0, holder);
      await assert.rejects(instalments.write.close(claimId), /ResultJustPlaced/);
      await assert.rejects(jobs.write.expire([1n]), /CheckpointsPending/);
      if (turn === 0) await jobs.write.refundRest([1n], asConsumer);
      assert.equal(await creditOf(consumer), deposit - price / 3n);
    }
    await networkHelpers.time.increase(askable);
    await instalments.write.close(claimId);
    await jobs.write.expire([1n]);
    assert.equal(await statusOf(job), statuses.failed);
    assert.equal(await creditOf(provider), price / 3n);
    assert.equal(await creditOf(consumer), deposit - price / 3n);
  });
});
