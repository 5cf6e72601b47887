import { join, resolve } from "node:path";

export const repository = resolve(import.meta.dirname, "../..");

/** Where artifacts go; never committed. */
export const artifactsDirectory = join(repository, ".assay", "circuits");

/** Each circuit's main component, from the root of the repository. */
export const circuitSources = {
  possession: "circuits/possession/possession.circom",
  covering: "circuits/possession/covering.circom",
  registration: "circuits/possession/registration.circom",
  tiny: "circuits/possession/tiny.circom",
  sample: "circuits/possession/sample.circom",
} as const;

export type CircuitName = keyof typeof circuitSources;

/** What a network needs; the rest are for tests. */
export const productionCircuits = ["possession", "covering", "registration"] as const satisfies CircuitName[];

export type CircuitArtifacts = {
  name: CircuitName;
  directory: string;
  r1cs: string;
  wasm: string;
  zkey: string;
  verifyingKeyJson: string;
  verifyingKeyBytes: string;
  info: string;
};

/** What `info.json` says beside the key. */
export type CircuitInfo = {
  name: CircuitName;
  nPublic: number;
  constraints: number;
  /** True when the key's trapdoor is public: proofs under it can be forged, and public networks must refuse it. */
  development: boolean;
  /** keccak256 of the verifying key's bytes, 0x-prefixed. */
  keyHash: string;
  /** SHA-256 of the sources, compiler version and flags that the artifacts were made from. */
  sourceHash: string;
};

/** Paths of a circuit's artifacts, whether they exist or not. */
export function circuitArtifacts(name: CircuitName, base = artifactsDirectory): CircuitArtifacts {
  const directory = join(base, name);
  return {
    name,
    directory,
    r1cs: join(directory, "circuit.r1cs"),
    wasm: join(directory, "circuit.wasm"),
    zkey: join(directory, "circuit.zkey"),
    verifyingKeyJson: join(directory, "verification-key.json"),
    verifyingKeyBytes: join(directory, "verification-key.bin"),
    info: join(directory, "info.json"),
  };
}
