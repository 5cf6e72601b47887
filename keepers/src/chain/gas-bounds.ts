import type { ContractName } from "./abi/index.ts";

/** Requests that one session of the commit–reveal beacon serves at most: `MAX_REQUESTS_PER_SESSION`. */
const mostRequests = 16n;

/**
 * Gas that some calls take at most, where an estimate may see less. It sees the state before the block: of two members that
 * reveal last, both see that another one is missing, and the second makes the seeds of all requests. Some endpoints estimate
 * at a base fee of 0, at which what is paid by the base fee is nothing and no slot is written for it.
 * What is not used is not paid for.
 */
const bounds: Partial<Record<ContractName, Readonly<Record<string, bigint>>>> = {
  CommitRevealBeacon: {
    // A reveal of its own with the first slots written; then a slot read, a hash and an event for each request.
    reveal: 180_000n + mostRequests * 7_000n,
  },
  RetrievalChallenges: {
    // A cell and fourteen siblings as calldata, their hashes, and the credits of two parties.
    publish: 200_000n,
  },
};

/** Gas to ask for at least; 0 where the estimate and its margin are enough. */
export function gasBound(contract: ContractName, functionName: string): bigint {
  return bounds[contract]?.[functionName] ?? 0n;
}
