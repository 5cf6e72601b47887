/**
 * Phase 2 of a Groth16 set-up (https://eprint.iacr.org/2017/1050) by snarkjs: from public powers of tau and a circuit, through
 * contributors one after another and a public beacon, to a key that is sound if any one of them forgot their secret.
 */
import { randomBytes } from "node:crypto";
import { copyFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import type { Logger } from "snarkjs";
import { zKey } from "snarkjs";
import { verifyingKeyFromSnarkjs } from "../../keepers/src/core/groth16/snarkjs.ts";
import {
  assertVerifyingKey,
  encodeVerifyingKey,
  verifyingKeyHash,
} from "../../keepers/src/core/groth16/verifying-key.ts";
import type { CircuitArtifacts, CircuitInfo } from "../setup/circuits.ts";
import { circuitArtifacts } from "../setup/circuits.ts";
import { sourceHash } from "../setup/compile.ts";
import { CircuitSetupError } from "../setup/errors.ts";
import { readR1csHeader } from "../setup/r1cs.ts";
import type { Contribution } from "./contributions.ts";
import { readContributions } from "./contributions.ts";
import { checkPowersOfTau } from "./powers-of-tau.ts";

export type PowersOfTau = {
  path: string;
  /** See {@link checkPowersOfTau}. */
  hash: string;
};

export type Progress = (line: string) => void;

/** Randomness that did not exist before the last contribution, and that nobody could choose. */
export type Beacon = {
  /** Hexadecimal, 1 to 255 bytes: the signature of a future drand round, say. */
  value: string;
  /** The value is hashed 2^exponent times, so that nobody can try many in time; 10 to 63. */
  iterationsExponent: number;
};

/** Writes the key that contributions start from: four group multiplications for each coefficient of the circuit. */
export async function startCeremony(
  circuit: CircuitArtifacts,
  powersOfTau: PowersOfTau,
  target: string,
  onProgress?: Progress,
): Promise<void> {
  await checkPowersOfTau(powersOfTau.path, powersOfTau.hash);
  await writeKey(
    target,
    async (path, logger) => {
      const result = await zKey.newZKey(circuit.r1cs, powersOfTau.path, path, logger);
      if (result === -1)
        throw new CircuitSetupError(`The powers of tau do not fit the circuit ${circuit.name}.`);
    },
    onProgress,
  );
}

/**
 * Multiplies the key's delta by a secret that is drawn here and forgotten.
 * @param entropy whatever the contributor adds to the system's randomness, which is always used.
 */
export async function contribute(
  source: string,
  target: string,
  name: string,
  entropy: string,
  onProgress?: Progress,
): Promise<void> {
  if (name === "" || name.length > 64) {
    throw new CircuitSetupError("A contributor's name has 1 to 64 characters.");
  }
  const secret = `${randomBytes(64).toString("hex")}${entropy}`;
  await writeKey(
    target,
    async (path, logger) => {
      await zKey.contribute(source, path, name, secret, logger);
    },
    onProgress,
  );
}

/** The last step: without it the last contributor could try secrets until the key pleases them. */
export async function applyBeacon(
  source: string,
  target: string,
  { value, iterationsExponent }: Beacon,
  onProgress?: Progress,
): Promise<void> {
  if (!/^([0-9a-f]{2}){1,255}$/i.test(value)) {
    throw new CircuitSetupError("A beacon's value is 1 to 255 bytes in hexadecimal, without 0x.");
  }
  if (!Number.isInteger(iterationsExponent) || iterationsExponent < 10 || iterationsExponent > 63) {
    throw new CircuitSetupError("A beacon's iterations exponent is 10 to 63.");
  }
  await writeKey(
    target,
    async (path, logger) => {
      await zKey.beacon(source, path, "beacon", value, iterationsExponent, logger);
    },
    onProgress,
  );
}

export type VerifyOptions = {
  circuit: CircuitArtifacts;
  powersOfTau: PowersOfTau;
  key: string;
  /** The start of the ceremony; computed from circuit and powers of tau when left out, so that nobody need be trusted. */
  initial?: string;
  /** When given, the key must end with this beacon. */
  beacon?: Beacon;
  onProgress?: Progress;
};

/**
 * Checks that a key follows from circuit and powers of tau through its contributions.
 * @returns the contributions, which contributors compare with what they noted.
 * @throws CircuitSetupError when anything is wrong.
 */
export async function verifyCeremony(options: VerifyOptions): Promise<Contribution[]> {
  const { circuit, powersOfTau, key, initial, beacon, onProgress } = options;
  await checkPowersOfTau(powersOfTau.path, powersOfTau.hash);
  const lines: string[] = [];
  const logger = loggerTo((line) => {
    lines.push(line);
    onProgress?.(line);
  });
  let valid: boolean;
  try {
    // By bytes: given paths, snarkjs leaves the files open.
    const [tau, bytes] = await Promise.all([readFile(powersOfTau.path), readFile(key)]);
    valid =
      initial === undefined
        ? await zKey.verifyFromR1cs(circuit.r1cs, tau, bytes, logger)
        : await zKey.verifyFromInit(await readFile(initial), tau, bytes, logger);
  } catch (cause) {
    throw new CircuitSetupError(`${key} is not a valid key of the circuit ${circuit.name}.`, { cause });
  }
  if (!valid) {
    const reason =
      lines.find((line) => line.includes("INVALID")) ?? "a contribution does not follow from the one before";
    throw new CircuitSetupError(
      `${key} is not a valid key of the circuit ${circuit.name}: ${reason.trim()}`,
      {
        next: "Go back to the last key that verifies, and ask the next contributor again.",
      },
    );
  }
  const contributions = await readContributions(key);
  if (beacon !== undefined) assertBeacon(contributions.at(-1), beacon);
  return contributions;
}

/**
 * Writes the artifacts that keepers and deployment use, from a key whose ceremony has ended. Verify it first.
 * @throws CircuitSetupError when nobody contributed or no beacon ends the ceremony.
 */
export async function exportKey(
  circuit: CircuitArtifacts,
  key: string,
  directory: string,
): Promise<CircuitInfo> {
  const contributions = await readContributions(key);
  if (!contributions.some(({ kind }) => kind === "contributor") || contributions.at(-1)?.kind !== "beacon") {
    throw new CircuitSetupError(
      "A production key needs at least one contributor and a beacon after the last one.",
    );
  }
  const json = await zKey.exportVerificationKey(await readFile(key));
  const verifyingKey = verifyingKeyFromSnarkjs(json);
  assertVerifyingKey(verifyingKey);
  const header = await readR1csHeader(circuit.r1cs);
  if (header.publicSignals !== json.nPublic) {
    throw new CircuitSetupError(`${key} is not a key of the circuit ${circuit.name}.`);
  }
  const bytes = encodeVerifyingKey(verifyingKey);
  const info: CircuitInfo = {
    name: circuit.name,
    nPublic: json.nPublic,
    constraints: header.constraints,
    development: false,
    keyHash: `0x${Buffer.from(verifyingKeyHash(bytes)).toString("hex")}`,
    sourceHash: await sourceHash(circuit.name),
  };
  const target = circuitArtifacts(circuit.name, directory);
  await mkdir(target.directory, { recursive: true });
  await copyFile(circuit.r1cs, target.r1cs);
  await copyFile(circuit.wasm, target.wasm);
  await copyFile(key, target.zkey);
  await writeFile(target.verifyingKeyJson, `${JSON.stringify(json, undefined, 2)}\n`);
  await writeFile(target.verifyingKeyBytes, bytes);
  // Last: it marks the artifacts as complete.
  await writeFile(target.info, `${JSON.stringify({ ...info, contributions }, undefined, 2)}\n`);
  return info;
}

function assertBeacon(last: Contribution | undefined, { value, iterationsExponent }: Beacon): void {
  if (last?.kind !== "beacon") throw new CircuitSetupError("The key does not end with a beacon.");
  if (last.value !== value.toLowerCase() || last.iterationsExponent !== iterationsExponent) {
    throw new CircuitSetupError(
      `The key ends with the beacon ${last.value}, 2^${last.iterationsExponent} times, not with the one given.`,
    );
  }
}

/** A key appears under its name when it is whole. */
async function writeKey(
  target: string,
  write: (path: string, logger: Logger) => Promise<void>,
  onProgress?: Progress,
): Promise<void> {
  const partial = `${target}.partial`;
  try {
    await write(partial, loggerTo(onProgress ?? (() => {})));
    await rename(partial, target);
  } finally {
    await rm(partial, { force: true });
  }
}

function loggerTo(onProgress: Progress): Logger {
  return { debug: onProgress, info: onProgress, warn: onProgress, error: onProgress };
}
