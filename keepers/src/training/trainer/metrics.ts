/** What a few consecutive steps saw, of epochs that one line tells of; of each step its last micro-batch, whose witness is known. */
export type StepMetrics = {
  /** Steps done after them. */
  readonly step: number;
  readonly samples: number;
  readonly lossSum: number;
  /** Samples whose class was found; absent for mean squared error. */
  readonly correct?: number;
  /** Seconds of wall clock. */
  readonly seconds: number;
};

/** Mean loss of some samples; accuracy where there are classes. */
export type Score = { readonly loss: number; readonly accuracy?: number };

/** What an epoch reached, or several where short ones are many. */
export type EpochMetrics = {
  /** From 1; the last of them. */
  readonly epoch: number;
  /** Steps done at its end. */
  readonly step: number;
  /** Over all of them, while the state changed. */
  readonly training: Score;
  /** At their end. */
  readonly validation?: Score;
  /** Seconds of wall clock that its steps and its validation took. */
  readonly seconds: number;
};

/** Both together; `later` says how far they reach. */
export function addSteps(earlier: StepMetrics | undefined, later: StepMetrics): StepMetrics {
  if (earlier === undefined) return later;
  const { step, samples, lossSum, correct, seconds } = later;
  return {
    step,
    samples: earlier.samples + samples,
    lossSum: earlier.lossSum + lossSum,
    correct: correct === undefined ? undefined : (earlier.correct ?? 0) + correct,
    seconds: earlier.seconds + seconds,
  };
}

/** Mean loss and accuracy over some steps. */
export function epochScore(steps: readonly StepMetrics[]): Score {
  const samples = steps.reduce((sum, line) => sum + line.samples, 0);
  const lossSum = steps.reduce((sum, line) => sum + line.lossSum, 0);
  const rated = steps.every(({ correct }) => correct !== undefined);
  const correct = steps.reduce((sum, line) => sum + (line.correct ?? 0), 0);
  return { loss: lossSum / samples, accuracy: rated ? correct / samples : undefined };
}
