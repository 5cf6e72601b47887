import { type Address, getAddress, type Hex, isAddress } from "viem";
import { z } from "zod";
import { BadInputError } from "../core/errors.ts";
import type { ContractName } from "./abi/index.ts";
import { contractNames } from "./abi/names.ts";

export const beaconKinds = ["CommitRevealBeacon", "DrandBeacon", "VrfBeacon"] as const;
export type BeaconKind = (typeof beaconKinds)[number];

/** Contracts with an address of their own; `RandomnessBeacon` stands for the beacon that is in use. */
export type DeployedName = Exclude<ContractName, "RandomnessBeacon">;

export const circuits = ["possession", "covering", "registration"] as const;
export type Circuit = (typeof circuits)[number];

const governors = ["access", "administration", "guardian"] as const;

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
  /** Where powers are (SECURITY.md); keepers ask for none of them. */
  governance?: Governance;
};

/** Who may call what, and the timelocks of the two parties: what they announce, and what they pause at once. */
export type Governance = Record<(typeof governors)[number], Address>;

/** Names of all contracts that have an address. */
export const deployedNames = contractNames.filter((name) => name !== "RandomnessBeacon") as DeployedName[];
const isBeacon = (name: string): name is BeaconKind => (beaconKinds as readonly string[]).includes(name);

/** An address in any case, made one with a checksum. */
export const addressSchema = z
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
      Object.fromEntries(
        deployedNames.map((name) => [name, isBeacon(name) ? addressSchema.optional() : addressSchema]),
      ),
    ),
    keyHashes: z.object(Object.fromEntries(circuits.map((circuit) => [circuit, hash]))),
    governance: z.object(Object.fromEntries(governors.map((name) => [name, addressSchema]))).optional(),
  })
  .refine(({ beacon, addresses }) => addresses[beacon] !== undefined, {
    message: "the beacon in use has no address",
    path: ["beacon"],
  });

/** Checks a deployment from outside; throws `BadInputError` with every fault named. */
export function parseDeployment(value: unknown, source = "the deployment"): Deployment {
  const result = schema.safeParse(value);
  if (result.success) return result.data as Deployment;
  const faults = result.error.issues.map(({ path, message }) => `${path.join(".") || "file"}: ${message}`);
  throw new BadInputError(`${source} is not a valid deployment: ${faults.join("; ")}`, {
    next: "deploy again, or take the file from the network's publisher",
  });
}
