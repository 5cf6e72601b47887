import { keccak_256 } from "@noble/hashes/sha3.js";
import { readWords, writeWords } from "./bytes.ts";
import { assertG1, assertG2 } from "./curve.ts";
import { g1FromWords, g1Words, g2FromWords, g2Words } from "./encode.ts";
import type { VerifyingKey } from "./types.ts";
import { Groth16FormatError } from "./types.ts";

const fixedLength = 64 + 3 * 128;

/** Bounds the work that a key from outside can ask for; the widest circuit of the protocol has 5 public signals. */
const maxPublicSignals = 64;

/** `alpha ‖ beta ‖ gamma ‖ delta ‖ IC_0 … IC_m` (storage protocol, section 7). */
export function encodeVerifyingKey(key: VerifyingKey): Uint8Array {
  return writeWords([
    ...g1Words(key.alpha),
    ...g2Words(key.beta),
    ...g2Words(key.gamma),
    ...g2Words(key.delta),
    ...key.ic.flatMap(g1Words),
  ]);
}

/**
 * The inverse of {@link encodeVerifyingKey}; the number of public signals follows from the length.
 * @throws Groth16FormatError when the length fits no key, or a point is at infinity, off the curve or the subgroup.
 */
export function decodeVerifyingKey(bytes: Uint8Array): VerifyingKey {
  const points = (bytes.length - fixedLength) / 64;
  if (!Number.isInteger(points) || points < 1 || points > maxPublicSignals + 1) {
    throw new Groth16FormatError(`A verifying key cannot have ${bytes.length} bytes.`);
  }
  const words = readWords(bytes);
  const key: VerifyingKey = {
    alpha: g1FromWords(words, 0),
    beta: g2FromWords(words, 2),
    gamma: g2FromWords(words, 6),
    delta: g2FromWords(words, 10),
    ic: Array.from({ length: points }, (_, index) => g1FromWords(words, 14 + 2 * index)),
  };
  assertVerifyingKey(key);
  return key;
}

/** @throws Groth16FormatError when a point is at infinity, off the curve or outside the subgroup. */
export function assertVerifyingKey(key: VerifyingKey): void {
  assertG1(key.alpha, "alpha");
  assertG2(key.beta, "beta");
  assertG2(key.gamma, "gamma");
  assertG2(key.delta, "delta");
  for (const [index, point] of key.ic.entries()) assertG1(point, `IC_${index}`);
}

/** `keccak256` of the encoded key: what a contract anchors. 32 bytes. */
export function verifyingKeyHash(bytes: Uint8Array): Uint8Array {
  return keccak_256(bytes);
}
