/** Validators, a committee and what surrounds it, with real stake and keys; registry, game, purse and beacon are doubles. */
import { network } from "hardhat";
import { encodePacked, getAddress, type Hex, hexToBytes, keccak256, numberToHex, pad, toHex } from "viem";
import {
  addKeys,
  addSignatures,
  type BlsKey,
  type G1Words,
  keyOf,
  sign,
  signatureDomain,
} from "../../../keepers/src/core/attestation/bls.ts";
import {
  type DrawnCommittee,
  digestOf,
  intervalsOf,
  maskOf,
  messageOf,
  possessionMessage,
  provePossession,
  type SignedLeaf,
  statementTree,
  witnessesHash,
} from "../../../keepers/src/core/attestation/statement.ts";
import {
  intervalSalt,
  traceLeaf,
  traceTree,
  witnessHash,
} from "../../../keepers/src/core/exact/commitment.ts";
import { deployDouble } from "./doubles.ts";

export const tokens = 10n ** 18n;
export const unit = 100n * tokens;
export const period = 3_600;
export const exitDelay = 86_400;
export const hour = 3_600;
export const fee = 3n * tokens;
export const checks = 2;
/** What a member has for a draw in which it was there and nothing came of it. */
export const presence = (BigInt(checks) * fee) / 10n;
/** What is paid in for that: three draws of a committee. */
export const reserveFor = (size: number): bigint => 3n * BigInt(size) * presence;
export const terms = {
  signingWindow: 4 * hour,
  openingWindow: 4 * hour,
  revealWindow: 2 * hour,
  grace: hour,
  disputeTime: 4 * hour,
  accusableFor: 72 * hour,
  moveWindow: 24 * hour,
  silentSlash: 10n * tokens,
  lieSlash: 500n * tokens,
  leastFee: 2n * tokens,
};
/** Phases of a committee's work on a job, as `ICommittee.Phase` numbers them. */
export const phase = { seeding: 1, signing: 2, opening: 3, revealing: 4, attested: 5, silent: 6, closed: 7 };
export const stakePerOperator = 10_000n * tokens;

const steps = 160;
const interval = 4;
export const intervals = steps / interval;

export type Statement = {
  members: bigint;
  root: Hex;
  signers: bigint;
  signature: G1Words;
  key: readonly [bigint, bigint, bigint, bigint];
};

/** A trace of random states, with the witnesses behind each interval. */
function makeTrace(tag: string) {
  const random = (...parts: (string | number)[]) => hexToBytes(keccak256(toHex([tag, ...parts].join("/"))));
  const secret = random("secret");
  const witnesses = Array.from({ length: intervals }, (_, i) =>
    Array.from({ length: interval }, (_, j) => random("witness", i, j)),
  );
  const states = Array.from({ length: intervals + 1 }, (_, i) => random("state", i));
  const leaves = states.map((state, i) =>
    i === 0
      ? traceLeaf(state)
      : traceLeaf(state, witnessHash(intervalSalt(secret, i - 1), witnesses[i - 1]!)),
  );
  const tree = traceTree(leaves, steps, interval);
  return {
    root: toHex(tree.root),
    leaves: leaves.length,
    witnessHash: (i: number) => witnessesHash(witnesses[i]!.map((each) => toHex(each))),
    opening: (i: number) => ({
      stateRoot: toHex(states[i + 1]!),
      salt: toHex(intervalSalt(secret, i)),
      witnesses: witnesses[i]!.map((each) => toHex(each)),
      siblings: tree.proof(i + 1).map((each) => toHex(each)),
    }),
  };
}

export const trace = makeTrace("trace");

export type World = Awaited<ReturnType<typeof createWorld>>;

