import { bn254 } from "@noble/curves/bn254.js";
import { baseField, fp2, inverse, modulo } from "./field.ts";
import type { Fp2, G1Point, G2Point } from "./types.ts";
import { Groth16FormatError } from "./types.ts";

/** The constant of the twist, `3/(9 + u) = 3·(9 − u)/82` (EIP-197). */
const twist: Fp2 = {
  c0: modulo(27n * inverse(82n, baseField), baseField),
  c1: modulo(-3n * inverse(82n, baseField), baseField),
};

/** `x³ + 3`: the square of `y` for a point of G1. */
export function g1RightSide(x: bigint): bigint {
  return modulo(x * x * x + 3n, baseField);
}

/** `x³ + 3/(9 + u)`: the square of `y` for a point of G2's curve. */
export function g2RightSide(x: Fp2): Fp2 {
  return fp2.add(fp2.multiply(fp2.multiply(x, x), x), twist);
}

/** @throws Groth16FormatError unless `value` is a canonical element of Fp. */
export function assertCoordinate(value: bigint, what: string): void {
  if (value < 0n || value >= baseField) {
    throw new Groth16FormatError(`The coordinate ${what} is not below the field order.`);
  }
}

/**
 * The group has prime order, so a point on the curve is in it. Infinity has no affine form: its EIP-196 encoding (0, 0)
 * fails the curve equation.
 * @throws Groth16FormatError
 */
export function assertG1(point: G1Point, what: string): void {
  assertCoordinate(point.x, `${what}.x`);
  assertCoordinate(point.y, `${what}.y`);
  if ((point.y * point.y) % baseField !== g1RightSide(point.x)) {
    throw new Groth16FormatError(`${what} is not a point of the curve G1.`);
  }
}

/**
 * The twist has a large cofactor with small factors, so being on the curve is not enough.
 * @throws Groth16FormatError
 */
export function assertG2(point: G2Point, what: string): void {
  for (const [coordinate, value] of [
    ["x0", point.x.c0],
    ["x1", point.x.c1],
    ["y0", point.y.c0],
    ["y1", point.y.c1],
  ] as const) {
    assertCoordinate(value, `${what}.${coordinate}`);
  }
  if (!fp2.equal(fp2.multiply(point.y, point.y), g2RightSide(point.x))) {
    throw new Groth16FormatError(`${what} is not a point of the curve G2.`);
  }
  if (!bn254.G2.Point.fromAffine(point).isTorsionFree()) {
    throw new Groth16FormatError(`${what} is outside the subgroup of order r.`);
  }
}
