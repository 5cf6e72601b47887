import type { Mutant } from "./mutants.ts";

/** A generator of numbers below one, the same ones for the same seed (mulberry32). */
function numbersOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Things in an order drawn at random.
 * @param seed the same seed draws the same order
 */
export function shuffled<T>(things: readonly T[], seed: number): T[] {
  const next = numbersOf(seed);
  const left = [...things];
  for (let i = left.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [left[i], left[j]] = [left[j] as T, left[i] as T];
  }
  return left;
}

/**
 * What picks some of a contract's mutants at random.
 * @param most how many at most
 * @param seed the same seed picks the same mutants
 */
export function chooser(most: number, seed: number): (mutants: Mutant[]) => Mutant[] {
  return (mutants) => {
    if (mutants.length <= most) return mutants;
    const chosen = new Set(shuffled(mutants, seed).slice(0, most));
    return mutants.filter((mutant) => chosen.has(mutant));
  };
}
