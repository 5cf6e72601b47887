/** Big-endian integer of the bytes `[offset, offset + 32)`. */
export function readWord(bytes: Uint8Array, offset: number): bigint {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, 32);
  return (
    (view.getBigUint64(0) << 192n) |
    (view.getBigUint64(8) << 128n) |
    (view.getBigUint64(16) << 64n) |
    view.getBigUint64(24)
  );
}

/** Concatenates 32-byte big-endian words. */
export function writeWords(words: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(words.length * 32);
  const view = new DataView(bytes.buffer);
  for (const [index, word] of words.entries()) {
    for (let limb = 0; limb < 4; limb++) {
      view.setBigUint64(index * 32 + limb * 8, BigInt.asUintN(64, word >> BigInt(192 - 64 * limb)));
    }
  }
  return bytes;
}

/** Splits bytes whose length is a multiple of 32 into big-endian words. */
export function readWords(bytes: Uint8Array): bigint[] {
  return Array.from({ length: bytes.length / 32 }, (_, index) => readWord(bytes, index * 32));
}
