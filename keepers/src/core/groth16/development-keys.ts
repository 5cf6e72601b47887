import { keccak_256 } from "@noble/hashes/sha3.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import { Groth16FormatError } from "./types.ts";

/** Where the x coordinates of gamma and delta stand in a key's bytes (storage protocol, section 7). */
const gammaX = { from: 192, to: 256 } as const;
const deltaX = { from: 320, to: 384 } as const;

/**
 * keccak256 of the x coordinate of each delta whose discrete logarithm circuits/setup publishes, by the label of its trapdoor:
 * whoever knows the logarithm forges proofs. contracts/zk/DevelopmentKeys.sol has the same list.
 */
export const developmentDeltas: Readonly<Record<string, string>> = {
  possession: "82528f8b2bfa3a88cdc2759dd30b4a0234c310645b6c053e718bba78b2b3df1d",
  covering: "a33c15c31368f57e7bd76a1a98d529277c9d435dd625a4897aad31396c2657ac",
  registration: "2885d2bf70d7db2399454e70f56da48816e94c552c0f9a6805a6a24a0420b439",
  tiny: "7d51eae9ae8f598c30006d98c57011b9abf5115eb913747c3105bb3a1eea1d16",
  sample: "19879ef444b5e0749e285423bc6339655fc7a69f7c1e4e9968d8260d26899a5c",
};

const known = new Set(Object.values(developmentDeltas));

/**
 * Whether anybody can forge proofs under a verifying key, told from the key's own bytes: its delta is a published one, or plus
 * or minus its gamma, which is what a key has that nobody has contributed to.
 * @throws Groth16FormatError when the bytes are too short for a key
 */
export function isDevelopmentKey(key: Uint8Array): boolean {
  if (key.length < deltaX.to)
    throw new Groth16FormatError(`A verifying key cannot have ${key.length} bytes.`);
  const hashOf = ({ from, to }: { from: number; to: number }) =>
    bytesToHex(keccak_256(key.subarray(from, to)));
  const delta = hashOf(deltaX);
  return delta === hashOf(gammaX) || known.has(delta);
}
