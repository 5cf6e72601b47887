/** Mulberry32: a seed that a failing test prints replays the whole run. */
export function seeded(seed: number): {
  next(): number;
  below(n: number): number;
  chance(p: number): boolean;
} {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return { next, below: (n) => Math.floor(next() * n), chance: (p) => next() < p };
}

/**
 * How many random walks to go: fewer where every test is run hundreds of times over, as `npm run mutation:keepers` does it.
 * Which things happen on a walk is not its number's business.
 */
export function walksOf(count: number): number {
  return Math.ceil(count / Number(process.env.ASSAY_WALKS_ONE_IN ?? 1));
}
