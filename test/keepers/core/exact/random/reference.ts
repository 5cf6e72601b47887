import { keccak_256 } from "@noble/hashes/sha3.js";

/** Section 3 of `docs/exact-ops.md`, word for word in bigint: shares no code with the product. */

const mask = 2n ** 32n - 1n;

export function philoxOf(key: readonly bigint[], counter: readonly bigint[]): bigint[] {
  let [k0, k1] = key as [bigint, bigint];
  let [c0, c1, c2, c3] = counter as [bigint, bigint, bigint, bigint];
  for (let round = 0; round < 10; round++) {
    const p0 = 0xd2511f53n * c0;
    const p1 = 0xcd9e8d57n * c2;
    [c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, p1 & mask, (p0 >> 32n) ^ c3 ^ k1, p0 & mask];
    k0 = (k0 + 0x9e3779b9n) & mask;
    k1 = (k1 + 0xbb67ae85n) & mask;
  }
  return [c0, c1, c2, c3];
}

export function keyOf(seed: Uint8Array, domain: number): bigint[] {
  const tag = keccak_256(new TextEncoder().encode("assay/random/v1"));
  const word = Buffer.from(domain.toString(16).padStart(64, "0"), "hex");
  const hash = Buffer.from(keccak_256(Buffer.concat([tag, seed, word])));
  return [BigInt(hash.readUInt32BE(0)), BigInt(hash.readUInt32BE(4))];
}

export function initialMantissa(seed: Uint8Array, slot: number, element: bigint, bound: bigint): bigint {
  const counter = [element & mask, element >> 32n, BigInt(slot), 0n];
  const [r0, r1] = philoxOf(keyOf(seed, 1), counter);
  return (((r0! << 32n) + r1!) * (2n * bound + 1n)) / 2n ** 64n - bound;
}

export function permuted(seed: Uint8Array, domain: number, round: number, size: number, x: number): number {
  const key = keyOf(seed, domain);
  const n = BigInt(size);
  let a = 1n;
  while (a * a < n) a++;
  const b = (n + a - 1n) / a;
  let at = BigInt(x);
  do {
    let [left, right] = [at % a, at / a];
    for (let j = 0n; j < 8n; j++) {
      const isEven = j % 2n === 0n;
      const [word] = philoxOf(key, [isEven ? right : left, j, BigInt(round), 0n]);
      if (isEven) left = (left + ((word! * a) >> 32n)) % a;
      else right = (right + ((word! * b) >> 32n)) % b;
    }
    at = left + a * right;
  } while (at >= n);
  return Number(at);
}
