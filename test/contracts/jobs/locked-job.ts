/** A job that its provider has locked, in a deployment by Ignition with its default parameters. */
import { type Hex, keccak256, parseEther, toHex, zeroHash } from "viem";
import { encodeOrder, type TrainingOrder } from "../../../keepers/src/core/exact/order.ts";
import type { LeafClaim } from "../../../keepers/src/training/dispute/claimed-run.ts";
import { openLeaf, traceTreeOf } from "../../../keepers/src/training/dispute/leaves.ts";
import { type Anchored, createWorld, day } from "../storage/deployment.ts";
import { buildDataset, type Dataset } from "../storage/reference.ts";

export const hashOf = (text: string) => keccak256(toHex(text));
export const price = parseEther("80");
export const deposit = parseEther("100");
/** What the provider locks, of twice as much. */
export const stake = parseEther("160");
export const challengerBond = parseEther("0.0132");
export const providerBond = parseEther("0.0252");

const shape = { objectCount: 4n, objectSize: 2_000, segmentObjects: 4, k: 2, n: 3, encrypted: false };

/** An order of 20 steps, in intervals of 8, on the objects of `shape`. */
export const sampleOrder = {
  bits: 16,
  programRoot: hashOf("program"),
  initialRoot: hashOf("state 0"),
  objectRoot: hashOf("objects"),
  objects: 4,
  objectBytes: 2_000,
  train: 4,
  seed: hashOf("seed"),
  microBatch: 2,
  microBatches: 2,
  steps: 20,
  interval: 8,
  schedule: { table: [655, 66], every: 10 },
} satisfies Trained["order"];

/** Leaves of a trace of that order. */
export const sampleLeaves: readonly LeafClaim[] = [0, 1, 2, 3].map((i) => ({
  stateRoot: hashOf(`state ${i}`),
  h: i === 0 ? zeroHash : hashOf(`witness ${i}`),
}));

/** What is to be trained. */
export type Trained = {
  /** The order without its dataset, whose objects it may name. */
  readonly order: Omit<TrainingOrder, "datasetId">;
  readonly nodeCounts: readonly [number, number, number];
  readonly witnessNode: number;
  readonly slots: number;
  /** Members of a committee of whom five must agree; none by default. */
  readonly committeeSize?: number;
  /** Seconds from the lock to the commitment; a day by default. */
  readonly trainingTime?: number;
  /** What is stored as the result; some bytes by default. */
  readonly result?: Dataset;
  /** Parts in which the price is paid; one by default. */
  readonly instalments?: number;
};

/** An order of that kind, with time enough for its result to be given up and stored again. */
export const sampleJob = {
  order: sampleOrder,
  nodeCounts: [30, 20, 10],
  witnessNode: 12,
  slots: 8,
  trainingTime: 10 * day,
} satisfies Trained;

/** Tokens for each interval that a member of a committee checks: the least. */
export const checkFee = parseEther("0.1");
/** Draws that a committee may need, and the part of its fee that a member has for one of which nothing comes. */
const [draws, presence] = [3n, 10n];
/** Fees that go into escrow for a committee of so many, each of whom checks two intervals. */
export const feesOf = (size: number) => BigInt(size) * (2n * checkFee + draws * ((2n * checkFee) / presence));

/** The objects that an order names, if only by their roots. */
function dataOf({ objectRoot, objects, objectBytes }: Trained["order"]): Anchored {
  const data = buildDataset(shape, 5n);
  const size = { objectCount: BigInt(objects), objectSize: objectBytes, segmentObjects: objects };
  return { ...data, shape: { ...shape, ...size }, objectTree: { root: objectRoot } };
}

