import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { network } from "hardhat";
import { type Address, encodeFunctionData, getAddress, type Hex, parseAbi, zeroHash } from "viem";
import { AssayDrand } from "../../../ignition/modules/Assay.ts";
import { roleFunctions, roles, selectorsOf } from "../../../ignition/modules/roles.ts";
import {
  ask,
  type Contract,
  delay,
  deployGoverned,
  type Governed,
  isRefused,
  keyParameters,
  powersOf,
} from "../ignition/deployed.ts";

const setAuthorityAbi = parseAbi(["function setAuthority(address authority)"]);

const proposal = (to: Address, data: Hex) => [to, 0n, data, zeroHash, zeroHash] as const;

/** Has the two parties do something: announced by one, done by the other after the delay. */
async function together(
  governed: Governed,
  by: "administration" | "guardian",
  to: Address,
  data: Hex,
): Promise<void> {
  const { contracts, connection, parties } = governed;
  const timelock = contracts[by];
  const wait = await timelock.read.getMinDelay();
  await timelock.write.schedule([...proposal(to, data), wait], { account: parties.proposer });
  if (wait > 0n) await connection.networkHelpers.time.increase(wait);
  await timelock.write.execute([...proposal(to, data)], { account: parties.executor });
}

/** A slash takes at most what the caller itself has locked: nobody's stake is within these accounts' reach. */
async function keepsItsStake({ contracts, parties }: Governed, by: Address): Promise<void> {
  const { token, staking, bundles } = contracts;
  const stake = 1_000n * 10n ** 18n;
  const account = parties.stranger;
  await token.write.transfer([account, stake]);
  await token.write.approve([staking.address, stake], { account });
  await staking.write.register([1, "0x0024", "/dns4/localhost/tcp/1"], { account });
  await staking.write.stake([stake], { account });
  await staking.write.approve([bundles.address, stake], { account });
  await staking.write.slash([account, stake, by, zeroHash], { account: by });
  assert.equal((await staking.read.operatorOf([account])).stake, stake);
  assert.equal(await token.read.balanceOf([staking.address]), stake);
}