/** @param count validators, all of weight 10 */
export async function createWorld(count = 12, tellNothing = false) {
  const connection = await network.create({ override: { initialDate: "2030-01-01T00:10:00Z" } });
  const { viem, networkHelpers } = connection;
  const [owner, provider, stranger] = await viem.getWalletClients();
  const publicClient = await viem.getPublicClient();
  const chainId = BigInt(await publicClient.getChainId());
  const access = await viem.deployContract("AccessManager", [owner!.account.address]);
  const token = await deployDouble(viem, "PlainToken");
  const staking = await viem.deployContract("Staking", [access.address, token.address, 7n * 86_400n, 3_000]);
  const validators = await viem.deployContract("ValidatorSet", [
    access.address,
    { staking: staking.address, unit, period, exitDelay },
  ]);
  const registry = await deployDouble(viem, "AttestedJobsDouble");
  const fees = await deployDouble(viem, "FeesDouble");
  const beacon = await deployDouble(viem, "BeaconDouble");
  const committee = await viem.deployContract("Committee", [
    access.address,
    {
      registry: registry.address,
      escrow: fees.address,
      beacon: beacon.address,
      validators: validators.address,
      checks,
    },
    terms,
  ]);
  await registry.write.setCommittee([committee.address]);
  const allow = async (target: Hex, caller: Hex, role: bigint, selectors: Hex[]) => {
    await access.write.setTargetFunctionRole([target, selectors, role]);
    await access.write.grantRole([role, caller, 0]);
  };
  const selectorOf = (signature: string) => keccak256(toHex(signature)).slice(0, 10) as Hex;
  await allow(validators.address, committee.address, 2n, [
    selectorOf("draw(bytes32,uint48,uint256,address)"),
    selectorOf("excuse(uint48,uint256[])"),
    selectorOf("punish(uint256,uint256,address,bytes32)"),
  ]);

  /** An operator of its own, registered as a validator and staked. */
  const enlist = async (i: number) => {
    const address = getAddress(pad(numberToHex(0xa11ce0000 + i), { size: 20 }));
    await networkHelpers.impersonateAccount(address);
    await networkHelpers.setBalance(address, 10n ** 20n);
    const { account } = await viem.getWalletClient(address);
    await token.write.mint([address, stakePerOperator]);
    await token.write.approve([staking.address, stakePerOperator], { account });
    await staking.write.register([4, "0x0024", "/dns4/localhost/tcp/1"], { account });
    await staking.write.stake([stakePerOperator], { account });
    await staking.write.approve([validators.address, stakePerOperator], { account });
    const secret = BigInt(keccak256(toHex(`secret ${i}`))) >> 8n;
    return { account, address, secret, key: keyOf(secret) };
  };
  const enrol = async (
    operator: { account: { address: Hex }; secret: bigint; key: BlsKey },
    weight = 10n,
  ) => {
    const { address } = operator.account;
    const place = { chainId, contract: validators.address };
    const proof = provePossession(operator.secret, place, address, operator.key);
    return validators.write.enrol([weight, operator.key, proof], { account: address });
  };
  const operators: Awaited<ReturnType<typeof enlist>>[] = [];
  for (let i = 0; i < count; i++) {
    operators.push(await enlist(i));
    await enrol(operators[i]!);
  }
  if (!tellNothing) await networkHelpers.time.increase(period);

  const seedOf = (jobId: bigint, attempt: bigint) =>
    keccak256(encodePacked(["uint256", "uint256"], [jobId, attempt]));
  const commit = async (jobId: bigint, size = 9, threshold = 5, by: Hex = provider!.account.address) => {
    const until = BigInt(await networkHelpers.time.latest()) + 86_400n;
    await registry.write.commit([jobId, trace.root, BigInt(trace.leaves), until]);
    await fees.write.fund([jobId, await committee.read.feesFor([BigInt(intervals), size, fee])]);
    await registry.write.open([jobId, by, BigInt(intervals), size, threshold, fee]);
  };
  const deliver = async (jobId: bigint, seed?: Hex) => {
    const { attempt } = await committee.read.jobOf([jobId]);
    const { requestId } = await committee.read.drawOf([jobId, BigInt(attempt)]);
    await beacon.write.deliver([requestId, seed ?? seedOf(jobId, BigInt(attempt))]);
  };
  const drawnOf = async (jobId: bigint): Promise<DrawnCommittee> => {
    const attempt = BigInt((await committee.read.jobOf([jobId])).attempt);
    const { requestId } = await committee.read.drawOf([jobId, attempt]);
    const [seed] = await beacon.read.seedOf([requestId]);
    const members = await committee.read.membersOf([jobId, attempt]);
    const place = { chainId, contract: committee.address };
    return { ...place, jobId, attempt, seed, traceRoot: trace.root, intervals, checks, members };
  };
  const draw = async (jobId: bigint) => {
    await deliver(jobId);
    await committee.write.draw([jobId]);
    return drawnOf(jobId);
  };
  /** Ids count from 1 in the order of enrolment. */
  const memberAt = (drawn: DrawnCommittee, position: number) =>
    operators[Number(drawn.members[position]!) - 1]!;
  const leavesOf = (
    drawn: DrawnCommittee,
    positions: number[],
    lies: Record<string, Hex> = {},
  ): SignedLeaf[] =>
    positions.flatMap((position) =>
      intervalsOf(drawn, position).map((each, number) => ({
        position,
        interval: each,
        digest:
          lies[`${position}/${number}`] ??
          digestOf(drawn, drawn.jobId, drawn.members[position]!, each, trace.witnessHash(each)),
      })),
    );
  const statementOf = (
    drawn: DrawnCommittee,
    leaves: SignedLeaf[],
    signers = [...new Set(leaves.map(({ position }) => position))],
  ): Statement => {
    const members = maskOf(leaves.map(({ position }) => position));
    const root = toHex(statementTree(drawn, leaves).root);
    const message = hexToBytes(messageOf(drawn, members, root));
    return {
      members,
      root,
      signers: maskOf(signers),
      signature: addSignatures(signers.map((i) => sign(memberAt(drawn, i).secret, signatureDomain, message))),
      key: addKeys(signers.map((i) => memberAt(drawn, i).key)).g2,
    };
  };
  const openingsOf = (leaves: SignedLeaf[]) => leaves.map((leaf) => trace.opening(leaf.interval));
  const hashesOf = (leaves: SignedLeaf[]) => leaves.map((leaf) => trace.witnessHash(leaf.interval));
  /** Up to the opened witnesses. */
  const attest = async (jobId: bigint, drawn: DrawnCommittee, leaves: SignedLeaf[]) => {
    await committee.write.attest([jobId, statementOf(drawn, leaves)]);
    await committee.write.openWitnesses([jobId, openingsOf(leaves)]);
  };
  const timeOut = async (jobId: bigint) => {
    const { deadline } = await committee.read.jobOf([jobId]);
    await networkHelpers.time.increaseTo(deadline + 1);
    await committee.write.callTimeout([jobId]);
    const { graceEnds } = await committee.read.jobOf([jobId]);
    await networkHelpers.time.increaseTo(graceEnds + 1);
  };
  const phaseOf = async (jobId: bigint) => (await committee.read.jobOf([jobId])).phase;
  const gasOf = async (hash: Hex) => Number((await publicClient.getTransactionReceipt({ hash })).gasUsed);
  const lockOf = (id: bigint) =>
    staking.read.lockedBy([operators[Number(id) - 1]!.address, validators.address]);

  return {
    ...{ viem, networkHelpers, owner: owner!, provider: provider!, stranger: stranger!, chainId, access },
    ...{ token, staking, validators, registry, fees, beacon, committee, operators, publicClient },
    ...{ enlist, enrol, commit, deliver, draw, drawnOf, memberAt, leavesOf, statementOf, openingsOf },
    ...{ hashesOf, attest, timeOut, phaseOf, gasOf, lockOf, possessionMessage },
  };
}
