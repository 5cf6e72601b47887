import { readWords, writeWords } from "./bytes.ts";
import { assertG1, assertG2 } from "./curve.ts";
import type { G1Point, G2Point, Proof } from "./types.ts";
import { Groth16FormatError } from "./types.ts";

/** Length in bytes of a proof in a transaction. */
export const proofLength = 256;

/** EIP-196: `x ‖ y`. */
export function g1Words(point: G1Point): bigint[] {
  return [point.x, point.y];
}

/** EIP-197: imaginary part first, `x1 ‖ x0 ‖ y1 ‖ y0`. */
export function g2Words(point: G2Point): bigint[] {
  return [point.x.c1, point.x.c0, point.y.c1, point.y.c0];
}

export function g1FromWords(words: readonly bigint[], at: number): G1Point {
  return { x: words[at]!, y: words[at + 1]! };
}

export function g2FromWords(words: readonly bigint[], at: number): G2Point {
  return { x: { c0: words[at + 1]!, c1: words[at]! }, y: { c0: words[at + 3]!, c1: words[at + 2]! } };
}

/** The eight words `A.x, A.y, B.x1, B.x0, B.y1, B.y0, C.x, C.y` that the contracts take. */
export function proofWords(proof: Proof): bigint[] {
  return [...g1Words(proof.a), ...g2Words(proof.b), ...g1Words(proof.c)];
}

/**
 * The 256-byte form of a proof (storage protocol, section 7).
 * @throws Groth16FormatError when a point is at infinity, off the curve or outside the subgroup.
 */
export function encodeProof256(proof: Proof): Uint8Array {
  assertProof(proof);
  return writeWords(proofWords(proof));
}

/**
 * The inverse of {@link encodeProof256}.
 * @throws Groth16FormatError when the length is not 256, a coordinate is not below p, or a point is at infinity, off the
 * curve or outside the subgroup.
 */
export function decodeProof256(bytes: Uint8Array): Proof {
  if (bytes.length !== proofLength) {
    throw new Groth16FormatError(`An uncompressed proof has ${proofLength} bytes, this has ${bytes.length}.`);
  }
  const words = readWords(bytes);
  const proof = { a: g1FromWords(words, 0), b: g2FromWords(words, 2), c: g1FromWords(words, 6) };
  assertProof(proof);
  return proof;
}

function assertProof(proof: Proof): void {
  assertG1(proof.a, "A");
  assertG2(proof.b, "B");
  assertG1(proof.c, "C");
}
