import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { keccak256, parseEther, toHex, zeroHash } from "viem";
import { encodeOrder } from "../../../keepers/src/core/exact/order.ts";
import { challengeOf } from "../../../keepers/src/training/dispute/find-interval.ts";
import { openLeaf, traceTreeOf } from "../../../keepers/src/training/dispute/leaves.ts";
import { isProduction, matchSnapshot, tableOf } from "../snapshots.ts";
import { createWorld, day } from "../storage/deployment.ts";
import { buildDataset } from "../storage/reference.ts";

const hashOf = (text: string) => keccak256(toHex(text));
const shape = { objectCount: 4n, objectSize: 2_000, segmentObjects: 4, k: 2, n: 3, encrypted: false };
const price = parseEther("80");
const deposit = parseEther("100");
const stake = parseEther("160");
const bond = parseEther("0.0243");
const challengerBond = parseEther("0.0132");

/** Leaves of a trace of 20 steps, 8 to an interval. */
const leaves = [0, 1, 2, 3].map((i) => ({
  stateRoot: hashOf(`state ${i}`),
  h: i === 0 ? zeroHash : hashOf(`witness ${i}`),
}));

/** A job on anchored data whose result is stored, in a deployment by Ignition with its default parameters. */
async function createJob() {
  const world = await createWorld({ initialDate: "2027-01-01T00:00:00Z" });
  const { access, bundles, escrow, game, jobs, staking, token, operators, owner: provider } = world;
  const [consumer, challenger, first, second, third] = operators as [
    (typeof operators)[0],
    (typeof operators)[0],
    (typeof operators)[0],
    (typeof operators)[0],
    (typeof operators)[0],
  ];
  const gas: Record<string, number> = {};
  const measured = async (name: string, hash: `0x${string}`) => {
    const { gasUsed } = await world.publicClient.waitForTransactionReceipt({ hash });
    gas[name] = Number(gasUsed);
    const { input } = await world.publicClient.getTransaction({ hash });
    gas[`${name}, bytes`] = (input.length - 2) / 2;
  };
  // The admin is the market of this test, and the provider.
  await access.write.grantRole([9n, provider.account.address, 0]);
  await token.write.approve([staking.address, 2n * stake]);
  await staking.write.register([2, "0x0024", "/dns4/localhost/tcp/1"]);
  await staking.write.stake([2n * stake]);
  const data = buildDataset(shape, 5n);
  const { id: datasetId } = await world.anchor(data);
  const result = buildDataset(shape, 6n);
  const { id: resultId } = await world.anchor(result, 10, "result");
  const holders = [first, second, third];
  const receipts = await Promise.all(holders.map((each, i) => world.sign(result, resultId, i, each)));
  await bundles.write.place([receipts]);

  const training = encodeOrder({
    bits: 16,
    programRoot: hashOf("program"),
    initialRoot: leaves[0]!.stateRoot,
    objectRoot: data.objectTree.root,
    datasetId,
    objects: 4,
    objectBytes: 2_000,
    train: 4,
    seed: hashOf("seed"),
    microBatch: 2,
    microBatches: 2,
    steps: 20,
    interval: 8,
    schedule: { table: [655, 66], every: 10 },
  });
  const now = await world.networkHelpers.time.latest();
  const order = {
    consumer: consumer.account.address,
    problem: {
      datasetId,
      trainingHash: keccak256(training),
      programRoot: hashOf("program"),
      nodeCounts: [30, 20, 10],
      witnessNode: 12,
      slots: 8,
      programDigest: hashOf("file"),
    },
    conditions: {
      maximumPrice: deposit,
      deposit,
      priceFeed: `0x${"00".repeat(20)}`,
      trainingTime: day,
      minimumCompute: 0,
      regions: 0n,
      regulations: 0n,
      privacyTier: 0,
      scheme: 0,
      committeeSize: 0,
      threshold: 0,
      checkFee: 0n,
      instalments: 0,
    },
    nonce: 1n,
    expiry: BigInt(now + day),
  } as const;
  await token.write.approve([escrow.address, deposit], { account: consumer.account });
  await measured("open", await jobs.write.open([order, hashOf("order"), training]));
  await measured("matchJob", await jobs.write.matchJob([1n, provider.account.address, price]));
  await measured("lock", await jobs.write.lock([1n], { value: bond }));
  const commitment = {
    traceRoot: toHex(traceTreeOf(leaves).root),
    first: openLeaf(leaves, 0),
    last: openLeaf(leaves, 3),
    leavesDigest: hashOf("leaves"),
    resultId,
  };
  await measured("commit", await jobs.write.commit([1n, commitment]));
  return { ...world, provider, consumer, challenger, gas, measured, game };
}

describe("a job on the whole deployment", async () => {
  const gas: Record<string, number> = {};

  it("is ordered, matched, locked, committed and paid, and nothing is left in between", async () => {
    const job = await createJob();
    const { certificates, consumer, escrow, game, jobs, measured, networkHelpers, provider, token } = job;
    await networkHelpers.time.increaseTo(BigInt((await jobs.read.jobOf([1n])).challengeUntil) + 1n);
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
    assert.equal((await staking.read.operatorOf([provider.account.address])).stake, stake);
    assert.equal(await staking.read.creditOf([challenger.account.address]), (stake * 3n) / 10n);
    assert.equal(await escrow.read.creditOf([consumer.account.address]), deposit);
    assert.equal(await jobs.read.multiplierOf([provider.account.address]), 200n);
    gas.conviction = job.gas.conviction!;
  });

  it("costs the gas that is on record", { skip: !isProduction }, () => {
    matchSnapshot("jobGas.json", tableOf(gas));
  });
});
