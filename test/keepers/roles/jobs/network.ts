import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import hre from "hardhat";
import {
  type Abi,
  type Account,
  type Address,
  createWalletClient,
  type Hex,
  http,
  type LocalAccount,
  zeroAddress,
  zeroHash,
} from "viem";
import { hardhat } from "viem/chains";
import { roleFunctions, roles, selectorsOf } from "../../../../ignition/modules/roles.ts";
import { type ChainClient, connectChain } from "../../../../keepers/src/chain/client.ts";
import { type Contracts, connectContracts, encodeCall } from "../../../../keepers/src/chain/contracts.ts";
import type { Deployment } from "../../../../keepers/src/chain/deployment.ts";
import { type EmbeddedChain, startEmbeddedChain } from "../../../../keepers/src/roles/embedded/chain.ts";

export const tokens = 10n ** 18n;

/** Windows of the test's jobs, in chain seconds. */
export const windows = { lock: 600, challenge: 3_600, dispute: 120, grace: 60, repair: 3 * 86_400 };
/** Committees of the test's jobs: stake of a validator, seconds of a rotation, intervals of each member. */
export const committee = {
  unit: 100n * tokens,
  period: 600,
  exitDelay: 86_400,
  checks: 2,
  terms: {
    signingWindow: 1_200,
    openingWindow: 600,
    revealWindow: 600,
    grace: 60,
    disputeTime: 120,
    accusableFor: 3_600,
    moveWindow: 900,
    silentSlash: tokens,
    lieSlash: 50n * tokens,
    leastFee: 1n,
  },
};
/** Retrieval challenges: coins that go with one, seconds to publish and of grace. */
export const retrieval = { bond: 10n ** 15n, window: 300, grace: 60 };
const refundPrice = 10n ** 9n;
/** Gas that `Refunds` allows each side. */
const mostProvider = 6_600_000n;
const mostChallenger = 4_200_000n;
export const challengerBond = 2n * mostProvider * refundPrice;
export const providerBond = 6n * mostChallenger * refundPrice;

/** Jobs and their market on an embedded chain; datasets are anchored on the real registry, their bundles declared held. */
export type JobNetwork = {
  readonly folder: string;
  readonly chain: EmbeddedChain;
  readonly client: ChainClient;
  readonly deployment: Deployment;
  readonly contracts: Contracts;
  /** Who deployed: holds all tokens, and may say that bundles are held. */
  readonly admin: LocalAccount;
  /** The manager of roles. */
  readonly access: Address;
  /** Runs a call at once. */
  send(account: LocalAccount, call: { to: Address; data: Hex; value?: bigint }): Promise<void>;
  /** Makes an account a provider with stake. */
  stake(account: LocalAccount, amount: bigint): Promise<void>;
  give(account: Address, amount: bigint): Promise<void>;
  /**
   * Lets a time of chain seconds pass that something is due in, has somebody say of every job and checkpoint that it is over,
   * and lets the grace pass as well.
   */
  outlast(seconds: number): Promise<void>;
  /** Deploys a contract by the name of its artifact, and calls functions of it, as the admin. */
  deploy(name: string, args?: readonly unknown[]): Promise<Address>;
  write(name: string, address: Address, functionName: string, args: readonly unknown[]): Promise<void>;
  close(): Promise<void>;
};

export type JobNetworkOptions = {
  /** Whether the token takes ERC-2612 permits; it does by default. */
  readonly permits?: boolean;
  /** Whether the market asks a feed of the sequencer's uptime, a `FeedDouble`; it does not by default. */
  readonly hasSequencerFeed?: boolean;
};

