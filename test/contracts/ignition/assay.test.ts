import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { network } from "hardhat";
import { keccak256, zeroAddress } from "viem";
import { AssayCommitReveal, AssayDrand, AssayDrandOnToken } from "../../../ignition/modules/Assay.ts";
import { roleFunctions, type roles, selectorsOf } from "../../../ignition/modules/roles.ts";
import { circuits } from "../../../ignition/modules/Verifier.ts";
import { createInstance } from "../zk/trapdoor.ts";

const keys = circuits.map((circuit, i) => ({ circuit, key: createInstance(3 + i, 900n + BigInt(i)).key }));
const parameters = {
  Verifier: {
    ...Object.fromEntries(keys.map(({ circuit, key }) => [`${circuit}Key`, key])),
  },
  Storage: Object.fromEntries(keys.map(({ circuit, key }) => [`${circuit}KeyHash`, keccak256(key)])),
};

describe("Ignition module Assay", async () => {
  it("opens each function to the contracts that need it and to no other contract", async () => {
    const { ignition } = await network.create();
    const deployed = await ignition.deploy(AssayCommitReveal, { parameters });
    const { access, staking, beacon, datasets, bundles, audit, retrieval, fraud } = deployed;
    const { jobs, escrow, game, certificates, shortfalls, resultFraud } = deployed;
    const expected: Record<keyof typeof roles, readonly `0x${string}`[]> = {
      beaconConsumer: [audit.address],
      guardian: [],
      auditModule: [audit.address],
      faultModule: [audit.address, retrieval.address],
      fraudModule: [fraud.address],
      holdingModule: [bundles.address],
      marketModule: [],
      jobModule: [jobs.address],
      committeeModule: [],
      memberModule: [],
      resultModule: [shortfalls.address, resultFraud.address],
    };
    const callers = [
      ...[staking, beacon, datasets, bundles, audit, retrieval, fraud],
      ...[jobs, escrow, game, certificates, shortfalls, resultFraud],
    ].map(({ address }) => address);
    for (const area of Object.keys(roleFunctions) as (keyof typeof roleFunctions)[]) {
      const { abi, address } = deployed[area];
      for (const [role, names] of Object.entries<readonly string[]>(roleFunctions[area])) {
        for (const selector of selectorsOf(abi, names)) {
          for (const caller of callers) {
            const [allowed] = await access.read.canCall([caller, address, selector]);
            const wanted = expected[role as keyof typeof roles].includes(caller);
            assert.equal(allowed, wanted, `${area} ${names} by ${caller}`);
          }
        }
      }
    }
  });

  it("wires jobs, game and certificates once, and puts up bonds that the game takes", async () => {
    const { ignition, viem, networkHelpers } = await network.create();
    const deployed = await ignition.deploy(AssayCommitReveal, { parameters });
    const { jobs, game, certificates, instalments, escrow, administration } = deployed;
    const lower = (address: string) => address.toLowerCase();
    assert.equal(lower(await jobs.read.game()), lower(game.address));
    assert.equal(lower(await jobs.read.certificate()), lower(certificates.address));
    assert.equal(lower(await jobs.read.instalments()), lower(instalments.address));
    assert.equal(lower(await instalments.read.registry()), lower(jobs.address));
    assert.equal(lower(await jobs.read.escrow()), lower(escrow.address));
    assert.equal(lower(await game.read.claims()), lower(jobs.address));
    const [, stranger] = await viem.getWalletClients();
    const modules = [game.address, zeroAddress, certificates.address, instalments.address] as const;
    await assert.rejects(
      jobs.write.setModules(modules, { account: stranger!.account }),
      /AccessManagedUnauthorized/,
    );
    await networkHelpers.setBalance(administration.address, 10n ** 18n);
    await networkHelpers.impersonateAccount(administration.address);
    await assert.rejects(
      jobs.write.setModules(modules, { account: administration.address }),
      /InvalidModules/,
    );
  });

  it("attack 16: audits only with the keys that were named at deployment", async () => {
    const { ignition } = await network.create();
    const { audit, bundles, fraud, verifier } = await ignition.deploy(AssayDrand, { parameters });
    const hashes = keys.map(({ key }) => keccak256(key));
    assert.deepEqual(
      [
        await audit.read.possessionKey(),
        await audit.read.coveringKey(),
        await bundles.read.registrationKey(),
        await fraud.read.possessionKey(),
      ],
      [hashes[0], hashes[1], hashes[2], hashes[0]],
    );
    for (const hash of hashes) assert.notEqual((await verifier.read.keyInfo([hash!]))[3], 0n);
  });

  it("stakes and pays in a token that is there already", async () => {
    const { ignition, viem } = await network.create();
    const [owner] = await viem.getWalletClients();
    const token = await viem.deployContract("AssayToken", [owner!.account.address, 1n]);
    const deployed = await ignition.deploy(AssayDrandOnToken, {
      parameters: { ...parameters, Token: { address: token.address } },
    });
    for (const each of [deployed.staking, deployed.datasets, deployed.bundles]) {
      assert.equal((await each.read.token()).toLowerCase(), token.address);
    }
  });

  it("leaves nobody able to name another audit module", async () => {
    const { ignition, viem, networkHelpers } = await network.create();
    const { bundles, audit, administration } = await ignition.deploy(AssayDrand, { parameters });
    assert.equal((await bundles.read.audit()).toLowerCase(), audit.address.toLowerCase());
    const [deployer, stranger] = await viem.getWalletClients();
    const modules = [stranger!.account.address, stranger!.account.address] as const;
    for (const { account } of [deployer!, stranger!]) {
      await assert.rejects(bundles.write.setModules(modules, { account }), /AccessManagedUnauthorized/);
    }
    await networkHelpers.setBalance(administration.address, 10n ** 18n);
    await networkHelpers.impersonateAccount(administration.address);
    await assert.rejects(
      bundles.write.setModules(modules, { account: administration.address }),
      /ModulesAlreadySet/,
    );
  });
});
