import { type Hex, keccak256, toHex } from "viem";

/** A job that could be checked, and what that costs. */
export type Checkable = { readonly jobId: bigint; readonly cost: number };

/**
 * Which jobs to check when not all fit the budget: a random choice, the same for the same seed. The seed must be known to
 * nobody else, or a provider knows when nobody looks. What is drawn and does not fit beside the others is waited for: small
 * jobs must not keep a large one out for as long as they come.
 *
 * @param budget what is left of it
 * @param whole all of it, by default what is left: a job that is larger is passed over
 */
export function chooseJobs(
  jobs: readonly Checkable[],
  budget: number,
  seed: Hex,
  whole: number = budget,
): bigint[] {
  const drawn = jobs.map((job) => ({ ...job, ticket: keccak256(toHex(`${seed}:${job.jobId}`)) }));
  drawn.sort((a, b) => (a.ticket < b.ticket ? -1 : 1));
  let left = budget;
  const chosen: bigint[] = [];
  for (const { jobId, cost } of drawn) {
    if (cost > whole) continue;
    if (cost > left) break;
    left -= cost;
    chosen.push(jobId);
  }
  return chosen;
}
