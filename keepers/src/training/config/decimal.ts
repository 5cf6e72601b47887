/** A decimal number, exactly: digits / 10^scale. */
export type Decimal = { readonly digits: bigint; readonly scale: number };

const pattern = /^([+-]?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/;

/** Reads a decimal as it was written; a JavaScript number stands for its shortest decimal. Null when it is none. */
export function parseDecimal(value: string | number): Decimal | null {
  const found = pattern.exec(String(value).trim());
  if (found === null) return null;
  const [, sign, whole, fraction = "", exponent = "0"] = found;
  const digits = BigInt(`${whole}${fraction}`) * (sign === "-" ? -1n : 1n);
  const scale = fraction.length - Number(exponent);
  return scale >= 0 ? { digits, scale } : { digits: digits * 10n ** BigInt(-scale), scale: 0 };
}

/** value · 2^bits, rounded half up. */
export function toUnits({ digits, scale }: Decimal, bits: number): bigint {
  const denominator = 10n ** BigInt(scale);
  const twice = 2n * digits * (1n << BigInt(bits)) + denominator;
  const quotient = twice / (2n * denominator);
  return twice < 0n && twice % (2n * denominator) !== 0n ? quotient - 1n : quotient;
}

/** The product, exactly. */
export function multiply(a: Decimal, b: Decimal): Decimal {
  return { digits: a.digits * b.digits, scale: a.scale + b.scale };
}

/** A fraction like 4/5, or a decimal like 0.8, as numerator and denominator; null when it is neither. */
export function parseFraction(value: string | number): { numerator: bigint; denominator: bigint } | null {
  const parts = /^(\d{1,9})\s*\/\s*(\d{1,9})$/.exec(String(value).trim());
  if (parts !== null) return { numerator: BigInt(parts[1]!), denominator: BigInt(parts[2]!) };
  const decimal = parseDecimal(value);
  return decimal === null ? null : { numerator: decimal.digits, denominator: 10n ** BigInt(decimal.scale) };
}
