/** How many times as long as measured the steps may take: the machine may be busier by then. */
const margin = 2;
/** Seconds that a job takes beside its steps: its result is written, placed with storage nodes, and committed to. */
const secondsBesides = 300;

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
