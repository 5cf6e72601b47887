import { orderLimits } from "../../core/exact/order.ts";

/**
 * Share of the time that hashing may take. The end of an interval also ends a call of the engine, which costs about as much
 * again: with both, a trace stays below 5 %.
 */
export const hashingShare = 0.025;

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

/** Where witnesses alone take the budget, states still get this share. */
const leastStateShare = 0.01;

/**
 * The least number of steps between two state roots with which hashing takes at most 2.5 % of the time. Witnesses are
 * committed to at every step; where they alone take nearly as much, because steps are very short, hashing states takes at
 * most 1 % on top.
 */
export function chooseInterval({ step, state, witness }: IntervalCosts, steps: number): number {
  const budget = Math.max(hashingShare * step - witness, leastStateShare * step);
  return Math.max(1, Math.min(Math.ceil(state / budget), longest, steps));
}
