import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Address, getAddress, type Hex, isAddress } from "viem";
import { z } from "zod";
import { AssayError, BadInputError, exitCode } from "../core/errors.ts";
import { abis, type ContractName } from "./abi/index.ts";

export const beaconKinds = ["CommitRevealBeacon", "DrandBeacon", "VrfBeacon"] as const;
export type BeaconKind = (typeof beaconKinds)[number];

/** Contracts with an address of their own; `RandomnessBeacon` stands for the beacon that is in use. */
export type DeployedName = Exclude<ContractName, "RandomnessBeacon">;

export const circuits = ["possession", "covering", "registration"] as const;
export type Circuit = (typeof circuits)[number];

/** Where the contracts of one network are. */
export type Deployment = {
  chainId: number;
  /** Block of the first deployment transaction: followers start here. */
  startBlock: bigint;
  /** The beacon that the audit module asks. */
  beacon: BeaconKind;
  addresses: Record<Exclude<DeployedName, BeaconKind>, Address> & Partial<Record<BeaconKind, Address>>;
  /** keccak256 of the verifying key that each circuit's proofs are checked with. */
  keyHashes: Record<Circuit, Hex>;
};

const maximumBytes = 1 << 20;
const names = Object.keys(abis).filter((name) => name !== "RandomnessBeacon") as DeployedName[];
const isBeacon = (name: string): name is BeaconKind => (beaconKinds as readonly string[]).includes(name);

const address = z
  .string()
  .refine((text) => isAddress(text, { strict: false }), "not an address")
  .transform((text) => getAddress(text));
const hash = z
  .string()
  .regex(/^0x[0-9a-f]{64}$/i, "not a 32-byte hash")
  .transform((text) => text.toLowerCase() as Hex);

const schema = z
  .object({
    chainId: z.int().positive(),
    startBlock: z.union([z.int().nonnegative(), z.string().regex(/^\d{1,20}$/)]).transform(BigInt),
    beacon: z.enum(beaconKinds),
    addresses: z.object(
      Object.fromEntries(names.map((name) => [name, isBeacon(name) ? address.optional() : address])),
    ),
    keyHashes: z.object(Object.fromEntries(circuits.map((circuit) => [circuit, hash]))),
  })
  .refine(({ beacon, addresses }) => addresses[beacon] !== undefined, {
    message: "the beacon in use has no address",
    path: ["beacon"],
  });

/** Folder of deployments, below the project's or the caller's working folder. */
export const deploymentsFolder = join(".assay", "deployments");

export const deploymentPath = (chainId: number, folder: string = deploymentsFolder) =>
  join(folder, `${chainId}.json`);

function parseJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new AssayError(`there is no deployment at ${path}`, {
      next: "run `assay deploy`, or name the file that came with the network",
      exitCode: exitCode.configuration,
      cause,
    });
  }
  if (text.length > maximumBytes) throw new BadInputError(`${path} is too large to be a deployment`);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new BadInputError(`${path} is not JSON`, { cause });
  }
}

/** Checks a deployment from outside; throws `BadInputError` with every fault named. */
export function parseDeployment(value: unknown, source = "the deployment"): Deployment {
  const result = schema.safeParse(value);
  if (result.success) return result.data as Deployment;
  const faults = result.error.issues.map(({ path, message }) => `${path.join(".") || "file"}: ${message}`);
  throw new BadInputError(`${source} is not a valid deployment: ${faults.join("; ")}`, {
    next: "deploy again, or take the file from the network's publisher",
  });
}

/** Reads the deployment of a chain, or the one in `file`; it must be of that chain. */
export function readDeployment(options: { chainId: number; folder?: string; file?: string }): Deployment {
  const path = options.file ?? deploymentPath(options.chainId, options.folder);
  const deployment = parseDeployment(parseJson(path), path);
  if (deployment.chainId === options.chainId) return deployment;
  throw new AssayError(`${path} is a deployment on chain ${deployment.chainId}, not ${options.chainId}`, {
    exitCode: exitCode.configuration,
    next: "name the deployment of this chain, or another RPC endpoint",
  });
}

/** Writes a deployment so that a crash leaves the old file or the new one, never half of one. Returns its path. */
export function writeDeployment(deployment: Deployment, folder: string = deploymentsFolder): string {
  const path = deploymentPath(deployment.chainId, folder);
  mkdirSync(dirname(path), { recursive: true });
  const text = `${JSON.stringify({ ...deployment, startBlock: String(deployment.startBlock) }, null, 2)}\n`;
  const temporary = `${path}.${process.pid}.tmp`;
  writeFileSync(temporary, text);
  renameSync(temporary, path);
  return path;
}

/**
 * Addresses from Ignition's `deployed_addresses.json`, whose keys are `Module#Contract`.
 * Contracts that keepers do not talk to are left out.
 */
export function readIgnitionAddresses(file: string): Partial<Record<DeployedName, Address>> {
  const parsed = z.record(z.string(), address).safeParse(parseJson(file));
  if (!parsed.success) throw new BadInputError(`${file} is not a list of deployed addresses`);
  const found: Partial<Record<DeployedName, Address>> = {};
  for (const [key, value] of Object.entries(parsed.data)) {
    const name = names.find((each) => key.endsWith(`#${each}`));
    if (name === undefined) continue;
    if (found[name] !== undefined && found[name] !== value) {
      throw new BadInputError(`${file} names two addresses of ${name}: ${found[name]} and ${value}`);
    }
    found[name] = value;
  }
  return found;
}
