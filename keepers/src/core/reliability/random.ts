/**
 * xoshiro128** (D. Blackman and S. Vigna, "Scrambled Linear Pseudorandom Number Generators", 2018): repeatable draws for
 * simulations, never for secrets.
 * @param state four 32-bit words, not all zero.
 * @returns a function that gives the next 32-bit word.
 */
export function xoshiro128(state: readonly [number, number, number, number]): () => number {
  let [a, b, c, d] = state;
  return () => {
    const result = Math.imul(rotate(Math.imul(b, 5), 7), 9) >>> 0;
    const t = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= t;
    d = rotate(d, 11);
    return result;
  };
}

/** Doubles in [0, 1) with 32 random bits, from a numbered stream. */
export function uniform(seed: number): () => number {
  const next = xoshiro128([seed | 0, 0x9e3779b9, 0x243f6a88, 0xb7e15162]);
  for (let i = 0; i < 16; i++) next();
  return () => next() / 2 ** 32;
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
