/** Order of the BN254 scalar field, `r` of the storage protocol. */
export const fieldOrder = 21888242871839275222246405745257275088548364400416034343698204186575808495617n;

/** The representative in 0 … r − 1 of any integer. */
export function reduce(value: bigint): bigint {
  const rest = value % fieldOrder;
  return rest < 0n ? rest + fieldOrder : rest;
}

/** base^exponent mod r, exponent ≥ 0. */
export function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  let square = reduce(base);
  for (let left = exponent; left > 0n; left >>= 1n) {
    if (left & 1n) result = (result * square) % fieldOrder;
    square = (square * square) % fieldOrder;
  }
  return result;
}

/** Multiplicative inverse mod r; 0 has none and throws a RangeError. */
export function inverse(value: bigint): bigint {
  const reduced = reduce(value);
  if (reduced === 0n) throw new RangeError("0 has no inverse");
  let [a, b, x, y] = [reduced, fieldOrder, 1n, 0n];
  while (b !== 0n) {
    const quotient = a / b;
    [a, b, x, y] = [b, a - quotient * b, y, x - quotient * y];
  }
  return reduce(x);
}
