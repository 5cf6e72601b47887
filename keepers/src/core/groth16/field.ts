import type { Fp2 } from "./types.ts";

/** Order of BN254's base field Fp (EIP-196). It is 3 mod 4, so `−1` is not a square. */
export const baseField = 21888242871839275222246405745257275088696311157297823662689037894645226208583n;

/** Order of BN254's scalar field, called `r` throughout the storage protocol (EIP-196). */
export const scalarField = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;

const squareRootExponent = (baseField + 1n) / 4n;

export function modulo(value: bigint, order: bigint): bigint {
  const rest = value % order;
  return rest < 0n ? rest + order : rest;
}

export function power(base: bigint, exponent: bigint, order: bigint): bigint {
  let result = 1n;
  let square = modulo(base, order);
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % order;
    square = (square * square) % order;
  }
  return result;
}

/** Inverse modulo a prime; the inverse of 0 is 0, as in the EVM's `modexp(a, p − 2)`. */
export function inverse(value: bigint, order: bigint): bigint {
  return power(value, order - 2n, order);
}

/** `value^((p+1)/4)`: the square root that is itself a square, or `undefined` when there is none. */
export function squareRoot(value: bigint): bigint | undefined {
  const root = power(value, squareRootExponent, baseField);
  return (root * root) % baseField === modulo(value, baseField) ? root : undefined;
}

const fp = (value: bigint): bigint => modulo(value, baseField);

export const fp2 = {
  add: (a: Fp2, b: Fp2): Fp2 => ({ c0: fp(a.c0 + b.c0), c1: fp(a.c1 + b.c1) }),
  multiply: (a: Fp2, b: Fp2): Fp2 => ({
    c0: fp(a.c0 * b.c0 - a.c1 * b.c1),
    c1: fp(a.c0 * b.c1 + a.c1 * b.c0),
  }),
  equal: (a: Fp2, b: Fp2): boolean => a.c0 === b.c0 && a.c1 === b.c1,
};
