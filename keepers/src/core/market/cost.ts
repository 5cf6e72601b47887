import { BadInputError } from "../errors.ts";

/** How a provider prices its work; amounts are token base units. */
export type CostModel = {
  /** For an hour of training. */
  readonly perHour: bigint;
  /** Least price of a job, however short: it has to pay for its transactions and for storing its result. */
  readonly floor: bigint;
  /** For each interval whose witnesses are opened to a committee: that is a part of a transaction. */
  readonly perOpening: bigint;
};

/** What a training asks of a provider. */
export type Work = {
  readonly steps: number;
  /** As measured on the provider's own machine. */
  readonly secondsPerStep: number;
  /** Intervals that are opened to a committee; 0 without one. */
  readonly openings: number;
};

/** Nanoseconds of an hour: seconds are measured as fractions, prices are integers. */
const nanosecondsPerHour = 3_600n * 10n ** 9n;

/**
 * Price of a training: steps × seconds for each × rate, rounded up, never below the floor, and what it costs to open what a
 * committee checks.
 *
 * @throws BadInputError for times or counts that no training has
 */
export function priceOf(
  { perHour, floor, perOpening }: CostModel,
  { steps, secondsPerStep, openings }: Work,
): bigint {
  if (!Number.isSafeInteger(steps) || steps < 1) {
    throw new BadInputError(`There is no training of ${steps} steps.`);
  }
  const nanoseconds = Math.ceil(secondsPerStep * 1e9);
  if (!Number.isSafeInteger(nanoseconds) || nanoseconds < 0) {
    throw new BadInputError(`A step cannot take ${secondsPerStep} seconds.`);
  }
  const work = BigInt(steps) * BigInt(nanoseconds) * perHour;
  const price = (work + nanosecondsPerHour - 1n) / nanosecondsPerHour;
  return (price > floor ? price : floor) + BigInt(openings) * perOpening;
}

/**
 * Intervals that a provider opens to a committee at most: those of each member, also where two check the same one.
 *
 * @param checks intervals that a member checks where there are as many
 */
export function openingsOf({
  intervals,
  committeeSize,
  checks,
}: {
  readonly intervals: number;
  readonly committeeSize: number;
  readonly checks: number;
}): number {
  return committeeSize * Math.min(intervals, checks);
}
