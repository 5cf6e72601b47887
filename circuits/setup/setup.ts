import { randomUUID } from "node:crypto";
import { open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { verifyingKeyToSnarkjs } from "../../keepers/src/core/groth16/snarkjs.ts";
import { encodeVerifyingKey, verifyingKeyHash } from "../../keepers/src/core/groth16/verifying-key.ts";
import type { CircuitArtifacts, CircuitInfo, CircuitName } from "./circuits.ts";
import { artifactsDirectory, circuitArtifacts, productionCircuits } from "./circuits.ts";
import { compileCircuit, sourceHash } from "./compile.ts";
import { createDevelopmentKey } from "./dev-key.ts";
import { FixedBasePool } from "./fixed-base-pool.ts";
import { readR1cs } from "./r1cs.ts";

export type SetupOptions = {
  /** Makes artifacts anew that are already there. */
  force?: boolean;
  /** The three circuits of the protocol unless told otherwise. */
  only?: readonly CircuitName[];
  /** Told in one line what is being done and about how long it takes. */
  onProgress?: (line: string) => void;
};

/** Seconds on two cores; what the user is told to expect. */
const expectedSeconds: Record<CircuitName, number> = {
  possession: 20,
  covering: 25,
  registration: 4,
  tiny: 4,
  sample: 1,
};

/**
 * Compiles circuits and makes their development keys, unless artifacts of the same sources are there. Safe to run several
 * times at once: each circuit appears in one rename, and the same sources give the same keys.
 * @throws CircuitSetupError
 */
export async function setupCircuits(options: SetupOptions = {}): Promise<CircuitArtifacts[]> {
  const { force = false, only = productionCircuits, onProgress = () => {} } = options;
  const missing: CircuitName[] = [];
  for (const name of only) {
    if (force || !(await isCurrent(name, await sourceHash(name)))) missing.push(name);
  }
  if (missing.length > 0) await makeAll(missing, onProgress);
  return only.map((name) => circuitArtifacts(name));
}

/** Compiles as many at once as there are cores, but makes one key at a time: a key already uses all cores. */
async function makeAll(names: readonly CircuitName[], onProgress: (line: string) => void): Promise<void> {
  const stage = join(artifactsDirectory, `.staged-${randomUUID()}`);
  const pool = await FixedBasePool.create();
  try {
    const queue = [...names];
    let keys = Promise.resolve();
    const lane = async (): Promise<void> => {
      for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
        const staged = circuitArtifacts(name, stage);
        onProgress(`compiling circuit ${name} (about ${expectedSeconds[name]} s)`);
        await compileCircuit(name, staged.directory);
        keys = keys.then(() => makeKey(staged, pool, onProgress));
        await keys;
      }
    };
    await Promise.all(Array.from({ length: Math.min(availableParallelism(), names.length) }, lane));
  } finally {
    await pool.close();
    await rm(stage, { recursive: true, force: true });
  }
}

async function makeKey(
  staged: CircuitArtifacts,
  pool: FixedBasePool,
  onProgress: (line: string) => void,
): Promise<void> {
  onProgress(`making the DEVELOPMENT key of ${staged.name} (forgeable by anyone, for test networks only)`);
  const r1cs = readR1cs(await readFile(staged.r1cs));
  const key = await createDevelopmentKey(r1cs, staged.name, pool);
  const bytes = encodeVerifyingKey(key.verifyingKey);
  const info: CircuitInfo = {
    name: staged.name,
    nPublic: r1cs.header.publicSignals,
    constraints: r1cs.header.constraints,
    development: true,
    keyHash: `0x${Buffer.from(verifyingKeyHash(bytes)).toString("hex")}`,
    sourceHash: await sourceHash(staged.name),
  };
  const file = await open(staged.zkey, "w");
  try {
    for (const part of key.zkey) await file.writeFile(part);
  } finally {
    await file.close();
  }
  await writeJson(staged.verifyingKeyJson, verifyingKeyToSnarkjs(key.verifyingKey));
  await writeFile(staged.verifyingKeyBytes, bytes);
  await writeJson(staged.info, info);
  await publish(staged, info);
}

/** Two renames, so that nobody sees half of a circuit; the old artifacts go with the staging directory. */
async function publish(staged: CircuitArtifacts, info: CircuitInfo): Promise<void> {
  const { directory } = circuitArtifacts(staged.name);
  await rename(directory, `${staged.directory}.old`).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  try {
    await rename(staged.directory, directory);
  } catch (error) {
    // Another process may have put the same artifacts there meanwhile.
    if (!(await isCurrent(staged.name, info.sourceHash))) throw error;
  }
}

/** Reads what `info.json` says of a circuit's artifacts; undefined when they are absent or half there. */
export async function readCircuitInfo(name: CircuitName): Promise<CircuitInfo | undefined> {
  try {
    return JSON.parse(await readFile(circuitArtifacts(name).info, "utf8")) as CircuitInfo;
  } catch {
    return undefined;
  }
}

async function isCurrent(name: CircuitName, hash: string): Promise<boolean> {
  return (await readCircuitInfo(name))?.sourceHash === hash;
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await writeFile(path, `${JSON.stringify(value, undefined, 2)}\n`);
}
