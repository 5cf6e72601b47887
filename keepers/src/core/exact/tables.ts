import { type Hex, keccak256 } from "viem";
import { integerSqrt } from "./format.ts";
import committed from "./tables.json" with { type: "json" };

/**
 * The powers of two behind EXP (`docs/exact-ops.md`, section 5). `tables.json` is what every realisation reads; tests
 * derive it again with `makeTables`.
 */

const entries = 256;
/** T[0] = 2^26. */
const topBits = 26n;
/** Far more than the tables hold: the errors below stay under 2^-180, and no entry lies that close to a half. */
const fractionBits = 192n;
const one = 1n << fractionBits;

/** round(2^(26 − i/2^k)) for i below 256, from 2^(−1/2^k) by k square roots. */
function roundedPowers(k: number): number[] {
  let root = one >> 1n;
  for (let i = 0; i < k; i++) root = integerSqrt(root << fractionBits);
  let power = one;
  return Array.from({ length: entries }, () => {
    const rounded = ((power << topBits) + (one >> 1n)) >> fractionBits;
    power = (power * root) >> fractionBits;
    return Number(rounded);
  });
}

/** T1[i] = round(2^(26 − i/256)) and T2[i] = round(2^(26 − i/65536)), in integers throughout. */
export function makeTables(): { t1: number[]; t2: number[] } {
  return { t1: roundedPowers(8), t2: roundedPowers(16) };
}

/** keccak256 over the 512 values as big-endian uint32, T1 first. */
export function tablesHash(t1: ArrayLike<number>, t2: ArrayLike<number>): Hex {
  const bytes = new Uint8Array(4 * (t1.length + t2.length));
  const view = new DataView(bytes.buffer);
  for (let i = 0; i < t1.length; i++) view.setUint32(4 * i, t1[i]!);
  for (let i = 0; i < t2.length; i++) view.setUint32(4 * (t1.length + i), t2[i]!);
  return keccak256(bytes);
}

/** T1 and T2 of EXP, 256 values each, all within 2^25 to 2^26. */
export const T1: Uint32Array = Uint32Array.from(committed.t1);
export const T2: Uint32Array = Uint32Array.from(committed.t2);

/** What `tablesHash` gives for the committed values. */
export const committedTablesHash = committed.keccak256 as Hex;
