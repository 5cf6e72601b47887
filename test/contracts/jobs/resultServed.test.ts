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
  return { ...job, ask, publish, wait, commitAs };
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
    await job.ask(0, 1);
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
    await instalments.write.close([1n, 1n]);
    const { closed } = await instalments.read.ledgerOf([1n]);
    assert.equal(closed, 2);
  });
});
