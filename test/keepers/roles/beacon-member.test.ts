import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { pino } from "pino";
import { bytesToHex, parseUnits } from "viem";
import { connectContracts } from "../../../keepers/src/chain/contracts.ts";
import { createTransactionQueue } from "../../../keepers/src/chain/transactions/queue.ts";
import { transactionSchema } from "../../../keepers/src/chain/transactions/store.ts";
import { EmbeddedNetwork } from "../../../keepers/src/roles/embedded/network.ts";
import { BeaconMember, beaconSchema } from "../../../keepers/src/roles/storage-node/beacon-member.ts";
import { type DutyContext, sendCall } from "../../../keepers/src/roles/storage-node/context.ts";
import { openState, type State } from "../../../keepers/src/storage/state/state.ts";

const stake = parseUnits("1000", 18);
const operators = 4;

type Operator = DutyContext & { state: State; member: BeaconMember };

/** The contract under test is the real one; sessions are opened by the audit contract, as on any network. */
describe("members of the commit-reveal beacon", () => {
  let folder: string;
  let network: EmbeddedNetwork;
  const all: Operator[] = [];

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "assay-beacon-"));
    network = await EmbeddedNetwork.start({ folder, nodes: 0 });
    const contracts = connectContracts(network.client.public, network.deployment);
    const open = (index: number): Operator => {
      const account = network.chain.account(index);
      const state = openState({ path: ":memory:", schemas: [transactionSchema, beaconSchema] });
      const queue = createTransactionQueue({
        client: network.client,
        state,
        account,
        pollInterval: 50,
        gasMargin: 100,
      });
      const { client, deployment } = network;
      const log = pino({ level: "silent" });
      const context = { operator: account.address, client, deployment, contracts, queue, log };
      return { ...context, state, member: new BeaconMember({ ...context, state }) };
    };
    const owner = { ...open(0), queue: createOwnerQueue() };
    for (let index = 1; index <= operators; index++) {
      const operator = open(index);
      await sendCall(owner, `fund:${index}`, "AssayToken", "transfer", [operator.operator, stake]);
      const peer = bytesToHex(new Uint8Array(38).fill(index));
      await sendCall(operator, "register", "Staking", "register", [1, peer, `/ip4/127.0.0.1/tcp/${index}`]);
      const { Staking } = network.deployment.addresses;
      await sendCall(operator, "approve", "AssayToken", "approve", [Staking, stake]);
      await sendCall(operator, "stake", "Staking", "stake", [stake]);
      all.push(operator);
    }
  });

  after(async () => {
    for (const { state } of all) state.close();
    await network?.close();
    await rm(folder, { recursive: true, force: true });
  });

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
  const tick = async (...members: Operator[]) => {
    for (const { member } of members) await member.tick();
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