describe("powers after the deployment", async () => {
  it("attack C10: the deployer can neither slash, empty the escrow, pause, re-point a module nor change anything", async () => {
    const governed = await deployGoverned();
    const all = await powersOf(governed);
    const names = all.map(({ contract, name }) => `${contract}.${name}`);
    for (const name of ["escrow.payPrice", "escrow.payFee", "staking.pause", "bundles.setModules"]) {
      assert.ok(names.includes(name), name);
    }
    for (const power of all) {
      const answer = await ask(governed, governed.parties.deployer, power);
      assert.ok(isRefused(answer), `${power.contract}.${power.name}: ${JSON.stringify(answer)}`);
    }
    const { access, escrow } = governed.contracts;
    const { deployer } = governed.parties;
    // By itself, or by making itself somebody else.
    await assert.rejects(access.write.grantRole([roles.jobModule, deployer, 0]), /Unauthorized/);
    await assert.rejects(access.write.grantRole([roles.guardian, deployer, 0]), /Unauthorized/);
    await assert.rejects(access.write.setTargetClosed([escrow.address, true]), /Unauthorized/);
    await assert.rejects(access.write.seal([governed.contracts.guardian.address]), /AlreadySealed/);
    const setAuthority = encodeFunctionData({
      abi: setAuthorityAbi,
      functionName: "setAuthority",
      args: [deployer],
    });
    await assert.rejects(access.write.execute([escrow.address, setAuthority]), /Unauthorized/);
    await keepsItsStake(governed, deployer);
  });

  it("attack C10: one of the two parties alone can do nothing, and can keep the other from anything", async () => {
    const governed = await deployGoverned();
    const { contracts, connection, parties } = governed;
    const { administration, guardian, access, market } = contracts;
    const all = await powersOf(governed);
    for (const party of [parties.proposer, parties.executor]) {
      for (const power of all) {
        if (power.to === administration.address || power.to === guardian.address) continue;
        const answer = await ask(governed, party, power);
        assert.ok(isRefused(answer), `${power.contract}.${power.name} by ${party}`);
      }
    }
    const [pause] = selectorsOf(market.abi, ["pause"]);
    const grant = encodeFunctionData({
      abi: access.abi,
      functionName: "grantRole",
      args: [roles.guardian, parties.proposer, 0],
    });
    for (const [timelock, to, data] of [
      [guardian, market.address, pause!],
      [administration, access.address, grant],
    ] as const) {
      const wait = await timelock.read.getMinDelay();
      const call = proposal(to, data);
      await assert.rejects(
        timelock.write.schedule([...call, wait], { account: parties.executor }),
        /AccessControlUnauthorizedAccount/,
      );
      for (const canceller of [parties.proposer, parties.executor]) {
        await timelock.write.schedule([...call, wait], { account: parties.proposer });
        await connection.networkHelpers.time.increase(wait + 1n);
        await assert.rejects(
          timelock.write.execute(call, { account: parties.proposer }),
          /AccessControlUnauthorizedAccount/,
        );
        const id = await timelock.read.hashOperation(call);
        await timelock.write.cancel([id], { account: canceller });
        await assert.rejects(
          timelock.write.execute(call, { account: parties.executor }),
          /TimelockUnexpectedOperationState/,
        );
      }
    }
  });

  it("both together change a parameter after the delay and not before, and pause at once", async () => {
    const governed = await deployGoverned();
    const { contracts, connection, parties } = governed;
    const { administration, staking, market } = contracts;
    const data = encodeFunctionData({
      abi: staking.abi,
      functionName: "setParameters",
      args: [20n * 86_400n, 1_000],
    });
    const call = proposal(staking.address, data);
    await assert.rejects(
      administration.write.schedule([...call, BigInt(delay - 1)], { account: parties.proposer }),
      /TimelockInsufficientDelay/,
    );
    await administration.write.schedule([...call, BigInt(delay)], { account: parties.proposer });
    await connection.networkHelpers.time.increase(delay - 10);
    await assert.rejects(
      administration.write.execute(call, { account: parties.executor }),
      /TimelockUnexpectedOperationState/,
    );
    await connection.networkHelpers.time.increase(10);
    await administration.write.execute(call, { account: parties.executor });
    assert.deepEqual(await staking.read.parameters(), [20n * 86_400n, 1_000]);
    const [pause] = selectorsOf(market.abi, ["pause"]);
    await together(governed, "guardian", market.address, pause!);
    assert.equal(await market.read.paused(), true);
  });

  it("attack C10: not even both parties name another module, open a function, close a contract or move its authority", async () => {
    const governed = await deployGoverned();
    const { access, escrow, administration, guardian, datasets } = governed.contracts;
    const { stranger } = governed.parties;
    await governed.connection.networkHelpers.impersonateAccount(administration.address);
    await governed.connection.networkHelpers.setBalance(administration.address, 10n ** 18n);
    const account = administration.address;
    const selectors = selectorsOf(escrow.abi, ["payPrice"]);
    for (const role of Object.values(roles)) {
      if (role === roles.guardian) continue;
      await assert.rejects(access.write.grantRole([role, stranger, 0], { account }), /RoleSealed/);
      await assert.rejects(access.write.revokeRole([role, escrow.address], { account }), /RoleSealed/);
    }
    await assert.rejects(access.write.grantRole([0n, stranger, 0], { account }), /RoleSealed/);
    await assert.rejects(access.write.grantRole([77n, stranger, 0], { account }), /RoleSealed/);
    await assert.rejects(access.write.setRoleAdmin([roles.guardian, 77n], { account }), /RoleSealed/);
    for (const role of [0n, roles.guardian, 2n ** 64n - 1n]) {
      const change = access.write.setTargetFunctionRole([escrow.address, selectors, role], { account });
      await assert.rejects(change, /FunctionSealed/);
    }
    await assert.rejects(access.write.setTargetClosed([escrow.address, true], { account }), /NeverClosed/);
    await assert.rejects(
      access.read.updateAuthority([escrow.address, stranger], { account }),
      /AuthorityFixed/,
    );
    const setAuthority = encodeFunctionData({
      abi: setAuthorityAbi,
      functionName: "setAuthority",
      args: [stranger],
    });
    await assert.rejects(
      access.write.execute([escrow.address, setAuthority], { account }),
      /AccessManagerUnauthorizedCall/,
    );
    await assert.rejects(escrow.write.payPrice([1n, stranger, 1n], { account }), /AccessManagedUnauthorized/);
    await assert.rejects(
      datasets.write.payFee([zeroHash, stranger, 1n], { account }),
      /AccessManagedUnauthorized/,
    );
    await keepsItsStake(governed, account);
    // What is left of roles: who pauses.
    await access.write.revokeRole([roles.guardian, guardian.address], { account });
    await access.write.grantRole([roles.guardian, stranger, 0], { account });
    assert.equal((await access.read.hasRole([roles.guardian, stranger]))[0], true);
  });

  it("attack C10: the delay never falls below the deployment's, whatever both parties agree on", async () => {
    const governed = await deployGoverned();
    const { administration } = governed.contracts;
    const data = (seconds: bigint) =>
      encodeFunctionData({ abi: administration.abi, functionName: "updateDelay", args: [seconds] });
    await together(governed, "administration", administration.address, data(0n));
    assert.equal(await administration.read.getMinDelay(), BigInt(delay));
    await together(governed, "administration", administration.address, data(86_400n));
    assert.equal(await administration.read.getMinDelay(), 86_400n);
  });

  it("attack C10: of all roles that were ever granted, contracts and the two timelocks are left", async () => {
    const { contracts, client, parties } = await deployGoverned("vrf");
    const { access, administration, guardian, audit, committee, retrieval, fraud, bundles } = contracts;
    const { market, jobs, memberGame, shortfalls, resultFraud } = contracts;
    const events = await client.getContractEvents({
      abi: access.abi,
      address: access.address,
      fromBlock: 0n,
    });
    const holders = new Map<bigint, Set<string>>();
    for (const event of events) {
      if (event.eventName !== "RoleGranted" && event.eventName !== "RoleRevoked") continue;
      const { roleId, account } = event.args as { roleId: bigint; account: Address };
      const those = holders.get(roleId) ?? new Set();
      holders.set(roleId, those);
      if (event.eventName === "RoleGranted") those.add(getAddress(account));
      else those.delete(getAddress(account));
    }
    const expected: Record<keyof typeof roles, readonly Contract[]> = {
      guardian: [guardian],
      beaconConsumer: [audit, committee],
      auditModule: [audit],
      faultModule: [audit, retrieval],
      fraudModule: [fraud],
      holdingModule: [bundles],
      marketModule: [market],
      jobModule: [jobs],
      committeeModule: [committee],
      memberModule: [memberGame],
      resultModule: [shortfalls, resultFraud],
    };
    const sorted = (all: Iterable<string>) => [...all].map((each) => getAddress(each)).sort();
    assert.deepEqual(sorted(holders.get(0n)!), [getAddress(administration.address)]);
    assert.equal(await access.read.administrator(), getAddress(administration.address));
    for (const [name, those] of Object.entries(expected)) {
      const id = roles[name as keyof typeof roles];
      assert.deepEqual(sorted(holders.get(id)!), sorted(those.map(({ address }) => address)), name);
    }
    assert.equal(holders.size, Object.keys(roles).length + 1);
    const timelocks = [administration, guardian] as const;
    for (const { address, abi, read } of timelocks) {
      const granted = await client.getContractEvents({
        ...{ abi, address, eventName: "RoleGranted" as const },
        fromBlock: 0n,
      });
      const found = granted.map(({ args }) => `${args.role} ${getAddress(args.account!)}`).sort();
      const wanted = [
        `${zeroHash} ${getAddress(address)}`,
        `${await read.PROPOSER_ROLE()} ${getAddress(parties.proposer)}`,
        `${await read.CANCELLER_ROLE()} ${getAddress(parties.proposer)}`,
        `${await read.CANCELLER_ROLE()} ${getAddress(parties.executor)}`,
        `${await read.EXECUTOR_ROLE()} ${getAddress(parties.executor)}`,
      ];
      assert.deepEqual(found, wanted.sort());
    }
  });

  it("attack C10: before the seal the deployer uses no role that it gives itself, and calls nothing but what wires", async () => {
    const { viem } = await network.create();
    const [owner] = await viem.getWalletClients();
    const { address } = owner!.account;
    const access = await viem.deployContract("SealedAccess", [address]);
    const token = await viem.deployContract("AssayToken", [address, 1n]);
    const escrow = await viem.deployContract("Escrow", [access.address, token.address]);
    const pay = () => escrow.write.payPrice([1n, address, 1n]);
    await assert.rejects(pay(), /AccessManagedUnauthorized/);
    await access.write.grantRole([roles.jobModule, address, 0]);
    const selectors = selectorsOf(escrow.abi, roleFunctions.escrow.jobModule);
    await access.write.setTargetFunctionRole([escrow.address, selectors, roles.jobModule]);
    await assert.rejects(pay(), /AccessManagedUnauthorized/);
    await assert.rejects(access.read.updateAuthority([escrow.address, address]), /AuthorityFixed/);
    await assert.rejects(access.write.setRoleAdmin([roles.guardian, 77n]), /RoleSealed/);
    await assert.rejects(access.write.grantRole([0n, `0x${"11".repeat(20)}`, 0]), /RoleSealed/);
  });

  it("attack C10: on a public chain nothing deploys where the parties and the deployer are not three, or the delay is short", async () => {
    const publicChain = () => network.create({ override: { chainId: 59_141 } });
    const { viem } = await publicChain();
    const [deployer, a, b] = (await viem.getWalletClients()).map(({ account }) => account.address);
    const attempts: [Record<string, unknown>, RegExp | undefined][] = [
      [{}, /PartiesMustDiffer/],
      [{ proposer: a, executor: a }, /PartiesMustDiffer/],
      [{ proposer: a, executor: deployer }, /PartiesMustDiffer/],
      [{ proposer: deployer, executor: b }, /PartiesMustDiffer/],
      [{ proposer: a, executor: `0x${"00".repeat(20)}` }, /PartiesMustDiffer/],
      [{ proposer: a, executor: b, delay: 7 * 86_400 - 1 }, /DelayTooShort/],
      [{ proposer: a, executor: b }, undefined],
    ];
    for (const [governance, refusal] of attempts) {
      const { ignition } = await publicChain();
      const deployed = ignition.deploy(AssayDrand, {
        parameters: { ...keyParameters, Governance: governance } as never,
      });
      if (refusal === undefined) {
        const { administration, access } = await deployed;
        assert.equal(await administration.read.getMinDelay(), 7n * 86_400n);
        assert.equal(await access.read.isSealed(), true);
      } else {
        await assert.rejects(deployed, refusal, JSON.stringify(governance));
      }
    }
  });

  it("is sealed once, by its deployer, to two parties", async () => {
    const { viem } = await network.create();
    const [deployer, a, b] = (await viem.getWalletClients()).map(({ account }) => account);
    const timelock = await viem.deployContract("TwoPartyTimelock", [0n, a!.address, b!.address]);
    const access = await viem.deployContract("SealedAccess", [deployer!.address]);
    await viem.assertions.revertWithCustomError(
      access.write.seal([timelock.address], { account: a! }),
      access,
      "AccessManagerUnauthorizedAccount",
    );
    await viem.assertions.emitWithArgs(access.write.seal([timelock.address]), access, "SealedBy", [
      getAddress(deployer!.address),
      getAddress(timelock.address),
    ]);
    assert.equal(await access.read.isSealed(), true);
  });
});
