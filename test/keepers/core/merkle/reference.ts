import { keccak_256 } from "@noble/hashes/sha3.js";

/** keccak256 trees as the storage protocol words them, over noble's hash: shares no code with the product. */
export const leafOf = (bytes: Uint8Array): Buffer =>
  Buffer.from(keccak_256(Buffer.concat([Uint8Array.of(0), bytes])));

export function rootOf(leaves: readonly Uint8Array[]): Buffer {
  let width = 1;
  while (width < leaves.length) width *= 2;
  let level = Array.from({ length: width }, (_, i) => Buffer.from(leaves[i] ?? new Uint8Array(32)));
  while (level.length > 1) {
    level = Array.from({ length: level.length / 2 }, (_, i) =>
      Buffer.from(keccak_256(Buffer.concat([Uint8Array.of(1), level[2 * i]!, level[2 * i + 1]!]))),
    );
  }
  return level[0]!;
}

export const integer = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString("hex")}`);

export const digest = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, "0"), "hex");

export const pieces = (bytes: Uint8Array, size: number): Uint8Array[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
