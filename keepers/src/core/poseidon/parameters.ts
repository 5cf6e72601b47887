import { fieldOrder, inverse, reduce } from "./field.ts";

/** Poseidon permutation parameters for width t, x^5, BN254 scalar field, as in circomlib. */
export type PoseidonParameters = {
  /** State width: inputs + 1. */
  t: number;
  fullRounds: number;
  partialRounds: number;
  /** (fullRounds + partialRounds) · t constants, round by round. */
  roundConstants: bigint[];
  /** `mds[i][j]`: how much of element j goes into element i. */
  mds: bigint[][];
};

const fullRounds = 8;
/** Table 2 of the paper for 128 bits of security, rounded up to a multiple of t; t = 2 … 17. */
const partialRoundsByWidth = [56, 57, 56, 60, 60, 63, 64, 63, 60, 66, 60, 65, 70, 60, 64, 68];
const fieldBits = 254;

/** Bits of the self-shrinking Grain LFSR (Poseidon paper, appendix E). */
function grainBits(t: number, partialRounds: number): () => number {
  const seed = [
    [1, 2], // prime field
    [0, 4], // x^α S-box
    [fieldBits, 12],
    [t, 12],
    [fullRounds, 10],
    [partialRounds, 10],
    [2 ** 30 - 1, 30],
  ] as const;
  const state = new Uint8Array(128);
  let length = 0;
  for (const [value, width] of seed) {
    for (let bit = width - 1; bit >= 0; bit--) state[length++] = Math.floor(value / 2 ** bit) % 2;
  }
  let at = 0;
  const step = (): number => {
    const tap = (offset: number) => state[(at + offset) & 127]!;
    const bit = tap(62) ^ tap(51) ^ tap(38) ^ tap(23) ^ tap(13) ^ tap(0);
    state[(at + 80) & 127] = bit;
    at = (at + 1) & 127;
    return bit;
  };
  for (let warmUp = 0; warmUp < 160; warmUp++) step();
  return () => {
    while (step() === 0) step();
    return step();
  };
}

/**
 * Derives the parameters from their published recipe, so that no table has to be trusted.
 *
 * Source: Grassi, Khovratovich, Rechberger, Roy, Schofnegger: Poseidon (eprint 2019/458), appendices B and E, and its
 * reference script `generate_parameters_grain.sage 1 0 254 t 8 RP r`. Takes tens of milliseconds for t = 17.
 *
 * @param t width, 2 … 17
 */
export function poseidonParameters(t: number): PoseidonParameters {
  const partialRounds = partialRoundsByWidth[t - 2];
  if (partialRounds === undefined) throw new RangeError(`no Poseidon width ${t}; 2 … 17 are defined`);
  const nextBit = grainBits(t, partialRounds);
  const nextInteger = (): bigint => {
    let value = 0n;
    for (let left = fieldBits; left > 0; ) {
      const width = Math.min(left, 30);
      let word = 0;
      for (let bit = 0; bit < width; bit++) word = (word << 1) | nextBit();
      value = (value << BigInt(width)) | BigInt(word);
      left -= width;
    }
    return value;
  };
  const nextElement = (): bigint => {
    let value = nextInteger();
    while (value >= fieldOrder) value = nextInteger();
    return value;
  };
  const roundConstants = Array.from({ length: (fullRounds + partialRounds) * t }, nextElement);
  const points = Array.from({ length: 2 * t }, () => reduce(nextInteger()));
  const mds = points.slice(0, t).map((x) => points.slice(t).map((y) => inverse(x + y)));
  return { t, fullRounds, partialRounds, roundConstants, mds };
}
