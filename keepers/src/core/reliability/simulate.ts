import { assertRedundancy, type RedundancyParameters } from "./loss.ts";
import { uniform } from "./random.ts";

export type SimulationParameters = RedundancyParameters & { trials: number; seed: number };

/** An estimate with its 99.9 % confidence interval. */
export type SimulatedLoss = { estimate: number; low: number; high: number; trials: number };

/** Two-sided 99.9 % quantile of the normal distribution. */
const quantile = 3.290527;

/**
 * Estimates the probability of loss by letting nodes fail one by one and counting who is left, without the formula.
 *
 * Losses may be rarer than any number of trials would show, so nodes fail at the higher rate q = max(p, (n−k+1)/n), at
 * which about half the trials lose, and each loss counts with its likelihood ratio (p/q)^i · ((1−p)/(1−q))^(n−i), i
 * nodes having failed (importance sampling; H. Kahn and A. Marshall, 1953). The interval is that of the central limit
 * theorem.
 */
export function simulateLoss(parameters: SimulationParameters): SimulatedLoss {
  assertRedundancy(parameters);
  const { k, n, failure, trials, seed } = parameters;
  // At k = 1 every node must fail; a rate of 1 would leave nothing to chance.
  const rate = Math.max(failure, Math.min(n - k + 1, n - 0.5) / n);
  const random = uniform(seed);
  const weights = Array.from(
    { length: n + 1 },
    (_, i) => (failure / rate) ** i * (rate === 1 ? 1 : ((1 - failure) / (1 - rate)) ** (n - i)),
  );
  let sum = 0;
  let squares = 0;
  for (let trial = 0; trial < trials; trial++) {
    let failed = 0;
    for (let node = 0; node < n; node++) if (random() < rate) failed++;
    if (n - failed >= k) continue;
    sum += weights[failed]!;
    squares += weights[failed]! ** 2;
  }
  const estimate = sum / trials;
  const deviation = Math.sqrt(Math.max(0, squares / trials - estimate ** 2) / trials);
  return {
    estimate,
    low: Math.max(0, estimate - quantile * deviation),
    high: estimate + quantile * deviation,
    trials,
  };
}
