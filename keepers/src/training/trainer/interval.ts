import { orderLimits } from "../../core/exact/order.ts";

/** Share of the time that hashing may take. */
export const hashingShare = 0.05;

/** Longest interval that is chosen: what is re-executed to check one claim stays short. */
const longest = orderLimits.interval;

export type IntervalCosts = {
  /** Seconds of one step. */
  readonly step: number;
  /** Seconds that taking and hashing a state take. */
  readonly state: number;
  /** Seconds that committing to one witness takes. */
  readonly witness: number;
};

/**
 * The least number of steps between two state roots with which hashing takes at most 5 % of the time. Witnesses are
 * committed to at every step, so where they alone take 5 % the longest interval is the answer.
 */
export function chooseInterval({ step, state, witness }: IntervalCosts, steps: number): number {
  const budget = hashingShare * step - witness;
  const least = budget > 0 ? Math.ceil(state / budget) : longest;
  return Math.max(1, Math.min(least, longest, steps));
}
