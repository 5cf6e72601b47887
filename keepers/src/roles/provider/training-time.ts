/** How many times as long as measured the steps may take: the machine may be busier by then. */
const margin = 2;
/** Seconds that a job takes beside its steps: its result is written, placed with storage nodes, and committed to. */
const secondsBesides = 300;
/**
 * How many times as long as measured the steps that are left may take at least: with less time than that nobody is waited for.
 * Less than what the job began with, or no worker would ever be let in, and more than one, as the machine may be busier.
 */
const leastMargin = 1.5;

export type TimedJob = {
  readonly steps: number;
  readonly secondsPerStep: number;
  /** Seconds from the provider's lock to its commitment, as the order gives them. */
  readonly trainingTime: number;
};

/** Why a job could not be committed to in its time; undefined when it can. */
export function problemOfTime({ steps, secondsPerStep, trainingTime }: TimedJob): string | undefined {
  const seconds = steps * secondsPerStep;
  if (margin * seconds + secondsBesides <= trainingTime) return undefined;
  return `it would take ${Math.ceil(seconds)} s of the ${trainingTime} s, and ${secondsBesides} s are needed to store its result`;
}

export type RemainingTime = {
  /** Steps that are not made, or may have to be made again. */
  readonly steps: number;
  readonly secondsPerStep: number;
  /** Seconds until the provider has to have committed. */
  readonly secondsLeft: number;
};

/** Whether a provider has to go on alone from here, so as not to be late with its job. */
export function isShortOfTime({ steps, secondsPerStep, secondsLeft }: RemainingTime): boolean {
  return secondsLeft - secondsBesides < leastMargin * steps * secondsPerStep;
}
