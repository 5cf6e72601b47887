import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { zeroHash } from "viem";
import { challengeOf } from "../../../keepers/src/training/dispute/find-interval.ts";
import { isProduction, matchSnapshot, tableOf } from "../snapshots.ts";
import { challengerBond, createLockedJob, deposit, hashOf, sampleOrder, stake } from "./locked-job.ts";

/** Leaves of a trace of 20 steps, 8 to an interval. */
const leaves = [0, 1, 2, 3].map((i) => ({
  stateRoot: hashOf(`state ${i}`),
  h: i === 0 ? zeroHash : hashOf(`witness ${i}`),
}));

/** A job on anchored data that its provider has committed to. */
async function createJob() {
  const job = await createLockedJob({
    order: sampleOrder,
    nodeCounts: [30, 20, 10],
    witnessNode: 12,
    slots: 8,
  });
  await job.commit(leaves);
  return job;
}

describe("a job on the whole deployment", async () => {
  const gas: Record<string, number> = {};

  it("is ordered, matched, locked, committed and paid, and nothing is left in between", async () => {
    const job = await createJob();
    const { certificates, consumer, escrow, game, jobs, measured, networkHelpers, provider, token } = job;
    await networkHelpers.time.increaseTo(BigInt((await jobs.read.jobOf([1n])).challengeUntil) + 1n);
    await measured("callTimeout", await jobs.write.callTimeout([1n], { account: consumer.account }));
    await networkHelpers.time.increase(3_600 + 1);
    await measured("finalise", await jobs.write.finalise([1n], { account: consumer.account }));
    await measured("withdraw", await escrow.write.withdraw([provider.account.address]));
    await escrow.write.withdraw([consumer.account.address], { account: consumer.account });
    await game.write.withdraw([provider.account.address]);
    Object.assign(gas, job.gas);
    assert.equal(
      (await certificates.read.ownerOf([1n])).toLowerCase(),
      consumer.account.address.toLowerCase(),
    );
    assert.equal(await token.read.balanceOf([escrow.address]), 0n);
    assert.equal(await job.publicClient.getBalance({ address: game.address }), 0n);
    assert.equal(await job.staking.read.lockedBy([provider.account.address, jobs.address]), 0n);
  });

  it("whose provider does not answer a challenge is convicted, slashed and refunded", async () => {
    const job = await createJob();
    const { challenger, consumer, escrow, game, jobs, measured, networkHelpers, provider, staking } = job;
    const { account } = challenger;
    const { before, next } = challengeOf(leaves, 1);
    await game.write.challenge([1n, 1n, before, next], { account, value: challengerBond });
    await networkHelpers.time.increase(4 * 3_600 + 1);
    await game.write.callTimeout([(1n << 32n) | 1n], { account });
    await networkHelpers.time.increase(3_600 + 1);
    await measured("conviction", await game.write.executeTimeout([(1n << 32n) | 1n], { account }));
    assert.equal((await jobs.read.jobOf([1n])).status, 9);
    assert.equal(await staking.read.lockedBy([provider.account.address, jobs.address]), stake);
    await measured("settle", await jobs.write.settle([1n], { account }));
    assert.equal((await staking.read.operatorOf([provider.account.address])).stake, stake);
    assert.equal(await staking.read.creditOf([challenger.account.address]), (stake * 3n) / 10n);
    assert.equal(await escrow.read.creditOf([consumer.account.address]), deposit);
    assert.equal(await jobs.read.multiplierOf([provider.account.address]), 200n);
    Object.assign(gas, { conviction: job.gas.conviction!, settle: job.gas.settle! });
  });

  it("costs the gas that is on record", { skip: !isProduction }, () => {
    matchSnapshot("jobGas.json", tableOf(gas));
  });
});
