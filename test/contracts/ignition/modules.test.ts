import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { network } from "hardhat";
import { getAddress, keccak256 } from "viem";
import { CommitReveal, Drand, Vrf } from "../../../ignition/modules/Beacon.ts";
import { roleFunctions, selectorsOf } from "../../../ignition/modules/roles.ts";
import Verifier, { circuitId, circuits } from "../../../ignition/modules/Verifier.ts";
import { createInstance, developmentKey } from "../zk/trapdoor.ts";

const keys = circuits.map((circuit, i) => ({ circuit, key: createInstance(3 + i, 900n + BigInt(i)).key }));
const verifierParameters = {
  Verifier: Object.fromEntries(keys.map(({ circuit, key }) => [`${circuit}Key`, key])),
};

describe("Ignition modules", async () => {
  it("Drand is evmnet by default", async () => {
    const { ignition } = await network.create();
    const { beacon, access } = await ignition.deploy(Drand);
    assert.equal(await beacon.read.authority(), getAddress(access.address));
    // Round 6390578 of evmnet is a published vector; its time follows from genesis and period.
    assert.equal(await beacon.read.timeOf([6_390_578n]), 1_727_521_075n + 6_390_577n * 3n);
    assert.equal(await beacon.read.margin(), 600n);
    assert.equal(await beacon.read.redrawAfter(), 86_400n);
  });

  it("CommitReveal stands on Staking", async () => {
    const { ignition } = await network.create();
    const { beacon, staking } = await ignition.deploy(CommitReveal);
    assert.equal(await beacon.read.staking(), getAddress(staking.address));
    assert.ok((await beacon.read.maxDrawValue()) < (await beacon.read.bond()));
  });

  it("attack 18: Vrf leaves no power over the coordinator with the deployer", async () => {
    const { ignition, viem } = await network.create();
    const coordinator = await viem.deployContract("VRFCoordinatorV2_5Mock", [0n, 0n, 1n]);
    const { beacon, access } = await ignition.deploy(Vrf, {
      parameters: {
        VrfBeacon: {
          coordinator: coordinator.address,
          subscriptionId: 1n,
          keyHash: `0x${"11".repeat(32)}`,
        },
      },
    });
    assert.equal(await beacon.read.owner(), getAddress(access.address));
  });

  it("Verifier registers the three keys", async () => {
    const { ignition } = await network.create();
    const { registry } = await ignition.deploy(Verifier, { parameters: verifierParameters });
    for (const [i, { circuit, key }] of keys.entries()) {
      const [, id, development, inputs] = await registry.read.keyInfo([keccak256(key)]);
      assert.deepEqual([id, development, inputs], [circuitId(circuit), false, BigInt(3 + i)]);
    }
  });

  it("attack 16: Verifier with development keys does not deploy to a public chain", async () => {
    const { ignition } = await network.create({ override: { chainId: 59_141 } });
    await assert.rejects(
      ignition.deploy(Verifier, {
        parameters: {
          Verifier: { ...verifierParameters.Verifier, possessionKey: developmentKey("possession") },
        },
      }),
      /DevelopmentKeyOnPublicChain/,
    );
  });

  it("every function that a role opens is there", async () => {
    const { viem } = await network.create();
    const [owner] = await viem.getWalletClients();
    const access = await viem.deployContract("SealedAccess", [owner!.account.address]);
    const escrow = await viem.deployContract("Escrow", [access.address, access.address]);
    for (const names of Object.values(roleFunctions.escrow)) {
      assert.equal(selectorsOf(escrow.abi, names).length, names.length);
    }
    assert.throws(() => selectorsOf(escrow.abi, ["nothing"]), /0 functions named nothing/);
  });
});
