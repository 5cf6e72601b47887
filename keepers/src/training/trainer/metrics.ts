/** What a few consecutive steps of one epoch saw; of each step its last micro-batch, whose witness is known. */
export type StepMetrics = {
  /** Steps done after them. */
  readonly step: number;
  readonly samples: number;
  readonly lossSum: number;
  /** Samples whose class was found; absent for mean squared error. */
  readonly correct?: number;
};

/** Mean loss of some samples; accuracy where there are classes. */
export type Score = { readonly loss: number; readonly accuracy?: number };

/** What an epoch reached. */
export type EpochMetrics = {
  /** From 1. */
  readonly epoch: number;
  /** Steps done at its end. */
  readonly step: number;
  /** Over the epoch, while the state changed. */
  readonly training: Score;
  /** At the end of the epoch. */
  readonly validation?: Score;
  /** Seconds of wall clock that its steps and its validation took. */
  readonly seconds: number;
};
