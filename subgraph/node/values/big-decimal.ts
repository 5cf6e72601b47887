import { BadInputError } from "../../../keepers/src/core/errors.ts";

/** Significant digits that are kept, as in IEEE 754 decimal128. */
export const significantDigits = 34;
/** Digits that a division works out before it is cut to `significantDigits`. */
const divisionDigits = 100;

const decimalPattern = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,9}))?$/;
const maximumExponent = 1_000_000;

const magnitude = (n: bigint): bigint => (n < 0n ? -n : n);
const bitLength = (n: bigint): number => (n === 0n ? 0 : magnitude(n).toString(2).length);
const powerOfTen = (n: number): bigint => 10n ** BigInt(n);

/**
 * Decimal digits as graph-node counts them (bigdecimal 0.1): a guess from the number of bits that is put right for
 * positive numbers only, so that a negative number is mostly taken for one digit shorter.
 */
function countDigits(n: bigint): number {
  if (n === 0n) return 1;
  let digits = Math.floor(bitLength(n) / 3.3219280949);
  for (let bound = powerOfTen(digits); n >= bound; bound *= 10n) digits++;
  return digits;
}

/** Cuts to `significantDigits`: half up for positive numbers, towards zero for negative ones, as graph-node does. */
function cut(digits: bigint, exponent: number): [bigint, number] {
  const surplus = countDigits(digits) - significantDigits;
  if (surplus <= 0) return [digits, exponent];
  const unit = powerOfTen(surplus);
  const rest = digits % unit;
  const roundsUp = rest * 2n >= unit;
  return [digits / unit + (roundsUp ? 1n : 0n), exponent + surplus];
}

/**
 * Decimal number `digits · 10^exponent` with at most 34 significant digits and no trailing zeros. Follows what graph-node
 * computes digit by digit (graph/src/data/store/scalar/bigdecimal.rs and the crate it pins), since entities that hold
 * decimals must be equal wherever they are indexed.
 */
export class BigDecimal {
  readonly digits: bigint;
  readonly exponent: number;

  constructor(digits: bigint, exponent: number) {
    let [d, e] = cut(digits, exponent);
    if (d === 0n) e = 0;
    else {
      const text = magnitude(d).toString();
      const zeros = text.length - text.replace(/0+$/, "").length;
      d /= powerOfTen(zeros);
      e += zeros;
    }
    this.digits = d;
    this.exponent = e;
  }

  /** Throws `BadInputError` for anything but a decimal number, with an exponent or without. */
  static parse(text: string): BigDecimal {
    const match = decimalPattern.exec(text);
    const whole = match?.[2] ?? "";
    const fraction = match?.[3] ?? "";
    const exponent = Number(match?.[4] ?? 0);
    if (match === null || whole + fraction === "" || Math.abs(exponent) > maximumExponent)
      throw new BadInputError(`"${text.slice(0, 80)}" is not a decimal number`);
    const digits = BigInt(whole + fraction);
    return new BigDecimal(match[1] === "-" ? -digits : digits, exponent - fraction.length);
  }

  plus(other: BigDecimal): BigDecimal {
    const e = Math.min(this.exponent, other.exponent);
    return new BigDecimal(this.#at(e) + other.#at(e), e);
  }

  minus(other: BigDecimal): BigDecimal {
    const e = Math.min(this.exponent, other.exponent);
    return new BigDecimal(this.#at(e) - other.#at(e), e);
  }

  times(other: BigDecimal): BigDecimal {
    return new BigDecimal(this.digits * other.digits, this.exponent + other.exponent);
  }

  /** Throws `RangeError` for a divisor of zero, where graph-node stops the subgraph. */
  dividedBy(other: BigDecimal): BigDecimal {
    if (other.digits === 0n) throw new RangeError("division of a BigDecimal by zero");
    const divisor = magnitude(other.digits);
    const dividend = magnitude(this.digits);
    // At least one digit more than `divisionDigits`, to round by.
    const shift = divisionDigits + Math.max(0, divisor.toString().length - dividend.toString().length + 1);
    const quotient = (dividend * powerOfTen(shift)) / divisor;
    const surplus = Math.max(0, quotient.toString().length - divisionDigits);
    const unit = powerOfTen(surplus);
    const rounded = quotient / unit + ((quotient % unit) * 10n >= unit * 5n ? 1n : 0n);
    const negative = this.digits < 0n !== other.digits < 0n;
    return new BigDecimal(negative ? -rounded : rounded, this.exponent - other.exponent - shift + surplus);
  }

  compare(other: BigDecimal): -1 | 0 | 1 {
    const e = Math.min(this.exponent, other.exponent);
    const [a, b] = [this.#at(e), other.#at(e)];
    return a < b ? -1 : a > b ? 1 : 0;
  }

  /** Plain notation, without an exponent. */
  toString(): string {
    const sign = this.digits < 0n ? "-" : "";
    const text = magnitude(this.digits).toString();
    if (this.exponent >= 0) return sign + text + "0".repeat(this.digits === 0n ? 0 : this.exponent);
    const padded = text.padStart(1 - this.exponent, "0");
    return `${sign}${padded.slice(0, this.exponent)}.${padded.slice(this.exponent)}`;
  }

  #at(exponent: number): bigint {
    return this.digits * powerOfTen(this.exponent - exponent);
  }
}
