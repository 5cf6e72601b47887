/** What a feed must answer to be believed (`FeedBounds` of contracts/market/interfaces/IMarket.sol). */
export type FeedBounds = {
  /** Greatest age of an answer in seconds; 0: the feed is not listed. */
  readonly maximumAge: number;
  readonly least: bigint;
  readonly most: bigint;
};

/** What a Chainlink feed says: the price of one whole token, in its own units. */
export type FeedAnswer = {
  readonly answer: bigint;
  /** Seconds since 1970. */
  readonly updatedAt: bigint;
};

/** What Chainlink's uptime feed says of a rollup's sequencer. */
export type SequencerStatus = {
  /** 0: up; 1: down. */
  readonly answer: bigint;
  /** Since when, seconds since 1970; 0: it has said nothing yet. */
  readonly startedAt: bigint;
};

/** Why the market does not believe a feed. */
export type FeedFault = "unlisted" | "halted" | "stale" | "implausible";

/** Whether the market believes feeds again after the last halt (`PriceFeeds._requireSequencer`). */
export function isSequencerUp({ answer, startedAt }: SequencerStatus, rest: bigint, now: bigint): boolean {
  return answer === 0n && startedAt !== 0n && startedAt + rest < now;
}

/**
 * What stands against an answer at some second, by the market's own rules (`PriceFeeds._rateOf`); undefined when it
 * counts.
 */
export function feedFault(
  { maximumAge, least, most }: FeedBounds,
  { answer, updatedAt }: FeedAnswer,
  now: bigint,
): FeedFault | undefined {
  if (maximumAge === 0) return "unlisted";
  if (updatedAt > now || now - updatedAt > BigInt(maximumAge)) return "stale";
  return answer < least || answer > most ? "implausible" : undefined;
}

/** Prices are in tokens (no feed), or in units of a feed's answers. */
export type Rate = {
  /** Price of one whole token in units of the feed; 0: prices are in tokens. */
  readonly rate: bigint;
  /** Base units of one whole token. */
  readonly wholeToken: bigint;
};

/** The rate of prices in tokens. */
export const inTokens: Rate = { rate: 0n, wholeToken: 1n };

/** Token base units of a price, rounded down as the market does it. */
export function toTokens(price: bigint, { rate, wholeToken }: Rate): bigint {
  return rate === 0n ? price : (price * wholeToken) / rate;
}

/** The least price that is worth some token base units. */
export function fromTokens(amount: bigint, { rate, wholeToken }: Rate): bigint {
  return rate === 0n ? amount : (amount * rate + wholeToken - 1n) / wholeToken;
}

/** An amount with a margin of some per cent on top, rounded up. */
export function withMargin(amount: bigint, percent: number): bigint {
  return (amount * BigInt(100 + percent) + 99n) / 100n;
}
