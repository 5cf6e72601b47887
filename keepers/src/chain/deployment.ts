import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Address } from "viem";
import { z } from "zod";
import { AssayError, BadInputError, exitCode } from "../core/errors.ts";
import {
  addressSchema,
  type DeployedName,
  type Deployment,
  deployedNames,
  parseDeployment,
} from "./deployment-format.ts";

export {
  type BeaconKind,
  beaconKinds,
  type Circuit,
  circuits,
  type DeployedName,
  type Deployment,
  parseDeployment,
} from "./deployment-format.ts";

const maximumBytes = 1 << 20;
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
  const parsed = z.record(z.string(), addressSchema).safeParse(parseJson(file));
  if (!parsed.success) throw new BadInputError(`${file} is not a list of deployed addresses`);
  const found: Partial<Record<DeployedName, Address>> = {};
  for (const [key, value] of Object.entries(parsed.data)) {
    const name = deployedNames.find((each) => key.endsWith(`#${each}`));
    if (name === undefined) continue;
    if (found[name] !== undefined && found[name] !== value) {
      throw new BadInputError(`${file} names two addresses of ${name}: ${found[name]} and ${value}`);
    }
    found[name] = value;
  }
  return found;
}
