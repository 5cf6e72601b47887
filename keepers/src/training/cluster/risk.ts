export type LeagueParameters = {
  /** Part of the chunks, from 0 to 1, that the provider computes as well. */
  readonly checkShare: number;
  /** Workers that have to agree on a chunk. */
  readonly copies: number;
  /** Part of the work, from 0 to 1, that goes to workers which are in league. */
  readonly share: number;
  /** Chunks of the job. */
  readonly chunks: number;
};

/**
 * Probability that workers in league get one wrong chunk past the provider, when they wait for a chunk of which they were
 * given every copy, lie in that one and in no other: (1 − (1 − share^copies)^chunks) · (1 − checkShare). Copies are drawn at
 * random; what the league loses when it is found out is not counted.
 */
export function slipProbability({ checkShare, copies, share, chunks }: LeagueParameters): number {
  if (checkShare >= 1) return 0;
  const meeting = share >= 1 ? 1 : -Math.expm1(chunks * Math.log1p(-(share ** copies)));
  return meeting * (1 - checkShare);
}
