/**
 * BN254 over mcl's WASM, held to this protocol's encodings. mcl multiplies in G2 with an endomorphism that is valid inside
 * the subgroup only, so every point of G2 that comes from outside goes through mcl's own order check when it is read.
 */
import mcl from "mcl-wasm";
import { writeWords } from "./bytes.ts";
import { scalarField } from "./field.ts";
import type { Fp2, G1Point, G2Point } from "./types.ts";
import { Groth16FormatError } from "./types.ts";

export type G1 = mcl.G1;
export type G2 = mcl.G2;
export type Scalar = mcl.Fr;

let ready: Promise<void> | undefined;

/** Loads mcl for BN254 once. */
export function loadPairing(): Promise<void> {
  ready ??= mcl.init(mcl.BN_SNARK1);
  return ready;
}

const hintMask = 0x40;

/**
 * Reads `x | sign << 255`, 32 bytes big-endian. mcl's form is the same number little-endian; it refuses x ≥ p and an x
 * that is on no point, and takes all zeros for infinity.
 * @throws Groth16FormatError
 */
export function readCompressedG1(bytes: Uint8Array, what: string): G1 {
  const point = new mcl.G1();
  deserialize(point, bytes.toReversed(), what);
  return point;
}

/**
 * Reads `x1 | sign << 255 | hint << 254` and `x0`, 64 bytes. mcl's form is x0 then x1, each little-endian, without the
 * hint, which is checked here so that a proof has one encoding only.
 * @throws Groth16FormatError
 */
export function readCompressedG2(bytes: Uint8Array, what: string): G2 {
  const reversed = bytes.toReversed();
  const hinted = (reversed[63]! & hintMask) !== 0;
  reversed[63]! &= ~hintMask;
  const point = new mcl.G2();
  // The flag is global to the module: another user of it may have switched the check off.
  mcl.verifyOrderG2(true);
  deserialize(point, reversed, what);
  const y = point.getY();
  const norm = mcl.add(mcl.sqr(y.get_a()), mcl.sqr(y.get_b()));
  const [square] = mcl.squareRoot(norm);
  // mcl orders y0 alone by its parity: where y0 is 0 it cannot tell y from −y.
  if (square === hinted || y.get_a().isZero()) {
    throw new Groth16FormatError(`${what} does not have the one encoding that it must have.`);
  }
  return point;
}

/** A point that is known to be valid, as those of a checked verifying key are. */
export function g1FromAffine(point: G1Point): G1 {
  const result = new mcl.G1();
  result.setX(coordinate(point.x));
  result.setY(coordinate(point.y));
  result.setZ(coordinate(1n));
  return result;
}

/** A point that is known to be valid and in the subgroup. */
export function g2FromAffine(point: G2Point): G2 {
  const result = new mcl.G2();
  result.setX(extension(point.x));
  result.setY(extension(point.y));
  result.setZ(extension({ c0: 1n, c1: 0n }));
  return result;
}

/** @throws Groth16FormatError unless `0 ≤ value < r`: a value and value + r would otherwise say the same. */
export function scalarFromBigint(value: bigint): Scalar {
  if (value < 0n || value >= scalarField) {
    throw new Groth16FormatError("A public signal is not below the order of the scalar field.");
  }
  const result = new mcl.Fr();
  result.setLittleEndian(writeWords([value]).reverse());
  return result;
}

/** A scalar of at most 16 bytes, little-endian. */
export function scalarFromBytes(bytes: Uint8Array): Scalar {
  const result = new mcl.Fr();
  result.setLittleEndian(bytes);
  return result;
}

function deserialize(point: G1 | G2, bytes: Uint8Array, what: string): void {
  try {
    point.deserialize(bytes);
  } catch (error) {
    throw new Groth16FormatError(`${what} is not a point of its group.`, { cause: error });
  }
  if (point.isZero()) throw new Groth16FormatError(`${what} is the point at infinity.`);
}

function coordinate(value: bigint): mcl.Fp {
  const result = new mcl.Fp();
  result.setLittleEndian(writeWords([value]).reverse());
  return result;
}

function extension(value: Fp2): mcl.Fp2 {
  const result = new mcl.Fp2();
  result.set_a(coordinate(value.c0));
  result.set_b(coordinate(value.c1));
  return result;
}
