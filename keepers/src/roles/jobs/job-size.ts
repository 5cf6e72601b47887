import { BadInputError } from "../../core/errors.ts";
import type { TrainingOrder } from "../../core/exact/order.ts";

/**
 * Steps and intervals of a job that keepers take, at most. The registry takes 2^32 − 1 steps, and a provider that has bid for more
 * than its memory holds loses stake and bond. Who answers a dispute keeps, for each step, its witness commitment: 32 bytes outside
 * the heap of JavaScript, 128 MB in all. And for each interval the two hashes of its leaf as strings, and their place in the tree
 * over the leaves: together about 1.3 kB of the heap while that is built, 650 MB in all (measured: 700 MB suffice, 500 do not). The
 * least heap that Node.js has by itself, 2 GB on a machine of 4, holds three such jobs at once. On the disk the logs take 69 bytes
 * a step and 171 an interval: 360 MB.
 */
export const jobLimits = { steps: 4_000_000, intervals: 500_000 } as const;

/** @throws BadInputError for a job that has more steps or intervals than keepers take */
export function requireJobSize({ steps, interval }: Pick<TrainingOrder, "steps" | "interval">): void {
  if (steps > jobLimits.steps) {
    throw new BadInputError(`A job has ${jobLimits.steps} steps at most, not ${steps}.`, {
      next: "Order fewer steps, of larger batches if need be.",
    });
  }
  const intervals = Math.ceil(steps / interval);
  if (intervals <= jobLimits.intervals) return;
  throw new BadInputError(`A job has ${jobLimits.intervals} intervals at most, not ${intervals}.`, {
    next: `Set an interval of ${leastInterval(steps)} steps or more.`,
  });
}

/** Steps between two leaves of a job's trace, at least, so that it has no more intervals than keepers take. */
export function leastInterval(steps: number): number {
  return Math.ceil(steps / jobLimits.intervals);
}
