/**
 * The epoch in the context of a proof that a client asked for on a seed of its own. No audit has it, so such a proof can
 * never stand for an audit's answer, and clients and nodes derive the same point.
 */
export const freshProofEpoch = 2n ** 256n - 1n;
