import { BadInputError } from "../errors.ts";

/** How a provider prices its work; amounts are token base units. */
export type CostModel = {
  /** For an hour of training. */
  readonly perHour: bigint;
  /** Least price of a job, however short: it has to pay for its transactions and for storing its result. */
  readonly floor: bigint;
};

/** Nanoseconds of an hour: seconds are measured as fractions, prices are integers. */
const nanosecondsPerHour = 3_600n * 10n ** 9n;

/**
 * Price of a training: steps × seconds for each × rate, rounded up; never below the floor.
 *
 * @param secondsPerStep as measured on the provider's own machine
 * @throws BadInputError for times or counts that no training has
 */
export function priceOf({ perHour, floor }: CostModel, steps: number, secondsPerStep: number): bigint {
  if (!Number.isSafeInteger(steps) || steps < 1) {
    throw new BadInputError(`There is no training of ${steps} steps.`);
  }
  const nanoseconds = Math.ceil(secondsPerStep * 1e9);
  if (!Number.isSafeInteger(nanoseconds) || nanoseconds < 0) {
    throw new BadInputError(`A step cannot take ${secondsPerStep} seconds.`);
  }
  const work = BigInt(steps) * BigInt(nanoseconds) * perHour;
  const price = (work + nanosecondsPerHour - 1n) / nanosecondsPerHour;
  return price > floor ? price : floor;
}
