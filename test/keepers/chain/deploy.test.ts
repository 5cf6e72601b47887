import assert from "node:assert/strict";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import hre from "hardhat";
import { type Address, hexToBytes } from "viem";
import {
  type DeployParameters,
  deployOn,
  readParameters,
  withParameters,
} from "../../../keepers/src/chain/deploy.ts";
import { type Circuit, circuits, parseDeployment } from "../../../keepers/src/chain/deployment.ts";
import { createInstance } from "../../contracts/zk/trapdoor.ts";

const keys = Object.fromEntries(
  circuits.map((circuit, i) => [circuit, hexToBytes(createInstance(3 + i, 900n + BigInt(i)).key)]),
) as Record<Circuit, Uint8Array>;

/** A chain in this process that says to be Linea Sepolia. */
const publicChain = () => hre.network.create({ network: "embedded", override: { chainId: 59_141 } });
type Chain = Awaited<ReturnType<typeof publicChain>>;

const accountsOf = async ({ viem }: Chain): Promise<Address[]> =>
  (await viem.getWalletClients()).map(({ account }) => account.address);

describe("deploying", () => {
  const chains: Chain[] = [];
  const opened = async (chain: Promise<Chain>): Promise<Chain> => {
    chains.push(await chain);
    return await chain;
  };
  after(() => Promise.all(chains.map((chain) => chain.close())));

  it("attack C10: to a public network asks for two parties who are not the deployer, before anything is sent", async () => {
    const chain = await opened(publicChain());
    const [deployer, a, b] = await accountsOf(chain);
    for (const Governance of [
      {},
      { proposer: a },
      { proposer: a, executor: a },
      { proposer: deployer, executor: b },
      { proposer: a, executor: deployer },
      { proposer: a, executor: "nobody" },
    ]) {
      await assert.rejects(
        deployOn(chain, { beacon: "DrandBeacon", keys, parameters: { Governance } }),
        /two parties/,
        JSON.stringify(Governance),
      );
    }
    const client = await chain.viem.getPublicClient();
    assert.equal(await client.getTransactionCount({ address: deployer! }), 0);
  });

  it("takes the parameters that are written for each public network, and stakes in a token that is there", async () => {
    const folder = join(hre.config.paths.root, "ignition", "parameters");
    for (const name of (await readdir(folder)).filter((each) => each !== "embedded.json5")) {
      const chain = await opened(publicChain());
      const [deployer, proposer, executor] = await accountsOf(chain);
      const token = await chain.viem.deployContract("AssayToken", [deployer!, 1n]);
      const parameters = withParameters(await readParameters(join(folder, name)), {
        Governance: { proposer, executor },
      });
      const deployment = await deployOn(chain, {
        ...{ beacon: "DrandBeacon", keys, parameters },
        token: token.address,
      });
      assert.equal(deployment.addresses.AssayToken.toLowerCase(), token.address);
      const staking = await chain.viem.getContractAt("Staking", deployment.addresses.Staking);
      assert.equal((await staking.read.token()).toLowerCase(), token.address);
      // 5,000 stands in the files alone: the module's own value is another.
      assert.deepEqual(await staking.read.parameters(), [1_209_600n, 5_000], name);
      const { administration, guardian, access } = deployment.governance!;
      const timelock = await chain.viem.getContractAt("TwoPartyTimelock", administration);
      assert.equal(await timelock.read.getMinDelay(), 604_800n);
      assert.equal(await timelock.read.hasRole([await timelock.read.PROPOSER_ROLE(), proposer!]), true);
      assert.equal(await timelock.read.hasRole([await timelock.read.EXECUTOR_ROLE(), executor!]), true);
      const sealed = await chain.viem.getContractAt("SealedAccess", access);
      assert.equal(await sealed.read.administrator(), administration);
      assert.equal((await sealed.read.hasRole([1n, guardian]))[0], true);
      const written = JSON.parse(JSON.stringify({ ...deployment, startBlock: "0" }));
      assert.deepEqual(parseDeployment(written).governance, deployment.governance);
    }
  });

  it("refuses a token that is no contract", async () => {
    const chain = await opened(hre.network.create({ network: "embedded" }));
    const [, nobody] = await accountsOf(chain);
    await assert.rejects(
      deployOn(chain, { beacon: "CommitRevealBeacon", keys, token: nobody! }),
      /no contract at/,
    );
  });

  it("stands on Chainlink VRF where the coordinator is named, and asks for what is missing", async () => {
    const chain = await opened(hre.network.create({ network: "embedded" }));
    const on = (VrfBeacon: DeployParameters[string]) =>
      deployOn(chain, { beacon: "VrfBeacon", keys, parameters: { VrfBeacon } });
    const keyHash = `0x${"11".repeat(32)}`;
    await assert.rejects(on({ keyHash }), /coordinator, subscriptionId/);
    const [, nobody] = await accountsOf(chain);
    await assert.rejects(on({ coordinator: nobody, subscriptionId: 1n, keyHash }), /no contract at/);
    const coordinator = await chain.viem.deployContract("VRFCoordinatorV2_5Mock", [0n, 0n, 1n]);
    const deployment = await on({ coordinator: coordinator.address, subscriptionId: 1n, keyHash });
    const beacon = await chain.viem.getContractAt("VrfBeacon", deployment.addresses.VrfBeacon!);
    assert.equal((await beacon.read.s_vrfCoordinator()).toLowerCase(), coordinator.address);
    assert.equal(await beacon.read.owner(), deployment.governance!.access);
    const audit = await chain.viem.getContractAt("StorageAudit", deployment.addresses.StorageAudit);
    assert.equal(await audit.read.beacon(), beacon.address);
  });

  it("says which file of parameters cannot be read", async () => {
    const folder = await mkdtemp(join(tmpdir(), "assay-parameters-"));
    try {
      await assert.rejects(readParameters(join(folder, "none.json5")), /none\.json5 cannot be read/);
      for (const text of ["{", "[1]", "{ Staking: 5 }"]) {
        const path = join(folder, "bad.json5");
        await writeFile(path, text);
        await assert.rejects(readParameters(path), /bad\.json5 cannot be read/, text);
      }
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
