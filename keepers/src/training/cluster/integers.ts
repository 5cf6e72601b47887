/** Exact integers below 2^53 in magnitude as little-endian two's complement of 1 to 7 bytes each. */

export const mostWidth = 7;
const word = 2 ** 32;

/** Least width that holds every one of the values. */
export function leastWidth(values: ArrayLike<number>): number {
  let least = 0;
  let most = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (value < least) least = value;
    else if (value > most) most = value;
  }
  let width = 1;
  while (least < -(2 ** (8 * width - 1)) || most >= 2 ** (8 * width - 1)) width++;
  return width;
}

/** Writes the values from `at` on; `width` must hold them. Returns where the next one would stand. */
export function packIntegers(values: ArrayLike<number>, width: number, into: Uint8Array, at: number): number {
  let offset = at;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    // Shifts take their operand modulo 2^32: the low word of the two's complement.
    let low = value | 0;
    const lowBytes = Math.min(width, 4);
    for (let byte = 0; byte < lowBytes; byte++) {
      into[offset++] = low;
      low >>= 8;
    }
    if (width <= 4) continue;
    let high = Math.floor(value / word);
    for (let byte = 4; byte < width; byte++) {
      into[offset++] = high;
      high >>= 8;
    }
  }
  return offset;
}

/** Reads `into.length` values from `at` on. Returns where the next one would stand. */
export function unpackIntegers(
  bytes: Uint8Array,
  at: number,
  width: number,
  into: Float64Array | Int32Array,
): number {
  let offset = at;
  const lowBytes = Math.min(width, 4);
  for (let i = 0; i < into.length; i++) {
    let low = 0;
    for (let byte = 0; byte < lowBytes; byte++) low |= bytes[offset++]! << (8 * byte);
    if (width <= 4) {
      const unused = 8 * (4 - width);
      into[i] = (low << unused) >> unused;
      continue;
    }
    let high = 0;
    for (let byte = 4; byte < width; byte++) high |= bytes[offset++]! << (8 * (byte - 4));
    const unused = 8 * (8 - width);
    into[i] = ((high << unused) >> unused) * word + (low >>> 0);
  }
  return offset;
}
