/** The whole deployment by Ignition on drand, with keys of a known trapdoor and a drand chain of its own. */
import { network } from "hardhat";
import { encodeAbiParameters, type Hex, keccak256, toHex } from "viem";
import { AssayDrand } from "../../../ignition/modules/Assay.ts";
import { publicKeyOf, signRound } from "../beacon/drand.ts";
import { createInstance, type Instance, prove, r } from "../zk/trapdoor.ts";
import type { Dataset } from "./reference.ts";

export const instances = {
  possession: createInstance(4, 901n),
  covering: createInstance(5, 902n),
  registration: createInstance(3, 903n),
};

const drandSecret = 0x1234567890abcdefn;
const tokens = 10n ** 18n;
export const day = 86_400;

const keyParameters = () => {
  const entries = Object.entries(instances);
  return {
    Verifier: {
      ...Object.fromEntries(entries.map(([name, { key }]) => [`${name}Key`, key])),
    },
    Storage: Object.fromEntries(entries.map(([name, { key }]) => [`${name}KeyHash`, keccak256(key)])),
  };
};

const drandParameters = (genesis: bigint) => ({
  ...Object.fromEntries(publicKeyOf(drandSecret).map((word, i) => [`publicKey${i}`, word])),
  genesis,
});

/** What the registry is told of a dataset. */
export type Anchored = Pick<Dataset, "shape" | "poseidonRoots" | "transport"> & {
  readonly bundlesTree: { readonly root: Hex };
  readonly objectTree: { readonly root: Hex };
};

export type World = Awaited<ReturnType<typeof createWorld>>;

export type WorldOptions = {
  /** First block's time; the present by default. */
  initialDate?: string;
  /** Called before each transaction of `nextEpoch`. */
  tick?: () => Promise<void>;
};