export async function createLockedJob({
  order,
  nodeCounts,
  witnessNode,
  slots,
  committeeSize = 0,
  trainingTime = day,
  result: given,
  instalments = 0,
}: Trained) {
  const world = await createWorld({ initialDate: "2027-01-01T00:00:00Z" });
  const { bundles, escrow, jobs, market, staking, token, operators, owner: provider } = world;
  const [consumer, challenger, ...holders] = operators.slice(0, 5) as [
    (typeof operators)[0],
    (typeof operators)[0],
    ...typeof operators,
  ];
  const gas: Record<string, number> = {};
  /** Notes what a transaction cost. */
  const measured = async (name: string, hash: Hex) => {
    const { gasUsed } = await world.publicClient.waitForTransactionReceipt({ hash });
    gas[name] = Number(gasUsed);
    const { input } = await world.publicClient.getTransaction({ hash });
    gas[`${name}, bytes`] = (input.length - 2) / 2;
  };
  // Nobody else opens and matches jobs: the order is the market's word here.
  await world.networkHelpers.impersonateAccount(market.address);
  await world.networkHelpers.setBalance(market.address, 10n ** 20n);
  const account = market.address;
  await token.write.approve([staking.address, 2n * stake]);
  await staking.write.register([2, "0x0024", "/dns4/localhost/tcp/1"]);
  await staking.write.stake([2n * stake]);
  await staking.write.approve([jobs.address, 2n * stake]);
  const { id: datasetId } = await world.anchor(dataOf(order));
  const result = given ?? buildDataset(shape, 6n);
  const { id: resultId } = await world.anchor(result, 10, "result");
  const receipts = await Promise.all(
    result.bundles.map((_, i) => world.sign(result, resultId, i, holders[i % shape.n]!)),
  );
  await bundles.write.place([receipts]);

  const training = encodeOrder({ ...order, datasetId });
  const now = await world.networkHelpers.time.latest();
  const ordered = {
    consumer: consumer.account.address,
    problem: {
      datasetId,
      trainingHash: keccak256(training),
      programRoot: order.programRoot,
      nodeCounts,
      witnessNode,
      slots,
      programDigest: hashOf("file"),
    },
    conditions: {
      maximumPrice: deposit,
      deposit,
      priceFeed: `0x${"00".repeat(20)}`,
      trainingTime,
      minimumCompute: 0,
      regions: 0n,
      regulations: 0n,
      privacyTier: 0,
      scheme: committeeSize === 0 ? 0 : 2,
      committeeSize,
      threshold: committeeSize === 0 ? 0 : 5,
      checkFee: committeeSize === 0 ? 0n : checkFee,
      instalments,
    },
    nonce: 1n,
    expiry: BigInt(now + day),
  } as const;
  const paid = deposit + feesOf(committeeSize);
  await token.write.approve([escrow.address, paid], { account: consumer.account });
  await measured("open", await jobs.write.open([ordered, hashOf("order"), training], { account }));
  await measured("matchJob", await jobs.write.matchJob([1n, provider.account.address, price], { account }));
  await measured("lock", await jobs.write.lock([1n], { value: providerBond }));

  /** A commitment to a trace. */
  const commitmentTo = (leaves: readonly LeafClaim[]) => ({
    traceRoot: toHex(traceTreeOf(leaves).root),
    first: openLeaf(leaves, 0),
    last: openLeaf(leaves, leaves.length - 1),
    leavesDigest: hashOf("leaves"),
    resultId,
  });
  /** Commits to a trace. */
  const commit = async (leaves: readonly LeafClaim[]) =>
    await measured("commit", await jobs.write.commit([1n, commitmentTo(leaves)]));
  /** Commits to the first checkpoint of a job that is paid in instalments: these leaves of the trace. */
  const postCheckpoint = async (leaves: readonly LeafClaim[]) =>
    await world.instalments.write.post([1n, 1n, commitmentTo(leaves)], { value: providerBond });
  /** Has another operator hold a bundle of the result, proven under the seed of the next epoch. */
  const hold = async (bundleIndex: number, operator: (typeof operators)[number]) => {
    const epoch = await world.nextEpoch();
    const proven = await world.placeProven(result, resultId, bundleIndex, operator, epoch);
    await bundles.write.placeProven(proven);
  };
  /** Ends the holding of a bundle of the result by its first holder. */
  const giveUp = async (bundleIndex: number, holder = holders[bundleIndex]!) =>
    await bundles.write.surrender([world.bundleId(resultId, bundleIndex)], { account: holder.account });
  return {
    ...world,
    provider: provider,
    consumer,
    challenger,
    datasetId,
    resultId,
    spare: operators.slice(5),
    hold,
    giveUp,
    commit,
    commitmentTo,
    postCheckpoint,
    gas,
    measured,
  };
}
