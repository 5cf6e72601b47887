import { concat, type Hex, hexToBytes, keccak256, numberToBytes, stringToBytes } from "viem";
import { BadInputError } from "../../errors.ts";

/**
 * Philox4x32-10: ten rounds of a counter-based generator.
 * Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011; constants of Random123.
 */

/** Domains of `docs/exact-ops.md`, section 3: what a key is drawn for. */
export const randomDomains = { initialize: 1, shuffle: 2, split: 3, noise: 4 } as const;

/** 32 bytes of an order. */
export type Seed = Hex | Uint8Array;

/** Two unsigned 32-bit words. */
export type RandomKey = readonly [number, number];

/** Four unsigned 32-bit words. */
export type RandomBlock = [number, number, number, number];

const rounds = 10;
const multiplier0 = 0xd2511f53;
const multiplier1 = 0xcd9e8d57;
const weyl0 = 0x9e3779b9;
const weyl1 = 0xbb67ae85;
const tag = hexToBytes(keccak256(stringToBytes("assay/random/v1")));

/**
 * ⌊a·b / 2^32⌋ of 32-bit integers, taken as unsigned. The product has up to 64 bits, so it is put together from 16-bit
 * halves; every sum below is less than 2^32 and is kept modulo 2^32.
 */
export function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = (Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16)) | 0;
  const carry = (Math.imul(aLow, bHigh) + (middle & 0xffff)) | 0;
  return (Math.imul(aHigh, bHigh) + (middle >>> 16) + (carry >>> 16)) >>> 0;
}

/** `philox` into the first four places of `target`, for loops that must not allocate. */
export function philoxInto(
  target: Uint32Array,
  key0: number,
  key1: number,
  c0: number,
  c1: number,
  c2: number,
  c3: number,
): void {
  let k0 = key0 | 0;
  let k1 = key1 | 0;
  let x0 = c0 | 0;
  let x1 = c1 | 0;
  let x2 = c2 | 0;
  let x3 = c3 | 0;
  for (let round = 0; round < rounds; round++) {
    const high0 = multiplyHigh(multiplier0, x0);
    const low0 = Math.imul(multiplier0, x0);
    const high1 = multiplyHigh(multiplier1, x2);
    const low1 = Math.imul(multiplier1, x2);
    x0 = high1 ^ x1 ^ k0;
    x1 = low1;
    x2 = high0 ^ x3 ^ k1;
    x3 = low0;
    k0 = (k0 + weyl0) | 0;
    k1 = (k1 + weyl1) | 0;
  }
  target[0] = x0;
  target[1] = x1;
  target[2] = x2;
  target[3] = x3;
}

/** The block of random words that belongs to a key and a counter; all are unsigned 32-bit integers. */
export function philox(
  key0: number,
  key1: number,
  c0: number,
  c1: number,
  c2: number,
  c3: number,
): RandomBlock {
  const block = new Uint32Array(4);
  philoxInto(block, key0, key1, c0, c1, c2, c3);
  return [block[0]!, block[1]!, block[2]!, block[3]!];
}

/**
 * Key of a domain: the first 8 bytes of keccak256(tag ‖ seed ‖ uint256 domain).
 * @throws BadInputError when the seed does not have 32 bytes.
 */
export function randomKey(seed: Seed, domain: number): RandomKey {
  const bytes = typeof seed === "string" ? hexToBytes(seed) : seed;
  if (bytes.length !== 32) throw new BadInputError(`A seed has 32 bytes, not ${bytes.length}.`);
  const hash = keccak256(concat([tag, bytes, numberToBytes(domain, { size: 32 })]), "bytes");
  const view = new DataView(hash.buffer, hash.byteOffset, 8);
  return [view.getUint32(0), view.getUint32(4)];
}
