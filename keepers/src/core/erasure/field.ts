// GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1 (0x11D), the field of ISA-L; 2 generates its multiplicative group.

const exp = new Uint8Array(510);
const log = new Uint8Array(256);
for (let power = 0, value = 1; power < 255; power++) {
  exp[power] = value;
  exp[power + 255] = value;
  log[value] = power;
  value = value < 128 ? value << 1 : (value << 1) ^ 0x11d;
}

/** Product of two bytes as field elements. */
export function multiply(a: number, b: number): number {
  return a === 0 || b === 0 ? 0 : exp[log[a]! + log[b]!]!;
}

/** Multiplicative inverse of a byte; 0 has none and throws a RangeError. */
export function invert(a: number): number {
  if (a === 0) throw new RangeError("0 has no inverse");
  return exp[255 - log[a]!]!;
}