/** A fresh chain with everything deployed; each operator is registered and staked. */
export async function createWorld({ initialDate, tick = async () => {} }: WorldOptions = {}) {
  const connection = await network.create(initialDate === undefined ? {} : { override: { initialDate } });
  const { viem, ignition, networkHelpers } = connection;
  const now = BigInt(await networkHelpers.time.latest());
  const contracts = await ignition.deploy(AssayDrand, {
    parameters: { ...keyParameters(), DrandBeacon: drandParameters(now - 1000n) },
  });
  const { token, staking, datasets, bundles, audit, beacon } = contracts;
  const [owner, ...operators] = await viem.getWalletClients();
  const publicClient = await viem.getPublicClient();
  const chainId = await publicClient.getChainId();
  for (const { account } of operators) {
    await token.write.transfer([account.address, 100_000n * tokens]);
    await token.write.approve([staking.address, 100_000n * tokens], { account });
    await staking.write.register([1, "0x0024", "/dns4/localhost/tcp/1"], { account });
    await staking.write.stake([50_000n * tokens], { account });
    await staking.write.approve([bundles.address, 50_000n * tokens], { account });
  }
  await token.write.approve([datasets.address, 10_000_000n * tokens]);

  /** Anchors a built dataset with a fee of one token; returns its id and the transaction. */
  const anchor = async (dataset: Anchored, epochs = 10, name = "dataset") => {
    const manifestHash = keccak256(toHex(name));
    const previous: Hex = `0x${"00".repeat(32)}`;
    const terms = {
      shape: dataset.shape,
      objectRoot: dataset.objectTree.root,
      bundlesRoot: dataset.bundlesTree.root,
      previous,
      feePerAudit: tokens,
      epochs,
      parameters: await datasets.read.parameters(),
    };
    const id = await datasets.read.idOf([owner!.account.address, manifestHash, terms]);
    const hash = await datasets.write.anchor([
      {
        datasetId: id,
        manifestHash,
        manifestDigest: keccak256(manifestHash),
        objectRoot: dataset.objectTree.root,
        shape: dataset.shape,
        previous,
        feePerAudit: tokens,
        epochs,
      },
      dataset.poseidonRoots,
      dataset.transport.map(({ root }) => root),
    ]);
    return { id, hash };
  };

  /** A receipt for one bundle, signed now by its operator. */
  const sign = async (
    dataset: Dataset,
    id: Hex,
    bundleIndex: number,
    operator: (typeof operators)[number],
  ) => {
    const receipt = {
      datasetId: id,
      bundleIndex,
      poseidonRoot: dataset.poseidonRoots[bundleIndex]!,
      transportRoot: dataset.transport[bundleIndex]!.root,
      operator: operator.account.address,
      validUntil: BigInt((await networkHelpers.time.latest()) + day),
      latestEnd: (await datasets.read.termsOf([id]))[1],
    };
    const signature = await operator.signTypedData({
      domain: { name: "Assay BundleRegistry", version: "1", chainId, verifyingContract: bundles.address },
      types: {
        Receipt: [
          { name: "datasetId", type: "bytes32" },
          { name: "bundleIndex", type: "uint32" },
          { name: "poseidonRoot", type: "bytes32" },
          { name: "transportRoot", type: "bytes32" },
          { name: "operator", type: "address" },
          { name: "validUntil", type: "uint64" },
          { name: "latestEnd", type: "uint32" },
        ],
      },
      primaryType: "Receipt",
      message: receipt,
    });
    return { receipt, proof: dataset.bundlesTree.proof(bundleIndex), signature, approval: "0x" as Hex };
  };

  const bundleId = (id: Hex, bundleIndex: number): Hex =>
    keccak256(encodeAbiParameters([{ type: "bytes32" }, { type: "uint32" }], [id, bundleIndex]));

  /** Submits the drand round that a request is bound to, when it is there. */
  const deliverSeed = async (requestId: bigint) => {
    const { round } = await beacon.read.requestOf([requestId]);
    await networkHelpers.time.increaseTo(await beacon.read.timeOf([round]));
    await tick();
    await beacon.write.submitRound([round, signRound(drandSecret, round)]);
  };

  /** Moves to the next epoch, opens it and submits the drand round that it is bound to. */
  const nextEpoch = async (): Promise<number> => {
    const genesis = Number(await datasets.read.genesis());
    const epoch = (await audit.read.currentEpoch()) + 1;
    await networkHelpers.time.increaseTo(genesis + epoch * day);
    await tick();
    await audit.write.openEpoch();
    const { requestId } = await audit.read.epochOf([epoch]);
    await deliverSeed(requestId);
    return epoch;
  };

  /** rho of an audit (storage protocol, section 6). */
  const point = (
    seed: Hex,
    duty: Hex,
    root: bigint,
    operator: Hex,
    epoch: number,
    judge: Hex = audit.address,
  ): bigint => {
    const types = ["bytes32", "bytes32", "uint256", "address", "uint32", "uint256", "address"];
    const values = [seed, duty, root, operator, epoch, BigInt(chainId), judge];
    return (
      BigInt(
        keccak256(
          encodeAbiParameters(
            types.map((type) => ({ type })),
            values,
          ),
        ),
      ) % r
    );
  };

  const draw = (seed: Hex, duty: Hex, operator: Hex, j: number): bigint =>
    BigInt(
      keccak256(
        encodeAbiParameters(
          [{ type: "bytes32" }, { type: "bytes32" }, { type: "address" }, { type: "uint256" }],
          [seed, duty, operator, BigInt(j)],
        ),
      ),
    );

  /** Public signals of a bundle's answer and a proof of them. */
  const proveBundle = async (
    id: Hex,
    epoch: number,
    evaluation = 7n,
    instance: Instance = instances.possession,
  ) => {
    const { operator, cells, poseidonRoot } = await bundles.read.holdingOf([id]);
    const [seed] = await audit.read.windowOf([epoch]);
    let indices = 0n;
    for (let j = 0; j < 16; j++) indices += (draw(seed, id, operator, j) % BigInt(cells)) << BigInt(14 * j);
    const rho = point(seed, id, poseidonRoot, operator, epoch);
    const proof = prove(instance, [evaluation, poseidonRoot, indices, rho]);
    return { evaluation, indices, rho, proof };
  };

  /** Arguments that place a bundle with an operator that proves it, under the seed of an epoch. */
  const placeProven = async (
    dataset: Dataset,
    id: Hex,
    bundleIndex: number,
    operator: (typeof operators)[number],
    epoch: number,
  ) => {
    const bundle = bundleId(id, bundleIndex);
    const cells = await datasets.read.cellsOf([id, bundleIndex]);
    const [seed] = await audit.read.windowOf([epoch]);
    const { address } = operator.account;
    const root = BigInt(dataset.poseidonRoots[bundleIndex]!);
    let indices = 0n;
    for (let j = 0; j < 16; j++) indices += (draw(seed, bundle, address, j) % cells) << BigInt(14 * j);
    const rho = point(seed, bundle, root, address, epoch, bundles.address);
    const proof = prove(instances.possession, [7n, root, indices, rho]);
    return [await sign(dataset, id, bundleIndex, operator), epoch, 7n, proof] as const;
  };

  /** Public signals of a cover's answer and a proof of them. */
  const proveCover = async (coverId: Hex, ids: readonly Hex[], epoch: number) => {
    const { operator, root } = await bundles.read.coverOf([coverId]);
    const [seed] = await audit.read.windowOf([epoch]);
    const counts = await Promise.all(ids.map(async (id) => (await bundles.read.holdingOf([id])).cells));
    const words = [0n, 0n];
    const all = counts.flatMap((count, b) => Array.from({ length: count }, (_, i) => b * 16_384 + i));
    for (let j = 0; j < 16; j++) {
      const from = Math.floor((j * all.length) / 16);
      const to = Math.max(from + 1, Math.floor(((j + 1) * all.length) / 16));
      const index = all[from + Number(draw(seed, coverId, operator, j) % BigInt(to - from))]!;
      words[j < 8 ? 0 : 1]! += BigInt(index) << BigInt(20 * (j % 8));
    }
    const rho = point(seed, coverId, root, operator, epoch);
    const proof = prove(instances.covering, [7n, root, words[0]!, words[1]!, rho]);
    const cells: Hex = `0x${counts.map((count) => count.toString(16).padStart(4, "0")).join("")}`;
    return { evaluation: 7n, cells, proof };
  };

  /** A proof that registers a cover. */
  const proveRegistration = async (ids: readonly Hex[], coveringRoot: bigint) => {
    const roots = await Promise.all(ids.map(async (id) => (await bundles.read.holdingOf([id])).poseidonRoot));
    const padded = Array.from({ length: 64 }, (_, i) => roots[i] ?? 0n);
    const rho =
      BigInt(
        keccak256(
          encodeAbiParameters(
            [{ type: "uint256" }, { type: "uint256[64]" }],
            [coveringRoot, padded as never],
          ),
        ),
      ) % r;
    const evaluation = padded.reduceRight((sum, root) => (sum * rho + root) % r, 0n);
    return prove(instances.registration, [coveringRoot, evaluation, rho]);
  };

  return {
    ...connection,
    ...contracts,
    owner: owner!,
    operators,
    publicClient,
    anchor,
    sign,
    bundleId,
    nextEpoch,
    deliverSeed,
    proveBundle,
    placeProven,
    proveCover,
    proveRegistration,
  };
}
