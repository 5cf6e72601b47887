import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pino } from "pino";
import { bytesToHex, parseAbiItem, parseUnits, toHex } from "viem";
import { connectContracts, encodeCall } from "../../../keepers/src/chain/contracts.ts";
import { createFollower, type Follower } from "../../../keepers/src/chain/follower/follower.ts";
import { followerSchema } from "../../../keepers/src/chain/follower/store.ts";
import { OperatorSecrets } from "../../../keepers/src/chain/secrets.ts";
import { createTransactionQueue } from "../../../keepers/src/chain/transactions/queue.ts";
import type { StoredIntent } from "../../../keepers/src/chain/transactions/store.ts";
import { transactionSchema } from "../../../keepers/src/chain/transactions/store.ts";
import { EmbeddedNetwork } from "../../../keepers/src/roles/embedded/network.ts";
import { BeaconMember, beaconSchema } from "../../../keepers/src/roles/storage-node/beacon-member.ts";
import { type DutyContext, sendCall } from "../../../keepers/src/roles/storage-node/context.ts";
import { Ledger, ledgerHandler, ledgerSchema } from "../../../keepers/src/roles/storage-node/ledger.ts";
import { openState, type State } from "../../../keepers/src/storage/state/state.ts";

const sessionReady = parseAbiItem(
  "event SessionReady(uint256 indexed sessionId, uint32 indexed round, bytes32 raw)",
);
const stake = parseUnits("1000", 18);
const operators = 4;

type Operator = DutyContext & {
  state: State;
  ledger: Ledger;
  follower: Follower;
  secrets: OperatorSecrets;
  member: BeaconMember;
};

