import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import hre from "hardhat";
import { bytesToHex, getAddress, keccak256 } from "viem";
import { AssayError, exitCode } from "../core/errors.ts";
import { type BeaconKind, type Circuit, circuits, type Deployment } from "./deployment.ts";

/** Verifying keys as bytes (docs/storage-protocol.md, section 7), by circuit. */
export type DeploymentKeys = Record<Circuit, Uint8Array>;

/** Module parameters by module and name, as Ignition takes them. */
export type DeployParameters = Record<string, Record<string, unknown>>;

export type DeployOptions = {
  /** A network of hardhat.config.ts. */
  network: string;
  /** RPC endpoint in place of the configured one. */
  url?: string;
  beacon: BeaconKind;
  keys: DeploymentKeys;
  /** Whether the keys come from a known trapdoor; the registry refuses such keys on public chains, and so does this. */
  development: boolean;
  parameters?: DeployParameters;
  /** Name under which Ignition keeps a journal, so that a broken deployment goes on; without it nothing is kept. */
  deploymentId?: string;
};

/** The modules read the compiled contracts as soon as they are loaded, so not before somebody deploys. */
async function moduleOf(beacon: BeaconKind) {
  const { AssayCommitReveal, AssayDrand, AssayVrf } = await import("../../../ignition/modules/Assay.ts");
  const modules = {
    CommitRevealBeacon: AssayCommitReveal,
    DrandBeacon: AssayDrand,
    VrfBeacon: AssayVrf,
  } as const;
  return modules[beacon];
}

const localChains = new Set([31337, 1337]);

/** A network that is connected, in this process or elsewhere. */
export type DeployConnection = Awaited<ReturnType<typeof hre.network.create>>;

/** Deploys all contracts, registers the verifying keys and wires the roles. */
export async function deployContracts(options: DeployOptions): Promise<Deployment> {
  const { network, url } = options;
  // Ignition keeps a journal for every network with an address. A chain that begins anew under the same id would find
  // the journal of its predecessor, and nothing would be deployed.
  const deploymentId = options.deploymentId ?? `once-${randomUUID()}`;
  const connection = await hre.network.create({
    network,
    ...(url === undefined ? {} : { override: { url } }),
  });
  try {
    return await deployOn(connection, { ...options, deploymentId });
  } finally {
    await connection.close();
    if (options.deploymentId === undefined) {
      await rm(join(hre.config.paths.ignition, "deployments", deploymentId), {
        recursive: true,
        force: true,
      });
    }
  }
}

/** As {@link deployContracts}, to a network that is connected already. */
export async function deployOn(
  connection: DeployConnection,
  options: Omit<DeployOptions, "network" | "url">,
): Promise<Deployment> {
  const { beacon, keys, development, parameters = {}, deploymentId } = options;
  const client = await connection.viem.getPublicClient();
  const chainId = await client.getChainId();
  if (development && !localChains.has(chainId)) {
    throw new AssayError(`development keys must not be deployed to chain ${chainId}`, {
      kept: "nothing was deployed",
      next: "make production keys with the ceremony (docs/ceremony.md) and name them with --keys",
      exitCode: exitCode.refused,
    });
  }
  const startBlock = await client.getBlockNumber();
  const keyHashes = Object.fromEntries(
    circuits.map((circuit) => [circuit, keccak256(keys[circuit])]),
  ) as Record<Circuit, `0x${string}`>;
  const contracts = await connection.ignition.deploy(await moduleOf(beacon), {
    parameters: {
      ...parameters,
      Verifier: {
        development,
        ...Object.fromEntries(circuits.map((circuit) => [`${circuit}Key`, bytesToHex(keys[circuit])])),
      },
      Storage: {
        ...parameters.Storage,
        ...Object.fromEntries(circuits.map((circuit) => [`${circuit}KeyHash`, keyHashes[circuit]])),
      },
    } as never,
    displayUi: false,
    deploymentId,
  });
  return {
    chainId,
    startBlock,
    beacon,
    addresses: {
      AssayToken: getAddress(contracts.token.address),
      Staking: getAddress(contracts.staking.address),
      DatasetRegistry: getAddress(contracts.datasets.address),
      BundleRegistry: getAddress(contracts.bundles.address),
      StorageAudit: getAddress(contracts.audit.address),
      RetrievalChallenges: getAddress(contracts.retrieval.address),
      EncodingFraud: getAddress(contracts.fraud.address),
      Escrow: getAddress(contracts.escrow.address),
      JobRegistry: getAddress(contracts.jobs.address),
      Instalments: getAddress(contracts.instalments.address),
      DisputeGame: getAddress(contracts.game.address),
      DescentRules: getAddress(contracts.descentRules.address),
      ElementRules: getAddress(contracts.elementRules.address),
      SumRules: getAddress(contracts.sumRules.address),
      RangeRules: getAddress(contracts.rangeRules.address),
      InputRules: getAddress(contracts.inputRules.address),
      VoidRules: getAddress(contracts.voidRules.address),
      WorkerRewards: getAddress(contracts.rewards.address),
      Market: getAddress(contracts.market.address),
      ValidatorSet: getAddress(contracts.validators.address),
      Committee: getAddress(contracts.committee.address),
      ModelCertificate: getAddress(contracts.certificates.address),
      VerifierRegistry: getAddress(contracts.verifier.address),
      [beacon]: getAddress(contracts.beacon.address),
    } as Deployment["addresses"],
    keyHashes,
  };
}
