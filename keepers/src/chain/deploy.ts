import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import hre from "hardhat";
import { type Address, bytesToHex, getAddress, isAddressEqual, keccak256 } from "viem";
import { z } from "zod";
import { AssayError, exitCode } from "../core/errors.ts";
import { isDevelopmentKey } from "../core/groth16/development-keys.ts";
import { type BeaconKind, type Circuit, circuits, type Deployment } from "./deployment.ts";
import { addressSchema } from "./deployment-format.ts";
import { isLocalChain } from "./local-chains.ts";

const parametersSchema = z.record(z.string(), z.record(z.string(), z.unknown()));
const nothingDeployed = "nothing was deployed";

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
  parameters?: DeployParameters;
  /** An ERC-20 that is there already, to stake and pay in; without it a token is deployed and minted to the deployer. */
  token?: Address;
  /** Name under which Ignition keeps a journal, so that a broken deployment goes on; without it nothing is kept. */
  deploymentId?: string;
};

/** The modules read the compiled contracts as soon as they are loaded, so not before somebody deploys. */
async function moduleOf(beacon: BeaconKind, isOnToken: boolean) {
  const assay = await import("../../../ignition/modules/Assay.ts");
  const modules = {
    CommitRevealBeacon: [assay.AssayCommitReveal, assay.AssayCommitRevealOnToken],
    DrandBeacon: [assay.AssayDrand, assay.AssayDrandOnToken],
    VrfBeacon: [assay.AssayVrf, assay.AssayVrfOnToken],
  } as const;
  return modules[beacon][isOnToken ? 1 : 0];
}

/**
 * Module parameters from a file like those in `ignition/parameters`.
 * @throws AssayError when it cannot be read
 */
export async function readParameters(path: string): Promise<DeployParameters> {
  const { readDeploymentParameters } = await import("@nomicfoundation/hardhat-ignition/helpers");
  try {
    const read: unknown = await readDeploymentParameters(path);
    return parametersSchema.parse(read);
  } catch (cause) {
    throw new AssayError(`the parameters in ${path} cannot be read`, {
      cause,
      kept: nothingDeployed,
      next: "name a file like those in ignition/parameters with --parameters",
      exitCode: exitCode.configuration,
    });
  }
}

/** One set of parameters over another: what it does not name stays. */
export function withParameters(base: DeployParameters, over: DeployParameters): DeployParameters {
  const merged = { ...base };
  for (const [module, values] of Object.entries(over)) merged[module] = { ...merged[module], ...values };
  return merged;
}

/** A network that is connected, in this process or elsewhere. */
export type DeployConnection = Awaited<ReturnType<typeof hre.network.create>>;

/** Deploys all contracts, registers the verifying keys, wires and seals the roles. */
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
  const { beacon, keys, parameters = {}, token, deploymentId } = options;
  const client = await connection.viem.getPublicClient();
  const chainId = await client.getChainId();
  // Told from the keys themselves, as the registry does: no folder's name or flag makes them others.
  const forgeable = circuits.filter((circuit) => isDevelopmentKey(keys[circuit]));
  if (forgeable.length > 0 && !isLocalChain(chainId)) {
    throw new AssayError(`anybody can forge proofs under the keys of ${forgeable.join(", ")}`, {
      kept: nothingDeployed,
      next: "make production keys with the ceremony (docs/ceremony.md) and name their folder with --circuits",
      exitCode: exitCode.refused,
    });
  }
  if (!isLocalChain(chainId)) await requireParties(connection, parameters);
  if (beacon === "VrfBeacon") await requireCoordinator(client, parameters);
  if (token !== undefined)
    await requireCode(client, token, "name the address of an ERC-20 token with --token");
  const startBlock = await client.getBlockNumber();
  const keyHashes = Object.fromEntries(
    circuits.map((circuit) => [circuit, keccak256(keys[circuit])]),
  ) as Record<Circuit, `0x${string}`>;
  const contracts = await connection.ignition.deploy(await moduleOf(beacon, token !== undefined), {
    parameters: {
      ...parameters,
      ...(token !== undefined && { Token: { address: token } }),
      Verifier: {
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
      ResultShortfalls: getAddress(contracts.shortfalls.address),
      ResultFraud: getAddress(contracts.resultFraud.address),
      DisputeGame: getAddress(contracts.game.address),
      MemberGame: getAddress(contracts.memberGame.address),
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
    governance: {
      access: getAddress(contracts.access.address),
      administration: getAddress(contracts.administration.address),
      guardian: getAddress(contracts.guardian.address),
    },
  };
}

type CodeReader = { getCode(query: { address: Address }): Promise<unknown> };

/** Those who will have the powers: two accounts, and neither the deployer. The contracts refuse others, after some gas. */
async function requireParties(connection: DeployConnection, parameters: DeployParameters): Promise<void> {
  const [wallet] = await connection.viem.getWalletClients();
  const { proposer, executor } = parameters.Governance ?? {};
  const parties = [proposer, executor].map((each) => addressSchema.safeParse(each));
  const named = parties.flatMap((each) => (each.success ? [each.data] : []));
  const accounts = wallet === undefined ? named : [...named, wallet.account.address];
  const isOneTwice = accounts.some((each, i) =>
    accounts.slice(0, i).some((other) => isAddressEqual(each, other)),
  );
  if (named.length === 2 && !isOneTwice) return;
  throw new AssayError(
    "a public network needs two parties who administer it together, and the deployer is neither",
    {
      kept: nothingDeployed,
      next: "name their accounts with --proposer and --executor",
      exitCode: exitCode.configuration,
    },
  );
}

/** What no file of this repository can say of a network: it belongs to whoever pays for the randomness. */
async function requireCoordinator(client: CodeReader, parameters: DeployParameters): Promise<void> {
  const given = parameters.VrfBeacon ?? {};
  const missing = ["coordinator", "subscriptionId", "keyHash"].filter((name) => given[name] === undefined);
  if (missing.length > 0) {
    throw new AssayError(`the VRF beacon needs the parameters ${missing.join(", ")}`, {
      kept: nothingDeployed,
      next: "write them under VrfBeacon into a file of parameters, and name it with --parameters",
      exitCode: exitCode.configuration,
    });
  }
  await requireCode(
    client,
    given.coordinator,
    "take the coordinator's address from Chainlink's list of networks",
  );
}

async function requireCode(client: CodeReader, address: unknown, next: string): Promise<void> {
  const parsed = addressSchema.safeParse(address);
  if (parsed.success && (await client.getCode({ address: parsed.data })) !== undefined) return;
  throw new AssayError(`there is no contract at ${address}`, {
    kept: nothingDeployed,
    next,
    exitCode: exitCode.configuration,
  });
}
