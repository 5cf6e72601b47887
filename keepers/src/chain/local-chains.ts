/** Chains that stand on one machine, by the ids that development nodes give them. */
const localChains: ReadonlySet<number> = new Set([31337]);

/** Whether a chain is one that nobody but this machine can reach: what is unsafe elsewhere is good enough there. */
export function isLocalChain(chainId: number): boolean {
  return localChains.has(chainId);
}
