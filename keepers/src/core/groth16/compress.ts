/**
 * The 128-byte form of a proof (storage protocol, section 7): four 32-byte big-endian words, of which p leaves the two
 * top bits free.
 *
 *     word 0   A.x  | sign(A) << 255
 *     word 1   B.x1 | sign(B) << 255 | hint(B) << 254
 *     word 2   B.x0
 *     word 3   C.x  | sign(C) << 255
 *
 * All other bits above 253 are zero. In Fp2 = Fp[u]/(u² + 1) an element is `c0 + c1·u`.
 *
 * **sign** is the parity of y for a point of G1. For B it is the parity of `y0`, or of `y1` when `y0` is 0.
 *
 * **hint** says which root of a norm to use when the square root in Fp2 is taken with two roots in Fp. Write
 * `y² = x³ + 3/(9 + u) = a + b·u` and let `√t = t^((p+1)/4)` (p is 3 mod 4). Then:
 *
 *     d  = √(a² + b²)                       refuse unless d² = a² + b²
 *     y0 = √((a + d)/2)  when hint = 0      refuse unless y0² is what is under the root
 *          √((a − d)/2)  when hint = 1
 *     y1 = b / (2·y0)                       when y0 ≠ 0
 *          √(−a)                            when y0 = 0: refuse unless hint = 0, b = 0 and y1² = −a
 *     refuse unless y0² − y1² = a and 2·y0·y1 = b
 *     when the parity of y0 (of y1 if y0 = 0) is not sign: (y0, y1) = (p − y0, p − y1), where p − 0 is 0
 *
 * Division by 2 is multiplication by (p+1)/2. Exactly one of (a + d)/2 and (a − d)/2 is a square when b ≠ 0, since their
 * product is −b²/4 and −1 is no square: the wrong hint always fails. The hint needs no square root to compute: it is 0
 * just when `y0² + y1²` is a square in Fp, for d is the root of the norm that is itself a square. No point with y0 = 0 is
 * known in the subgroup; a decoder that refuses them all refuses no proof that anyone can make. With y = 0 impossible
 * (the order of the group is odd), every proof has exactly one encoding.
 */
import { readWords, writeWords } from "./bytes.ts";
import { assertCoordinate, assertG1, assertG2, g1RightSide, g2RightSide } from "./curve.ts";
import { baseField, inverse, modulo, squareRoot } from "./field.ts";
import type { Fp2, G1Point, Proof } from "./types.ts";
import { Groth16FormatError } from "./types.ts";

/** Length in bytes of a proof on the wire and at rest. */
export const compressedProofLength = 128;

const signBit = 1n << 255n;
const hintBit = 1n << 254n;
const half = (baseField + 1n) / 2n;

/**
 * @returns 128 bytes.
 * @throws Groth16FormatError when a point is at infinity, off the curve or outside the subgroup.
 */
export function compressProof(proof: Proof): Uint8Array {
  assertG1(proof.a, "A");
  assertG2(proof.b, "B");
  assertG1(proof.c, "C");
  const { x, y } = proof.b;
  const hint = squareRoot(y.c0 * y.c0 + y.c1 * y.c1) === undefined ? hintBit : 0n;
  return writeWords([
    proof.a.x | signOf(proof.a.y),
    x.c1 | signOf(y.c0 === 0n ? y.c1 : y.c0) | hint,
    x.c0,
    proof.c.x | signOf(proof.c.y),
  ]);
}

/**
 * The inverse of {@link compressProof}; accepts no other bytes than it puts out.
 * @throws Groth16FormatError when the length is not 128, a coordinate is not below p, an unused bit is set, a point is off
 * the curve or outside the subgroup, or the hint is not the one that {@link compressProof} gives.
 */
export function decompressProof(bytes: Uint8Array): Proof {
  if (bytes.length !== compressedProofLength) {
    throw new Groth16FormatError(
      `A compressed proof has ${compressedProofLength} bytes, this has ${bytes.length}.`,
    );
  }
  const words = readWords(bytes) as [bigint, bigint, bigint, bigint];
  const x = { c0: words[2], c1: words[1] & ~(signBit | hintBit) };
  assertCoordinate(x.c0, "B.x0");
  assertCoordinate(x.c1, "B.x1");
  const root = squareRootInFp2(g2RightSide(x), (words[1] & hintBit) !== 0n);
  if (root === undefined) throw new Groth16FormatError("B has no point on the curve G2 with this hint.");
  const proof = {
    a: decompressG1(words[0], "A"),
    b: { x, y: withSign(root, (words[1] & signBit) !== 0n) },
    c: decompressG1(words[3], "C"),
  };
  assertG2(proof.b, "B");
  return proof;
}

function decompressG1(word: bigint, what: string): G1Point {
  const x = word & ~signBit;
  assertCoordinate(x, `${what}.x`);
  const root = squareRoot(g1RightSide(x));
  if (root === undefined) throw new Groth16FormatError(`${what} is not a point of the curve G1.`);
  const odd = (word & signBit) !== 0n;
  return { x, y: (root & 1n) === (odd ? 1n : 0n) ? root : baseField - root };
}

function squareRootInFp2(square: Fp2, hint: boolean): Fp2 | undefined {
  const { c0: a, c1: b } = square;
  const norm = squareRoot(a * a + b * b);
  if (norm === undefined) return undefined;
  const c0 = squareRoot(modulo((hint ? a - norm : a + norm) * half, baseField));
  if (c0 === undefined) return undefined;
  if (c0 === 0n) {
    const c1 = hint || b !== 0n ? undefined : squareRoot(modulo(-a, baseField));
    return c1 === undefined ? undefined : { c0, c1 };
  }
  return { c0, c1: (b * inverse(2n * c0, baseField)) % baseField };
}

function withSign(root: Fp2, odd: boolean): Fp2 {
  if ((signOf(root.c0 === 0n ? root.c1 : root.c0) !== 0n) === odd) return root;
  return { c0: modulo(-root.c0, baseField), c1: modulo(-root.c1, baseField) };
}

function signOf(y: bigint): bigint {
  return (y & 1n) << 255n;
}
