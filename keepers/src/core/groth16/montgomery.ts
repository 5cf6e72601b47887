import { baseField, modulo } from "./field.ts";
import type { G1Point, G2Point } from "./types.ts";

/**
 * Affine points as ffjavascript and snarkjs' key files hold them: coordinates of 32 bytes, little-endian, multiplied by
 * 2^256 modulo p; in Fp2 the real part first.
 */
const inverseRadix = invertRadix();

/** 64 bytes from `at`. */
export function g1FromMontgomery(bytes: Uint8Array, at = 0): G1Point {
  return { x: coordinate(bytes, at), y: coordinate(bytes, at + 32) };
}

/** 128 bytes from `at`. */
export function g2FromMontgomery(bytes: Uint8Array, at = 0): G2Point {
  return {
    x: { c0: coordinate(bytes, at), c1: coordinate(bytes, at + 32) },
    y: { c0: coordinate(bytes, at + 64), c1: coordinate(bytes, at + 96) },
  };
}

/** 32 bytes from `at`, little-endian. */
export function readLittleEndian(bytes: Uint8Array, at: number): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, 32);
  return (
    (view.getBigUint64(24, true) << 192n) |
    (view.getBigUint64(16, true) << 128n) |
    (view.getBigUint64(8, true) << 64n) |
    view.getBigUint64(0, true)
  );
}

function coordinate(bytes: Uint8Array, at: number): bigint {
  return modulo(readLittleEndian(bytes, at) * inverseRadix, baseField);
}

function invertRadix(): bigint {
  // Halving 256 times; p is odd, so the half of an odd value is (value + p) / 2.
  let value = 1n;
  for (let i = 0; i < 256; i++) value = value & 1n ? (value + baseField) >> 1n : value >> 1n;
  return value;
}