export async function startJobNetwork({
  permits = true,
  hasSequencerFeed = false,
}: JobNetworkOptions = {}): Promise<JobNetwork> {
  const folder = await mkdtemp(join(tmpdir(), "assay-jobs-"));
  const chain = await startEmbeddedChain();
  const client = await connectChain({
    chainId: chain.chainId,
    urls: [chain.rpcUrl],
    requestsPerSecond: 10_000,
  });
  const admin = chain.account(0);
  const wallet = (account: Account) =>
    createWalletClient({ account, chain: hardhat, transport: http(chain.rpcUrl) });
  const startBlock = await client.public.getBlockNumber();
  const done = async (hash: Hex): Promise<Address | null | undefined> => {
    const { status, contractAddress } = await client.public.waitForTransactionReceipt({
      hash,
      pollingInterval: 20,
    });
    if (status !== "success") throw new Error(`the transaction ${hash} failed`);
    return contractAddress;
  };
  const abiOf = async (name: string) => (await hre.artifacts.readArtifact(name)).abi as Abi;
  const deploy = async (name: string, args: readonly unknown[] = []): Promise<Address> => {
    const { abi, bytecode } = await hre.artifacts.readArtifact(name);
    const hash = await wallet(admin).deployContract({ abi: abi as Abi, bytecode: bytecode as Hex, args });
    return (await done(hash))!;
  };
  const write = async (name: string, address: Address, functionName: string, args: readonly unknown[]) => {
    await done(await wallet(admin).writeContract({ address, abi: await abiOf(name), functionName, args }));
  };

  const access = await deploy("AccessManager", [admin.address]);
  const token = permits
    ? await deploy("AssayToken", [admin.address, 10n ** 9n * tokens])
    : await deploy("PlainToken");
  if (!permits) await write("PlainToken", token, "mint", [admin.address, 10n ** 9n * tokens]);
  const staking = await deploy("Staking", [access, token, 14n * 86_400n, 3_000]);
  const datasets = await deploy("DatasetRegistry", [
    access,
    token,
    86_400,
    10n * 86_400n,
    {
      bondPerBundle: tokens,
      bundleStake: 100n * tokens,
      missPenalty: 80n * tokens,
      surrenderPenalty: 50n * tokens,
      policy: zeroAddress,
    },
  ]);
  const verifier = await deploy("VerifierDouble");
  const bundles = await deploy("BundleRegistry", [
    access,
    token,
    datasets,
    staking,
    verifier,
    zeroHash,
    zeroHash,
    7,
  ]);
  const beacon = await deploy("BeaconDouble");
  const audit = await deploy("StorageAudit", [
    ...[access, datasets, bundles, beacon, zeroAddress, zeroHash, zeroHash],
    { seedDelay: 3_600, auditWindow: 3_600, timeoutWindow: 3_600, grace: 60 },
  ]);
  const { bond, window, grace } = retrieval;
  const retrievals = await deploy("RetrievalChallenges", [access, datasets, bundles, bond, window, grace]);
  await write("BundleRegistry", bundles, "setModules", [audit, retrievals]);
  const escrow = await deploy("Escrow", [access, token]);
  const dispute = {
    challengerBond,
    refundPrice,
    window: windows.dispute,
    extension: 10,
    grace: windows.grace,
  };
  const jobRules = await deploy("JobRules", [datasets, retrievals]);
  const jobs = await deploy("JobRegistry", [
    access,
    staking,
    jobRules,
    escrow,
    {
      lockWindow: windows.lock,
      challengeWindow: windows.challenge,
      stakePercent: 200,
      minimumStake: 100n * tokens,
      latePenalty: 1_000,
      dispute,
      providerBond,
    },
  ]);
  const books = ["DescentRules", "ElementRules", "SumRules", "RangeRules", "InputRules", "VoidRules"];
  const rules: Address[] = [];
  for (const book of books) rules.push(await deploy(book));
  const game = await deploy("DisputeGame", [jobs, ...rules]);
  const certificates = await deploy("ModelCertificate", [jobs]);
  const sequencerFeed = hasSequencerFeed ? await deploy("FeedDouble", [0, 0]) : zeroAddress;
  const market = await deploy("Market", [
    ...[access, token, staking, jobs, escrow, datasets],
    { leastWindow: 10, grace: windows.grace },
    sequencerFeed,
  ]);

  const { unit, period, exitDelay, checks, terms } = committee;
  const validators = await deploy("ValidatorSet", [access, { staking, unit, period, exitDelay }]);
  const committees = await deploy("Committee", [
    access,
    { registry: jobs, escrow, beacon, validators, checks },
    terms,
  ]);
  const memberGame = await deploy("MemberGame", [jobs, committees, ...rules]);

  const instalments = await deploy("Instalments", [jobs, jobRules]);
  const shortfalls = await deploy("ResultShortfalls", [
    jobs,
    instalments,
    datasets,
    audit,
    retrievals,
    windows.repair,
  ]);
  const resultFraud = await deploy("ResultFraud", [jobs, instalments, datasets]);
  const encodingFraud = await deploy("EncodingFraud", [datasets, zeroAddress, zeroHash]);
  const rewards = await deploy("WorkerRewards", [token]);
  await write("JobRegistry", jobs, "setModules", [game, committees, certificates, instalments]);
  const grants: [bigint, Address][] = [
    [roles.holdingModule, admin.address],
    [roles.holdingModule, bundles],
    [roles.faultModule, retrievals],
    [roles.fraudModule, encodingFraud],
    [roles.auditModule, audit],
    [roles.marketModule, market],
    [roles.jobModule, jobs],
    [roles.committeeModule, committees],
    [roles.memberModule, memberGame],
    [roles.resultModule, shortfalls],
    [roles.resultModule, resultFraud],
  ];
  for (const [role, account] of grants) await write("AccessManager", access, "grantRole", [role, account, 0]);
  const opened = [
    ["DatasetRegistry", datasets, roles.holdingModule, roleFunctions.datasets.holdingModule],
    ["DatasetRegistry", datasets, roles.auditModule, roleFunctions.datasets.auditModule],
    ["DatasetRegistry", datasets, roles.fraudModule, roleFunctions.datasets.fraudModule],
    ["BundleRegistry", bundles, roles.faultModule, roleFunctions.bundles.faultModule],
    ["Escrow", escrow, roles.jobModule, roleFunctions.escrow.jobModule],
    ["Escrow", escrow, roles.committeeModule, roleFunctions.escrow.committeeModule],
    ["JobRegistry", jobs, roles.marketModule, roleFunctions.jobs.marketModule],
    ["Committee", committees, roles.memberModule, roleFunctions.committee.memberModule],
    ["JobRegistry", jobs, roles.resultModule, roleFunctions.jobs.resultModule],
    ["ValidatorSet", validators, roles.committeeModule, roleFunctions.validators.committeeModule],
  ] as const;
  for (const [name, target, role, functions] of opened) {
    const selectors = selectorsOf(await abiOf(name), functions);
    await write("AccessManager", access, "setTargetFunctionRole", [target, selectors, role]);
  }

  const unused = zeroAddress;
  const addresses: Record<string, Address> = {
    AssayToken: token,
    Staking: staking,
    DatasetRegistry: datasets,
    BundleRegistry: bundles,
    StorageAudit: audit,
    RetrievalChallenges: retrievals,
    EncodingFraud: encodingFraud,
    VerifierRegistry: unused,
    ValidatorSet: validators,
    Committee: committees,
    WorkerRewards: rewards,
    Instalments: instalments,
    ResultShortfalls: shortfalls,
    ResultFraud: resultFraud,
    CommitRevealBeacon: beacon,
    Escrow: escrow,
    JobRegistry: jobs,
    DisputeGame: game,
    MemberGame: memberGame,
    ModelCertificate: certificates,
    Market: market,
    DescentRules: rules[0]!,
    ElementRules: rules[1]!,
    SumRules: rules[2]!,
    RangeRules: rules[3]!,
    InputRules: rules[4]!,
    VoidRules: rules[5]!,
  };
  const deployment: Deployment = {
    chainId: chain.chainId,
    startBlock,
    beacon: "CommitRevealBeacon",
    addresses: addresses as unknown as Deployment["addresses"],
    keyHashes: { possession: "0x", covering: "0x", registration: "0x" },
  };
  const contracts = connectContracts(client.public, deployment);
  const send: JobNetwork["send"] = async (account, call) => {
    await done(await wallet(account).sendTransaction(call));
  };
  const give = async (account: Address, amount: bigint) =>
    send(admin, encodeCall(deployment, "AssayToken", "transfer", [account, amount]));
  return {
    folder,
    chain,
    client,
    deployment,
    contracts,
    admin,
    access,
    send,
    give,
    deploy,
    write,
    async outlast(seconds) {
      await chain.advance(seconds + 1);
      // Where nothing is due, or another has called, the call is refused.
      const callOut = async (call: { to: Address; data: Hex }) => {
        const isDue = await client.public.call({ ...call, account: admin }).then(
          () => true,
          () => false,
        );
        if (isDue) await send(admin, call);
      };
      const count = await contracts.JobRegistry.read.jobCount();
      for (let jobId = 1n; jobId <= count; jobId++) {
        await callOut(encodeCall(deployment, "JobRegistry", "callTimeout", [jobId]));
        const { posted } = await contracts.Instalments.read.ledgerOf([jobId]);
        for (let number = 1n; posted >> Number(number) !== 0; number++) {
          await callOut(encodeCall(deployment, "Instalments", "callTimeout", [jobId, number]));
        }
      }
      await chain.advance(windows.grace + 1);
    },
    async stake(account, amount) {
      await give(account.address, amount);
      await send(account, encodeCall(deployment, "AssayToken", "approve", [staking, amount]));
      await send(account, encodeCall(deployment, "Staking", "register", [2, "0x01", "/ip4/127.0.0.1/tcp/1"]));
      await send(account, encodeCall(deployment, "Staking", "stake", [amount]));
      await send(account, encodeCall(deployment, "Staking", "approve", [jobs, amount]));
    },
    async close() {
      await chain.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
