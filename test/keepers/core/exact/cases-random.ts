import { mantissaMax } from "../../../../keepers/src/core/exact/format.ts";
import { elementCount, newMantissas } from "../../../../keepers/src/core/exact/ops/tensor.ts";
import type { Dtype, Layout, MantissaBits, Tensor } from "../../../../keepers/src/core/exact/tape/types.ts";

/** A generator that repeats itself for the same seed (xorshift128 of Marsaglia, seeded by a mixing hash). */
export class Random {
  readonly #words: Uint32Array;

  constructor(seed: number, stream: string) {
    this.#words = new Uint32Array(4);
    let hash = 0x811c9dc5 ^ seed;
    for (let i = 0; i < 4; i++) {
      for (const letter of `${stream}/${i}`) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193);
      this.#words[i] = hash ^ (hash >>> 15) ^ (i + 1);
    }
    for (let i = 0; i < 20; i++) this.#next();
  }

  #next(): number {
    const [x, , , w] = this.#words as unknown as [number, number, number, number];
    let t = x ^ (x << 11);
    t ^= t >>> 8;
    this.#words.copyWithin(0, 1);
    this.#words[3] = w ^ (w >>> 19) ^ t;
    return this.#words[3]!;
  }

  /** An integer in [low, high]. */
  int(low: number, high: number): number {
    const wide = this.#next() * 2 ** 21 + (this.#next() >>> 11);
    return low + (wide % (high - low + 1));
  }

  pick<T>(values: readonly T[]): T {
    return values[this.int(0, values.length - 1)]!;
  }

  chance(percent: number): boolean {
    return this.int(1, 100) <= percent;
  }
}

export function layoutOf(dtype: Dtype, shape: readonly number[], rowAxes?: number): Layout {
  return { dtype, shape, rowAxes: rowAxes ?? (shape.length === 4 ? 2 : 1) };
}

export function mantissaDtype(bits: MantissaBits): Dtype {
  return bits === 8 ? "I8" : "I16";
}

const limits: { readonly [D in Dtype]: readonly [number, number] } = {
  I8: [-127, 127],
  I16: [-32767, 32767],
  I32: [-(2 ** 31 - 1), 2 ** 31 - 1],
  I64: [-(2 ** 52 - 1), 2 ** 52 - 1],
  U8: [0, 255],
  U32: [0, 2 ** 32 - 1],
};

/** Mantissas within the dtype's range: any, small, extreme, sparse or all zero. */
export function tensorOf(random: Random, layout: Layout, exponent: number, most?: number): Tensor {
  const [least, largest] = limits[layout.dtype];
  const high = Math.min(largest, most ?? largest);
  const low = Math.max(least, most === undefined ? least : -most);
  const mode = random.pick([
    "any",
    "any",
    "any",
    "any",
    "any",
    "any",
    "small",
    "small",
    "extreme",
    "extreme",
    "sparse",
    "zero",
  ]);
  const mantissas = newMantissas(layout);
  for (let i = 0; i < elementCount(layout); i++) {
    if (mode === "any") mantissas[i] = random.int(low, high);
    if (mode === "small") mantissas[i] = random.int(Math.max(low, -3), Math.min(high, 3));
    if (mode === "extreme") mantissas[i] = random.pick([low, high, high - 1, low + 1]);
    if (mode === "sparse") mantissas[i] = random.chance(30) ? random.int(low, high) : 0;
  }
  return { layout, exponent, mantissas };
}

/** Exponents as they occur, and some far out: around ±100, at the floor −512 and above it. */
export function anyExponent(random: Random): number {
  const mode = random.int(0, 15);
  if (mode < 12) return random.int(-22, 3);
  if (mode === 12) return random.int(-104, -96);
  if (mode === 13) return random.int(96, 104);
  if (mode === 14) return random.int(-512, -500);
  return random.int(-300, 300);
}

export function bTensor(
  random: Random,
  bits: MantissaBits,
  shape: readonly number[],
  options: { rowAxes?: number; exponent?: number } = {},
): Tensor {
  const layout = layoutOf(mantissaDtype(bits), shape, options.rowAxes);
  return tensorOf(random, layout, options.exponent ?? anyExponent(random), mantissaMax(bits));
}

/** An operand of a contraction: I8 or I16 in both profiles. */
export function operand(
  random: Random,
  bits: MantissaBits,
  shape: readonly number[],
  rowAxes?: number,
): Tensor {
  if (random.chance(75)) return bTensor(random, bits, shape, { rowAxes });
  return tensorOf(random, layoutOf(random.pick(["I8", "I16"]), shape, rowAxes), anyExponent(random));
}

/** A bias: int32 at the exponent of weights. */
export function biasTensor(random: Random, outputs: number): Tensor {
  return tensorOf(random, layoutOf("I32", [outputs]), -28);
}

/** A shape of rank 1 to 4 with few elements. */
export function anyShape(random: Random): number[] {
  const most = [0, 24, 6, 4, 3];
  const rank = random.int(1, 4);
  return Array.from({ length: rank }, () => random.int(1, most[rank]!));
}
