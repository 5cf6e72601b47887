/** What the parameters of the deployment say, read once and never again. */
export type Tariff = {
  readonly challengerBond: bigint;
  readonly refundPrice: bigint;
  readonly missPenalty: bigint;
  readonly surrenderPenalty: bigint;
  readonly lieSlash: bigint;
  /** Of a slash, what may end with whoever reported it, in basis points. */
  readonly reporterShare: bigint;
  /** Intervals that a member checks. */
  readonly checks: number;
  /** Its fee divided by this is what a member has for a draw in which it was there, and nothing was signed. */
  readonly presenceDivisor: bigint;
  /** What a provider that locks puts up for its commitment is the deposit divided by this. */
  readonly performanceDivisor: bigint;
  /** What it loses besides of what it has locked for its word, in basis points. */
  readonly latePenalty: bigint;
  /** Least that is locked for a provider's word, which is otherwise twice its price. */
  readonly minimumStake: bigint;
};

export const basisPoints = 10_000n;

/** What of a slash nobody gets. */
export function burntOf({ reporterShare }: Tariff, slash: bigint): bigint {
  return (slash * (basisPoints - reporterShare)) / basisPoints;
}
