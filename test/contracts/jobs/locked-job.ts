/** A job whose provider has locked its stake, in a deployment by Ignition with its default parameters. */
import { type Hex, keccak256, parseEther, toHex } from "viem";
import { encodeOrder, type TrainingOrder } from "../../../keepers/src/core/exact/order.ts";
import type { LeafClaim } from "../../../keepers/src/training/dispute/claimed-run.ts";
import { openLeaf, traceTreeOf } from "../../../keepers/src/training/dispute/leaves.ts";
import { type Anchored, createWorld, day } from "../storage/deployment.ts";
import { buildDataset } from "../storage/reference.ts";

export const hashOf = (text: string) => keccak256(toHex(text));
export const price = parseEther("80");
export const deposit = parseEther("100");
/** What the provider locks, of twice as much. */
export const stake = parseEther("160");
export const challengerBond = parseEther("0.0132");
const providerBond = parseEther("0.0252");

const shape = { objectCount: 4n, objectSize: 2_000, segmentObjects: 4, k: 2, n: 3, encrypted: false };

/** What is to be trained. */
export type Trained = {
  /** The order without its dataset, whose objects it may name. */
  readonly order: Omit<TrainingOrder, "datasetId">;
  readonly nodeCounts: readonly [number, number, number];
  readonly witnessNode: number;
  readonly slots: number;
  /** Members of a committee of whom five must agree; none by default. */
  readonly committeeSize?: number;
};

/** The objects that an order names, if only by their roots. */
function dataOf({ objectRoot, objects, objectBytes }: Trained["order"]): Anchored {
  const data = buildDataset(shape, 5n);
  const size = { objectCount: BigInt(objects), objectSize: objectBytes, segmentObjects: objects };
  return { ...data, shape: { ...shape, ...size }, objectTree: { root: objectRoot } };
}

export async function createLockedJob({ order, nodeCounts, witnessNode, slots, committeeSize = 0 }: Trained) {
  const world = await createWorld({ initialDate: "2027-01-01T00:00:00Z" });
  const { access, bundles, escrow, jobs, staking, token, operators, owner: provider } = world;
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
  // The admin is the market of this test, and the provider.
  await access.write.grantRole([9n, provider.account.address, 0]);
  await token.write.approve([staking.address, 2n * stake]);
  await staking.write.register([2, "0x0024", "/dns4/localhost/tcp/1"]);
  await staking.write.stake([2n * stake]);
  const { id: datasetId } = await world.anchor(dataOf(order));
  const result = buildDataset(shape, 6n);
  const { id: resultId } = await world.anchor(result, 10, "result");
  const receipts = await Promise.all(holders.map((each, i) => world.sign(result, resultId, i, each)));
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
      trainingTime: day,
      minimumCompute: 0,
      regions: 0n,
      regulations: 0n,
      privacyTier: 0,
      scheme: committeeSize === 0 ? 0 : 2,
      committeeSize,
      threshold: committeeSize === 0 ? 0 : 5,
      checkFee: 0n,
      instalments: 0,
    },
    nonce: 1n,
    expiry: BigInt(now + day),
  } as const;
  await token.write.approve([escrow.address, deposit], { account: consumer.account });
  await measured("open", await jobs.write.open([ordered, hashOf("order"), training]));
  await measured("matchJob", await jobs.write.matchJob([1n, provider.account.address, price]));
  await measured("lock", await jobs.write.lock([1n], { value: providerBond }));

  /** Commits to a trace. */
  const commit = async (leaves: readonly LeafClaim[]) =>
    await measured(
      "commit",
      await jobs.write.commit([
        1n,
        {
          traceRoot: toHex(traceTreeOf(leaves).root),
          first: openLeaf(leaves, 0),
          last: openLeaf(leaves, leaves.length - 1),
          leavesDigest: hashOf("leaves"),
          resultId,
        },
      ]),
    );
  return { ...world, provider: provider, consumer, challenger, datasetId, commit, gas, measured };
}