/** The contract under test is the real one; sessions are opened by the audit contract, as on any network. */
describe("members of the commit-reveal beacon", () => {
  let folder: string;
  let network: EmbeddedNetwork;
  const all: Operator[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "assay-beacon-"));
    // Time for more sessions to be opened while one is joined.
    network = await EmbeddedNetwork.start({ folder, nodes: 0, timing: { commitWindow: 120 } });
    const owner = { ...(await open(0)), queue: createOwnerQueue() };
    for (let index = 1; index <= operators; index++) {
      const operator = await open(index);
      await sendCall(owner, `fund:${index}`, "AssayToken", "transfer", [operator.operator, stake]);
      const peer = bytesToHex(new Uint8Array(38).fill(index));
      await sendCall(operator, "register", "Staking", "register", [1, peer, `/ip4/127.0.0.1/tcp/${index}`]);
      const { Staking } = network.deployment.addresses;
      await sendCall(operator, "approve", "AssayToken", "approve", [Staking, stake]);
      await sendCall(operator, "stake", "Staking", "stake", [stake]);
      const beacon = network.deployment.addresses.CommitRevealBeacon!;
      await sendCall(operator, "approve-beacon", "Staking", "approve", [beacon, stake]);
      all.push(operator);
    }
  });

  after(async () => {
    for (const { state } of all) state.close();
    await network?.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function open(index: number): Promise<Operator> {
    const contracts = connectContracts(network.client.public, network.deployment);
    const account = network.chain.account(index);
    const state = openState({
      path: ":memory:",
      schemas: [transactionSchema, beaconSchema, followerSchema, ledgerSchema],
    });
    const queue = createTransactionQueue({
      client: network.client,
      state,
      account,
      pollInterval: 50,
      gasMargin: 100,
    });
    const { client, deployment } = network;
    const log = pino({ level: "silent" });
    const agreed = { client, contracts };
    const context = { operator: account.address, client, deployment, contracts, agreed, queue, log };
    const secrets = await OperatorSecrets.open(account, deployment.chainId);
    const ledger = new Ledger(state);
    const follower = createFollower({
      client,
      state,
      deployment,
      contracts: ["CommitRevealBeacon"],
      handler: ledgerHandler,
    });
    const parts = { ...context, state, ledger, follower, secrets };
    return { ...parts, member: new BeaconMember(parts) };
  }

  function createOwnerQueue() {
    const state = openState({ path: ":memory:", schemas: [transactionSchema] });
    return createTransactionQueue({
      client: network.client,
      state,
      account: network.owner,
      pollInterval: 50,
    });
  }

  const beacon = () => all[0]!.contracts.CommitRevealBeacon.read;
  const locked = async ({ contracts, operator }: Operator) =>
    (await contracts.Staking.read.operatorOf([operator])).locked;
  const advanceTo = async (time: bigint) => {
    const missing = Number(time) - (await network.chain.now());
    if (missing > 0) await network.chain.advance(missing);
  };
  /** Opens the next epoch, and with it a session. */
  const openSession = async (): Promise<bigint> => {
    const { contracts } = all[0]!;
    const [genesis, length, current] = await Promise.all([
      contracts.DatasetRegistry.read.genesis(),
      contracts.DatasetRegistry.read.epochLength(),
      contracts.StorageAudit.read.currentEpoch(),
    ]);
    await advanceTo(genesis + BigInt(length) * BigInt(current + 1));
    await sendCall(all[0]!, `open:${current + 1}`, "StorageAudit", "openEpoch", []);
    return beacon().sessionCount();
  };
  /** Opens as many sessions as jobs with committees do that are committed in blocks of their own. */
  const openForJobs = async (count: number): Promise<void> => {
    const { client, deployment, chain } = network;
    const committee = deployment.addresses.Committee!;
    await client.request("hardhat_impersonateAccount", [committee]);
    await client.request("hardhat_setBalance", [committee, toHex(10n ** 20n)]);
    const { to, data } = encodeCall(deployment, "CommitRevealBeacon", "request", []);
    const before = await beacon().sessionCount();
    for (let i = 0; i < count; i++) {
      await client.request("eth_sendTransaction", [{ from: committee, to, data, gas: toHex(400_000) }]);
      await chain.advance(1);
    }
    assert.equal(await beacon().sessionCount(), before + BigInt(count));
  };
  const tick = async (...members: Operator[]) => {
    for (const { follower, member } of members) {
      await follower.catchUp();
      await member.tick();
    }
  };
  /** The same operator's keeper after a restart: only its state is left. */
  const restarted = (operator: Operator): Operator => ({ ...operator, member: new BeaconMember(operator) });

  it("commit to what the contract opens with their secrets, and make a seed together", async () => {
    const session = await openSession();
    await tick(...all);
    const { committed, commitEnds } = await beacon().session([session]);
    assert.equal(committed, operators);
    await tick(...all);
    assert.equal((await beacon().session([session])).committed, operators, "nobody commits twice");
    await advanceTo(commitEnds);
    // Secrets are on disk before they are committed to.
    await tick(...all.map(restarted));
    const { readyAt, revealed } = await beacon().session([session]);
    assert.equal(revealed, operators);
    assert.notEqual(readyAt, 0n);
    for (const operator of all) assert.equal(await locked(operator), 0n);
  });

  it("reveal although their disks were lost", async () => {
    const session = await openSession();
    await tick(...all);
    await advanceTo((await beacon().session([session])).commitEnds);
    const renewed = await Promise.all(all.map((_, i) => open(i + 1)));
    await tick(...renewed);
    assert.equal((await beacon().session([session])).revealed, operators);
    for (const { state } of renewed) state.close();
  });

  it("reveal the last secrets of a full session in one block, each tried before the other", async () => {
    const { client, deployment } = network;
    const address = deployment.addresses.CommitRevealBeacon!;
    const audit = deployment.addresses.StorageAudit!;
    const most = Number(await beacon().MAX_REQUESTS_PER_SESSION());
    await client.request("hardhat_impersonateAccount", [audit]);
    await client.request("hardhat_setBalance", [audit, toHex(10n ** 20n)]);
    await client.request("evm_setAutomine", [false]);
    await client.request("evm_setIntervalMining", [0]);
    const { data } = encodeCall(deployment, "CommitRevealBeacon", "request", []);
    const request = { from: audit, to: address, data, gas: toHex(400_000) };
    for (let i = 0; i < most; i++) await client.request("eth_sendTransaction", [request]);
    await client.request("evm_mine");
    await client.request("evm_setAutomine", [true]);
    const session = await beacon().sessionCount();
    assert.equal((await beacon().requestsOf([session])).length, most);
    await tick(...all);
    await advanceTo((await beacon().session([session])).commitEnds);
    const [first, second, ...others] = all as [Operator, Operator, ...Operator[]];
    await tick(...others);

    await client.request("evm_setAutomine", [false]);
    const revealing = Promise.all([first.member.tick(), second.member.tick()]);
    const isWaiting = async () => [first, second].every(({ queue }) => queue.pending().length === 1);
    while (!(await isWaiting())) await new Promise((resolve) => setTimeout(resolve, 20));
    const [{ to, data: reveal, gas: limit }] = second.queue.pending() as [StoredIntent];
    // The state that the head has is the one that both were tried on.
    const light = await client.public.estimateGas({
      account: second.operator,
      to,
      data: reveal,
      blockTag: "latest",
    });
    await new Promise((resolve) => setTimeout(resolve, 200));
    await client.request("evm_mine");
    await revealing;
    await client.request("evm_setAutomine", [true]);
    await client.request("evm_setIntervalMining", [1_000]);
    const { readyAt, revealed } = await beacon().session([session]);
    assert.deepEqual([revealed, readyAt > 0n], [operators, true]);
    const event = { address, event: sessionReady, fromBlock: 0n };
    const { transactionHash } = (await client.public.getLogs(event)).at(-1)!;
    const { gasUsed } = await client.public.getTransactionReceipt({ hash: transactionHash });
    assert.ok(gasUsed > 2n * light, "the estimate and as much again as a margin would not be enough");
    assert.ok(gasUsed < limit, `${gasUsed} of ${limit}`);
    assert.ok(limit < 2n * gasUsed, "the bound is not much more than what is needed");
  });

  /** Has all members do their part until each session from one on has its seed, and no bond is locked any more. */
  const seedAll = async (from: bigint): Promise<void> => {
    const last = await beacon().sessionCount();
    const ids = Array.from({ length: Number(last - from) + 1 }, (_, i) => from + BigInt(i));
    const isDone = async () => {
      const sessions = await Promise.all(ids.map((id) => beacon().session([id])));
      const bonds = await Promise.all(all.map(locked));
      return sessions.every(({ readyAt }) => readyAt !== 0n) && bonds.every((each) => each === 0n);
    };
    for (let i = 0; i < 8 && !(await isDone()); i++) {
      await network.chain.advance(120);
      for (let j = 0; j < 2; j++) await tick(...all);
    }
    assert.ok(await isDone());
  };

  it("attack: reveal what they have committed to, however many sessions a stranger's jobs have opened since", async () => {
    const session = await openSession();
    await tick(...all);
    const { committed, commitEnds } = await beacon().session([session]);
    assert.equal(committed, operators);
    await openForJobs(8);
    await advanceTo(commitEnds);
    // A keeper that was started anew knows of its session, too.
    await tick(...all.map(restarted));
    const { readyAt, revealed } = await beacon().session([session]);
    assert.deepEqual([revealed, readyAt > 0n], [operators, true]);
    await seedAll(session);
  });

  it("attack: keep stake for audits and bundles, whatever a stranger's jobs would have them join", async () => {
    const bond = await beacon().bond();
    const { bundleStake } = await all[0]!.contracts.DatasetRegistry.read.parameters();
    await openForJobs(6);
    const session = await openSession();
    await openForJobs(8);
    await tick(...all);
    assert.equal((await beacon().session([session])).committed, operators, "an audit waits for this one");
    const spare = (stake - bond - bundleStake) / bond;
    for (let i = 0; i < 2; i++) {
      await tick(...all);
      for (const operator of all) assert.equal(await locked(operator), spare * bond);
    }
    // The others come in turn, when bonds are free again.
    await seedAll(session - 6n);
  });

  it("reveal in a session whose seed is of no use any more, and have the bond back", async () => {
    const session = await openSession();
    const [late, ...others] = all;
    await tick(...all);
    await advanceTo((await beacon().session([session])).commitEnds);
    await tick(...others);
    assert.notEqual(await locked(late!), 0n);
    const { contracts } = late!;
    await network.chain.advance(Number(await contracts.DatasetRegistry.read.closeDelay()) + 1);
    const again = await open(1);
    await tick(again);
    assert.equal(await locked(late!), 0n);
    again.state.close();
  });

  it("begin anew when too few have committed, and have their bonds back", async () => {
    const session = await openSession();
    const [early, ...late] = all;
    await tick(early!);
    assert.notEqual(await locked(early!), 0n);
    await advanceTo((await beacon().session([session])).commitEnds);
    await tick(...late);
    const next = await beacon().session([session]);
    assert.equal(next.round, 1);
    await tick(...late);
    await advanceTo(next.commitEnds);
    await tick(...late);
    assert.notEqual((await beacon().session([session])).readyAt, 0n);
    assert.notEqual(await locked(early!), 0n);
    await tick(early!);
    assert.equal(await locked(early!), 0n);
  });

  it("go on without one that does not reveal, and take its bond", async () => {
    const session = await openSession();
    const [silent, ...others] = all;
    const bond = await beacon().bond();
    await tick(...all);
    const first = await beacon().session([session]);
    await advanceTo(first.commitEnds);
    await tick(...others);
    await advanceTo(first.revealEnds);
    await tick(...others);
    const { graceEnds } = await beacon().session([session]);
    assert.notEqual(graceEnds, 0n, "the timeout was called");
    await advanceTo(graceEnds);
    await tick(...others);
    const second = await beacon().session([session]);
    assert.equal(second.round, 1);
    await tick(...all);
    assert.equal((await beacon().session([session])).committed, operators - 1);
    await advanceTo(second.commitEnds);
    await tick(...all);
    assert.notEqual((await beacon().session([session])).readyAt, 0n);
    assert.equal(await locked(silent!), 0n);
    const { stake: left } = await silent!.contracts.Staking.read.operatorOf([silent!.operator]);
    assert.equal(left, stake - bond);
  });

  it("take the grace that a late one is given", async () => {
    const session = await openSession();
    const [, late, ...others] = all;
    await tick(late!, ...others);
    const { commitEnds, revealEnds } = await beacon().session([session]);
    await advanceTo(commitEnds);
    await tick(...others);
    await advanceTo(revealEnds);
    await tick(...others);
    assert.notEqual((await beacon().session([session])).graceEnds, 0n);
    await tick(restarted(late!));
    assert.notEqual((await beacon().session([session])).readyAt, 0n);
  });
});
